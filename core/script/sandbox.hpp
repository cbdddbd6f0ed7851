#pragma once

struct lua_State;

namespace moonwire::script {

/// Opens the libraries that a handler may have, replaces what could escape a watchdog (string
/// patterns, xpcall, sort) and keeps the result for push_sandbox. Once a Vm, protected.
void open_sandbox(lua_State* state);

/// Leaves a fresh environment with its own copies of the library tables. Protected.
void push_sandbox(lua_State* state);

}  // namespace moonwire::script
