#pragma once

#include <string>
#include <string_view>

#include "core/script/json_encode.hpp"
#include "core/socketio/packet.hpp"

struct lua_State;

namespace moonwire::script {

/// How a value is kept: its JSON, or, if binary values are in it, a header, those, and the JSON.
std::string pack_value(const Encoded& encoded);
/// Bytes that nothing here has packed come out as they are.
socketio::OwnedPayload unpack_value(std::string packed);

/// Pushes the value; null if it is none that was kept here. Protected.
void push_stored(lua_State* state, std::string packed);

}  // namespace moonwire::script
