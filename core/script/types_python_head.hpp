#pragma once

#include <string_view>

namespace moonwire::script {

/// What every Python file starts with: the connection and what its namespaces have in common.
extern const std::string_view kPythonHead;

}  // namespace moonwire::script
