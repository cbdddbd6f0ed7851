#pragma once

struct lua_State;

namespace moonwire::script {

/// Leaves the `json` table that scripts see: encode(value) raises with the path of what it can't
/// say, decode(text) gives the value or nil and the error, array(table) marks. Protected.
void push_json_module(lua_State* state);

}  // namespace moonwire::script
