#pragma once

#include <string>
#include <string_view>

#include "core/script/schema_node.hpp"

namespace moonwire::script {

/// "1.5": as short as it can be read back.
std::string number_text(double value);
/// "'a long te…'", cut between characters.
std::string quoted_text(std::string_view text);
std::string constant_text(const SchemaNode::Constant& constant);

/// What a schema accepts, in words: "a number from -90 to 90", "one of 'open', 'closed'". Bounded.
std::string expected_text(const SchemaNode& node);

/// An object's fields: "'lat', 'lng'". Bounded.
std::string fields_text(const SchemaNode& object);

/// The field whose name a misspelt one is most likely meant to be; null if none is near.
const SchemaNode::Field* nearest_field(const SchemaNode& object, std::string_view misspelt);

}  // namespace moonwire::script
