#pragma once

struct lua_State;

namespace moonwire::script {

/// Sets find, match, gmatch and gsub in the table on top: what Lua's own do, but bounded. A call
/// that needs more than its share of work, or is at it when the watchdog arms its hook, raises
/// "pattern takes too long to match". Protected.
void install_bounded_patterns(lua_State* state);

}  // namespace moonwire::script
