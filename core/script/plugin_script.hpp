#pragma once

#include <string>

#include "core/plugin/api/module.hpp"

struct lua_State;

namespace moonwire::script {

class Generation;

/// Runs a plugin's own Lua (Module::script) for a generation, with the table of its functions on
/// top, in whose place it leaves what `require` returns. Errors name the plugin. `owner` as for
/// push_plugin_module. Protected.
void run_plugin_script(lua_State* state, const std::string& plugin, const plugin::Module& module,
                       int owner);

/// Tells every plugin that wants to know (Module::wanted) what the generation wants of it: nothing
/// if it was retired. Home reactor; the namespace's Vm must have an owner.
void tell_wants(const Generation& generation);

}  // namespace moonwire::script
