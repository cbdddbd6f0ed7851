#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Where brokers have their control sockets unless `server.control` says otherwise:
/// `$XDG_RUNTIME_DIR/moonwire-PORT.sock`, or without that variable
/// `/tmp/moonwire-UID-PORT.sock` (in the temporary folder, apart from other users').
namespace moonwire::server {

/// `number` tells the user's brokers apart: the port, or the process of one that has none.
std::string default_control_socket(std::string_view number);

/// The sockets at that kind of place that are this user's, in order; their brokers may be gone.
std::vector<std::string> find_control_sockets();

}  // namespace moonwire::server
