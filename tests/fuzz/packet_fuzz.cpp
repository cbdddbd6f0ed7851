// Socket.IO packets: whatever arrives is refused or taken apart into views of itself.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/socketio/packet.hpp"

using namespace moonwire::socketio;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto packet = decode_packet(text, 10);
    if (!packet) return 0;
    if (packet->attachments > 10 || packet->data.size() > size) std::abort();
    if (packet->type == PacketType::event || packet->type == PacketType::binary_event) {
        if (const auto name = event_name(packet->data); name && is_reserved_event(*name))
            std::abort();
    }
    // What was decoded, written again, decodes to the same.
    const std::string again =
        packet_header(packet->type, packet->nsp, packet->id, packet->attachments) +
        std::string(packet->data);
    const auto twice = decode_packet(again, 10);
    if (!twice || twice->type != packet->type || twice->nsp != packet->nsp ||
        twice->id != packet->id || twice->data != packet->data)
        std::abort();
    return 0;
}
