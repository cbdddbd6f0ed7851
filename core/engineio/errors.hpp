#pragma once

#include <cstddef>
#include <cstdint>
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

/// What a handshake or request is refused for, as operators see it.
enum class RefusalReason : std::uint8_t {
    transport,  // unknown, or switched off
    session,    // there is none with this id
    method,     // a handshake that is no GET
    malformed,
    protocol,        // a version that is not spoken
    origin,          // the page may not connect
    script,          // an on_request said no
    script_late,     // or did not decide in time
    handshake_rate,  // limits.handshakes_per_second_per_ip
    connections,     // limits.connections
    address,         // limits.connections_per_ip
    shutting_down,
};
inline constexpr std::size_t kRefusalReasons =
    static_cast<std::size_t>(RefusalReason::shutting_down) + 1;

/// "handshake_rate"
std::string_view to_string(RefusalReason reason);
/// What its client is told.
RequestError error_of(RefusalReason reason);

/// The refusal of a request: `{"code":n,"message":"…"}`, or, for a WebSocket upgrade, the plain
/// message and an end of the connection.
transport::HttpResponse refusal(RequestError error, bool upgrade, std::string_view message = {});

}  // namespace moonwire::engineio
