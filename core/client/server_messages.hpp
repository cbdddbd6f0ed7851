#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

/// The JSON objects that a Socket.IO server itself sends to a client.
namespace moonwire::client {

/// What an Engine.IO server's first packet says.
struct Opening {
    std::string session_id;
    std::chrono::milliseconds ping_interval{}, ping_timeout{};
    std::size_t max_payload_bytes = 0;  // of a POST; 0: the server does not say
};
Result<Opening> parse_opening(std::string_view json);

/// The id that a CONNECT is answered with; empty if there is none (an old server).
std::string parse_socket_id(std::string_view json);

/// Why a namespace refused: CONNECT_ERROR's `{"message":…,"data":…}`.
struct Refused {
    std::string message;
    std::string data;  // JSON text; empty: none
};
Refused parse_refused(std::string_view json);

/// Whether an acknowledgement is what Moonwire answers when a handler fails:
/// `[{"error":{"code":…,"message":…}}]`.
bool is_failure(std::string_view acknowledgement);

/// What an HTTP answer that refuses a client says: "HTTP 400: Session ID unknown".
std::string describe_refusal(unsigned status, std::string_view body);

}  // namespace moonwire::client
