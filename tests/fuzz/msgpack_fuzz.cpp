// Packets in msgpack: whatever arrives is refused or becomes JSON, which encodes and decodes to itself.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/socketio/msgpack.hpp"

using namespace moonwire::socketio;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    const auto decoded = decode_msgpack(message, 10);
    if (!decoded) return 0;
    const MsgpackPacket& packet = **decoded;
    if (packet.attachments.size() > 10) std::abort();
    if (packet.packet.data.empty()) return 0;
    const auto body = msgpack_body({packet.json, packet.attachments});
    if (!body) std::abort();
    const std::string again =
        msgpack_header(packet.packet.type, packet.packet.nsp, packet.packet.id, true) + *body;
    // A map that looks like a placeholder has become what it stands for: from then on it is stable.
    const auto twice = decode_msgpack(again, 10);
    if (!twice) return 0;
    if ((*twice)->packet.type != packet.packet.type || (*twice)->nsp != packet.nsp ||
        (*twice)->packet.id != packet.packet.id)
        std::abort();
    const auto thrice = msgpack_body({(*twice)->json, (*twice)->attachments});
    if (!thrice) std::abort();
    return 0;
}
