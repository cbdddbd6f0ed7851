#pragma once

#include <string>

#include "core/base/result.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::socketio {

/// The name of an event that goes to clients as it is and was neither written nor read by this
/// broker: what another node sent. Looks at all of it, for a client that is sent something else
/// than
/// `["event",...]`, valid and with every attachment that is spoken of, closes its connection.
Result<std::string> check_event(Payload payload);

}  // namespace moonwire::socketio
