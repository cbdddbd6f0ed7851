#pragma once

#include <string_view>

struct lua_State;

namespace moonwire::script {

/// What `require "plugin.NAME"` looks for begins so.
inline constexpr std::string_view kPluginModules = "plugin.";

/// Leaves the table of the functions that the plugin offers to scripts; raises if it is not loaded
/// or offers none. Protected.
void push_plugin_module(lua_State* state, std::string_view plugin);

/// Sets up what those functions are made of. Once a Vm, protected.
void register_plugin_functions(lua_State* state);

}  // namespace moonwire::script
