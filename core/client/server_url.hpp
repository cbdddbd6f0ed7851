#pragma once

#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/transport/websocket_client.hpp"

namespace moonwire::client {

/// A server as a person names it: `http`, `https`, `ws` or `wss`, a host and perhaps a port.
struct ServerUrl {
    transport::RemoteServer server;
    transport::Headers query;  // what stood after '?'

    /// Namespaces and the server's path are named elsewhere: a path is an error.
    static Result<ServerUrl> parse(std::string_view text);
};

/// How an Engine.IO server is asked: the path with the protocol's parameters and the given ones.
std::string engine_target(std::string_view path, std::string_view transport,
                          const transport::Headers& query);

}  // namespace moonwire::client
