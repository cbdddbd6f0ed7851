#include "core/socketio/outgoing.hpp"

#include "core/socketio/msgpack.hpp"

namespace moonwire::socketio {
namespace {

PacketType wire_type(Format format, PacketType type, Payload payload) {
    // Only JSON needs to tell that attachments follow.
    if (format == Format::msgpack || payload.attachments.empty()) return type;
    return type == PacketType::event ? PacketType::binary_event : PacketType::binary_ack;
}

/// The value of msgpack's `data`. What is sent was encoded here or checked when it came, so it is
/// JSON; an empty array stands in if that ever fails.
std::string body_of(Payload payload) {
    auto body = msgpack_body(payload);
    return body ? *std::move(body) : "\x90";
}

}  // namespace

Outgoing::Outgoing(Format format, PacketType type, std::string_view nsp, std::optional<AckId> id,
                   Payload payload, std::optional<Offset> offset)
    : format_(format), type_(wire_type(format, type, payload)), nsp_(nsp), id_(id) {
    std::string_view json = payload.json;
    std::string tail;
    if (offset) {
        json.remove_suffix(1);
        tail = ",\"" + std::to_string(*offset) + "\"]";
    }
    if (format == Format::msgpack) {
        const std::string whole = std::string(json) + tail;
        const std::string body = body_of({whole, payload.attachments});
        body_bytes_ = body.size();
        head_ = engineio::binary_message(msgpack_header(type_, nsp, id, true), body);
        return;
    }
    body_bytes_ = json.size() + tail.size();
    head_ = engineio::text_message(packet_header(type_, nsp, id, payload.attachments.size()), json,
                                   tail);
    attachments_.reserve(payload.attachments.size());
    for (const SharedBytes& bytes : payload.attachments)
        attachments_.push_back(engineio::binary_message(bytes.view()));
}

std::size_t Outgoing::bytes() const noexcept {
    std::size_t bytes = head_.wire().size();
    for (const engineio::Frame& attachment : attachments_) bytes += attachment.wire().size();
    return bytes;
}

engineio::Frame control_frame(Format format, PacketType type, std::string_view nsp,
                              std::string_view json) {
    if (format == Format::json) return engineio::text_message(packet_header(type, nsp), json);
    const std::string body = json.empty() ? std::string() : body_of({json, {}});
    return engineio::binary_message(msgpack_header(type, nsp, {}, !json.empty()), body);
}

const engineio::Frame& FanOut::head_for(const std::string& wire_nsp) {
    for (const auto& [name, head] : aliases_)
        if (name == wire_nsp) return head;
    const std::string_view message = packet_.format_ == Format::json
                                         ? engineio::message_text(packet_.head_)
                                         : packet_.head_.payload();
    const std::string_view body = message.substr(message.size() - packet_.body_bytes_);
    aliases_.emplace_back(
        wire_nsp,
        packet_.format_ == Format::json
            ? engineio::text_message(packet_header(packet_.type_, wire_nsp, packet_.id_,
                                                   packet_.attachments_.size()),
                                     body)
            : engineio::binary_message(msgpack_header(packet_.type_, wire_nsp, packet_.id_, true),
                                       body));
    return aliases_.back().second;
}

}  // namespace moonwire::socketio
