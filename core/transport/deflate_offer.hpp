#pragma once

#include <string_view>

#include "core/transport/http.hpp"

namespace moonwire::transport {

/// The Sec-WebSocket-Extensions header that accepts permessage-deflate; empty unless the request
/// offers it in a way that suits (RFC 7692 section 7.1). No context is kept in either direction, so
/// that a broadcast is compressed once for all; an offer that wants a smaller window from us is
/// declined.
std::string_view accept_deflate(const HttpRequest& request);

}  // namespace moonwire::transport
