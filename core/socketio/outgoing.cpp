#include "core/socketio/outgoing.hpp"

namespace moonwire::socketio {
namespace {

PacketType wire_type(PacketType type, Payload payload) {
    if (payload.attachments.empty()) return type;
    return type == PacketType::event ? PacketType::binary_event : PacketType::binary_ack;
}

}  // namespace

Outgoing::Outgoing(PacketType type, std::string_view nsp, std::optional<AckId> id, Payload payload)
    : type_(wire_type(type, payload)),
      nsp_(nsp),
      id_(id),
      json_bytes_(payload.json.size()),
      head_(engineio::text_message(packet_header(type_, nsp, id, payload.attachments.size()),
                                   payload.json)) {
    attachments_.reserve(payload.attachments.size());
    for (const SharedBytes& bytes : payload.attachments)
        attachments_.push_back(engineio::binary_message(bytes.view()));
}

const engineio::Frame& FanOut::head_for(const std::string& wire_nsp) {
    for (const auto& [name, head] : aliases_)
        if (name == wire_nsp) return head;
    const std::string_view message = engineio::message_text(packet_.head_);
    aliases_.emplace_back(
        wire_nsp,
        engineio::text_message(
            packet_header(packet_.type_, wire_nsp, packet_.id_, packet_.attachments_.size()),
            message.substr(message.size() - packet_.json_bytes_)));
    return aliases_.back().second;
}

}  // namespace moonwire::socketio
