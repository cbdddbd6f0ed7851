#include "core/engineio/packet.hpp"

namespace moonwire::engineio {

std::optional<Packet> decode_packet(std::string_view text) {
    if (text.empty() || text[0] < '0' || text[0] > '6') return std::nullopt;
    return Packet{static_cast<PacketType>(text[0]), false, text.substr(1)};
}

}  // namespace moonwire::engineio
