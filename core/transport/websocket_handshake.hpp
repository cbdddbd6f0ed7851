#pragma once

#include <string_view>

#include "core/base/bytes.hpp"
#include "core/transport/http.hpp"

namespace moonwire::transport {

/// The answer that completes a WebSocket handshake (RFC 6455 section 4.2.2). The request is a
/// well-formed upgrade; `extensions` is the header's value, none if empty.
SharedBytes handshake_answer(const HttpRequest& request, const Headers& headers,
                             std::string_view extensions);

}  // namespace moonwire::transport
