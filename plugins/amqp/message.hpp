#pragma once

#include <cstdint>
#include <string>

namespace moonwire::amqp {

/// AMQP's short strings (names, keys, ids) have at most so many bytes.
inline constexpr std::size_t kMaxShortBytes = 255;
/// Headers have to fit one frame, beside other properties.
inline constexpr std::size_t kMaxHeadersBytes = 64 * 1024;

/// A message on its way to or from a server. Empty texts are properties that are not there.
struct Message {
    std::string exchange, routing_key;
    std::string body;
    std::string headers;  // as encoded by fields.hpp, so that retrying one changes no type
    std::string content_type, content_encoding;
    std::string message_id, correlation_id, reply_to, type, app_id, expiration;
    std::uint64_t timestamp = 0;  // seconds since the epoch; 0: none
    std::uint8_t priority = 0;
    bool persistent = true;
};

}  // namespace moonwire::amqp
