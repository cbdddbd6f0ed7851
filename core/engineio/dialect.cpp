#include "core/engineio/dialect.hpp"

#include "core/engineio/payload.hpp"
#include "core/engineio/payload_v3.hpp"

namespace moonwire::engineio {
namespace {

template <typename Reader>
bool read_all(Reader reader, Function<bool(const Packet&)>& visit) {
    while (!reader.done()) {
        const std::optional<Packet> packet = reader.next();
        if (!packet) return false;
        if (!visit(*packet)) break;
    }
    return true;
}

}  // namespace

Dialect Dialect::of(const transport::HttpRequest& request) {
    return {request.query_value("EIO") == "4" ? 4u : 3u, !request.query_value("b64").empty()};
}

transport::Frame Dialect::own_binary(const transport::Frame& frame) const {
    if (!base64) return transport::Frame::binary({v3::kBinaryMessage, frame.payload()});
    std::string text;
    append_base64(text, frame.payload());
    return transport::Frame::text({protocol == 3 ? "b4" : "b", text});
}

std::optional<Packet> Dialect::decode_frame(std::string_view payload, bool binary,
                                            std::string& bytes) const {
    if (protocol == 3)
        return binary ? v3::decode_binary_packet(payload) : v3::decode_text_packet(payload, bytes);
    if (binary) return Packet{PacketType::message, true, payload};
    return decode_text_part(payload, bytes);
}

Dialect::Body Dialect::encode_payload(std::span<const transport::Frame> frames) const {
    Body body;
    if (protocol == 3) {
        body.binary = !base64 && v3::has_binary(frames);
        body.bytes = body.binary ? v3::encode_binary_payload(frames) : v3::encode_payload(frames);
        return body;
    }
    std::size_t size = frames.size();
    for (const transport::Frame& frame : frames) size += frame.payload().size();
    body.bytes.reserve(size);
    for (const transport::Frame& frame : frames) append_to_payload(body.bytes, frame);
    return body;
}

bool Dialect::decode_payload(std::string_view body, bool binary,
                             Function<bool(const Packet&)> visit) const {
    if (protocol == 4) return !binary && read_all(PayloadReader(body), visit);
    if (binary) return read_all(v3::BinaryPayloadReader(body), visit);
    return read_all(v3::PayloadReader(body), visit);
}

}  // namespace moonwire::engineio
