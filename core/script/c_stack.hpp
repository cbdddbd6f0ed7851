#pragma once

struct lua_State;

namespace moonwire::script {

/// Raises "C stack overflow" when little of the thread's stack is left. For C functions that call
/// back into Lua: LuaJIT bounds its own stack only, and endless recursion through such a function
/// would end the process, not the handler.
void check_c_stack(lua_State* state);

/// Puts that check before string.gsub, whose frames are large. Once a Vm, protected.
void guard_callbacks(lua_State* state);

}  // namespace moonwire::script
