#pragma once

#include <string_view>

#include "core/base/bytes.hpp"

struct lua_State;

namespace moonwire::script {

/// The values that Lua lacks and JSON has, as scripts see them: `null` (a sentinel; true in a
/// condition, like every value but nil and false), arrays (tables with a shared metatable, so that
/// an empty one stays an array) and `bytes` (binary: a userdata with `.data`, `#`, tostring, ==).
/// Registered once a Vm by its constructor; shared by its generations, which can't change them.
///
/// What pushes or marks may raise "not enough memory": call it protected. What asks never raises.
void register_values(lua_State* state);

/// For an environment's globals: sets `null`, `bytes` and `is_bytes` in the table on top.
void install_values(lua_State* state);

void push_null(lua_State* state);
bool is_null(lua_State* state, int index);
/// Marks the table at `index` as an array.
void mark_array(lua_State* state, int index);
bool is_marked_array(lua_State* state, int index);
/// Shares `bytes`, no copy until a script asks for `.data`. They count against the Vm's memory
/// limit.
void push_bytes(lua_State* state, SharedBytes bytes);
/// The bytes at `index`, or null if the value there is something else.
const SharedBytes* to_bytes(lua_State* state, int index);

/// Whether the userdata at `index` has the metatable that the registry keeps under `key`.
bool has_metatable(lua_State* state, int index, int key);

}  // namespace moonwire::script
