#pragma once

#include <string_view>

struct lua_State;

namespace moonwire::script {

/// What `require "plugin.NAME"` looks for begins so.
inline constexpr std::string_view kPluginModules = "plugin.";

/// Leaves what the plugin offers to scripts: the table of its functions, or what its own Lua makes
/// of that; raises if it is not loaded or offers nothing. `owner` is the index of the userdata that
/// shares ownership of the generation (an upvalue's). Protected.
void push_plugin_module(lua_State* state, std::string_view plugin, int owner);

/// Sets up what those functions are made of. Once a Vm, protected.
void register_plugin_functions(lua_State* state);

}  // namespace moonwire::script
