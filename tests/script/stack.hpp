#pragma once

#include <lua.hpp>

namespace moonwire::script {

/// A state's stack, for the tools that stand outside of the script layer's own tests.
inline int stack_size(lua_State* state) { return lua_gettop(state); }
inline void clear_stack(lua_State* state) { lua_settop(state, 0); }

}  // namespace moonwire::script
