#pragma once

#include <string>
#include <string_view>

#include "core/base/http_url.hpp"
#include "core/base/result.hpp"
#include "core/transport/http.hpp"

namespace moonwire::client {

/// A server as a person names it: `http`, `https`, `ws` or `wss`, a host, perhaps a port and a
/// query, whose parameters go to `query`. Namespaces and the server's path are named elsewhere: a
/// path is an error.
Result<HttpUrl> parse_server_url(std::string_view text, transport::Headers& query);

/// How an Engine.IO server is asked: the path with the protocol's parameters and the given ones.
std::string engine_target(std::string_view path, std::string_view transport,
                          const transport::Headers& query);

}  // namespace moonwire::client
