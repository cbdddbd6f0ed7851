#pragma once

#include <memory>
#include <optional>
#include <string>

struct lua_State;

namespace moonwire::script {

/// Opens the `schema` module: leaves its table on the stack. Constructors (lua-api.md):
///   schema.object{ field = S, … } [with second argument { additional = true|false }],
///   schema.array(S [, {min=, max=}]), schema.string{min=,max=,pattern=,format=},
///   schema.number{min=,max=}, schema.integer{min=,max=}, schema.boolean(), schema.any(),
///   schema.enum{"a","b"}, schema.one_of{S1,S2}, schema.map(S), schema.optional(S),
///   schema.nullable(S), schema.default(S, value), schema.binary(), schema.named("Name", S), and
///   schema.check(S, value) -> value with defaults, or nil, {path=, message=, rule=, expected=,
///   got=}; a Lua type error in a constructor is an error at load with its position. Where options
///   are, `description` is one. Each opened module is a scope of names.
/// A schema value is a userdata owning an immutable tree, checked in C++.
void push_schema_module(lua_State* state);

/// Whether the value at `index` is a schema.
bool is_schema(lua_State* state, int index);

/// Where and why a value does not hold: all that one needs to mend it.
struct SchemaError {
    std::string path;      // "$.data.lat"; the argument's root is "$"
    std::string message;   // "must be at most 90 (max), got number 91"
    std::string rule;      // "max"
    std::string expected;  // "a number from -90 to 90"
    std::string got;       // "number 91"
};

/// Checks the value at `value_index` against the schema at `schema_index`; fills in defaults in
/// place (the value may be replaced on the stack when it is itself nil). Never raises a Lua error.
std::optional<SchemaError> check_schema(lua_State* state, int schema_index, int value_index);

}  // namespace moonwire::script
