#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/script/schema.hpp"

struct lua_State;

namespace moonwire::script {

enum class SchemaFormat { none, date_time, uuid, email, uri };

/// A schema's nodes, those that it shares counted each time: bounds every walk over one.
inline constexpr std::size_t kMaxSchemaSize = 100'000;

/// One node of a schema, immutable once built: what check_schema walks, and what client types are
/// written from. Shared by the schemas that use it; any thread.
struct SchemaNode {
    enum class Kind {
        any,
        boolean,
        number,
        integer,
        string,
        binary,
        enumeration,
        array,
        map,
        object,
        one_of,
        optional,
        nullable,
        with_default,
    };
    using Child = std::shared_ptr<const SchemaNode>;
    using Constant = std::variant<bool, double, std::string>;
    struct Field {
        std::string name;
        Child schema;
    };

    Kind kind = Kind::any;
    bool is_raw = false;   // any: an argument of ns:on that stays as it came
    int depth = 1;         // of the tree from here, at most kMaxJsonDepth
    std::size_t size = 1;  // of its nodes, at most kMaxSchemaSize

    std::string name;         // of schema.named; empty: none
    std::string description;  // for the documentation

    std::optional<double> min, max;            // value, characters, bytes or elements
    std::string pattern;                       // string: a Lua pattern, empty is none
    SchemaFormat format = SchemaFormat::none;  // string
    std::vector<Constant> constants;           // enumeration
    std::vector<Field> fields;                 // object, in the order of their names
    bool additional = true;                    // object: fields beyond these may be there
    std::vector<Child> children;               // one_of; one child: array, map and the last three
    std::string default_json;                  // with_default
};

/// "date-time" and its like; nothing for a name that is none.
std::optional<SchemaFormat> parse_schema_format(std::string_view name);
std::string_view schema_format_name(SchemaFormat format);
bool matches_format(SchemaFormat format, std::string_view text);

/// The tree of the schema at `index`, null if that is no schema.
SchemaNode::Child to_schema(lua_State* state, int index);

/// Whether two trees accept the same and say the same.
bool same_schema(const SchemaNode& left, const SchemaNode& right);

/// check_schema for a tree, from inside a protected call; `value_index` is absolute.
std::optional<SchemaError> check_node(lua_State* state, const SchemaNode& node, int value_index);

/// Whether the value at `value_index` holds, which is left as it is. Never raises a Lua error.
std::optional<SchemaError> test_node(lua_State* state, const SchemaNode& node, int value_index);

}  // namespace moonwire::script
