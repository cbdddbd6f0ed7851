#pragma once

#include <string_view>

#include "core/transport/http.hpp"

namespace moonwire::engineio {

/// What a handshake or request can be refused with (protocol-notes section 1). The one place that
/// maps them to the wire. What the reference does not have has its HTTP status for a code.
enum class RequestError {
    unknown_transport = 0,
    unknown_session = 1,
    bad_handshake_method = 2,
    bad_request = 3,
    forbidden = 4,
    unsupported_version = 5,
    too_many_requests = 429,
};

std::string_view message_of(RequestError error);

/// The refusal of a request: `{"code":n,"message":"…"}`, or, for a WebSocket upgrade, the plain
/// message and an end of the connection.
transport::HttpResponse refusal(RequestError error, bool upgrade, std::string_view message = {});

}  // namespace moonwire::engineio
