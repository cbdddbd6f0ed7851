#pragma once

#include <string_view>

#include "core/base/bytes.hpp"

struct lua_State;

namespace moonwire::script {

/// The values that Lua lacks and JSON has, as scripts see them: `null` (a sentinel), arrays (tables
/// with a shared metatable, so that an empty one stays an array) and `bytes` (binary: a userdata with
/// `.data`, `#`, tostring, ==). Registered once a Vm; shared by its generations.
void register_values(lua_State* state);

void push_null(lua_State* state);
bool is_null(lua_State* state, int index);
/// Marks the table at `index` as an array.
void mark_array(lua_State* state, int index);
bool is_marked_array(lua_State* state, int index);
/// Shares `bytes`, no copy until a script asks for `.data`.
void push_bytes(lua_State* state, SharedBytes bytes);
/// The bytes at `index`, or null if the value there is something else.
const SharedBytes* to_bytes(lua_State* state, int index);

}  // namespace moonwire::script
