#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonwire::engineio {

/// Engine.IO protocols v3 and v4. The characters are the wire's.
enum class PacketType : char {
    open = '0',
    close = '1',
    ping = '2',
    pong = '3',
    message = '4',
    upgrade = '5',
    noop = '6',
};

/// A decoded packet: a view into what it came from.
struct Packet {
    PacketType type = PacketType::noop;
    bool binary = false;  // in v4 only messages
    std::string_view data;
};

/// One packet as a WebSocket frame or a polling payload's text part carries it; nothing if its type
/// is unknown.
std::optional<Packet> decode_packet(std::string_view text);

}  // namespace moonwire::engineio
