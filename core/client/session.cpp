#include "core/client/session.hpp"

#include <utility>

#include "core/client/json_values.hpp"
#include "core/client/server_messages.hpp"
#include "core/engineio/packet.hpp"

namespace moonwire::client {
namespace {

using Kind = SessionEnd::Kind;
using socketio::PacketType;

constexpr std::size_t kMaxAttachments = 1000;  // a packet from the server
constexpr const char* kSilent = "the server fell silent";

}  // namespace

Session::Session(Reactor& reactor, Options options, SessionListener& listener)
    : reactor_(reactor), options_(std::move(options)), listener_(listener) {}

void Session::start(const Connect& connect) {
    expect(options_.connect_timeout, "timed out");
    carrier_ = connect(shared_from_this());
}

void Session::emit(const OutgoingEvent& event, std::optional<socketio::AckId> id) {
    send(event.attachments.empty() ? PacketType::event : PacketType::binary_event, id, event);
}

void Session::acknowledge(socketio::AckId id, const OutgoingEvent& arguments) {
    send(arguments.attachments.empty() ? PacketType::ack : PacketType::binary_ack, id, arguments);
}

void Session::send(PacketType type, std::optional<socketio::AckId> id, const OutgoingEvent& data) {
    if (!connected_ || end_) return;
    carrier_->send("4" +
                       socketio::packet_header(type, options_.nsp, id, data.attachments.size()) +
                       data.json,
                   false);
    for (const std::string& bytes : data.attachments) carrier_->send(bytes, true);
}

void Session::settle() {
    if (connected_ && !end_) carrier_->settle();
}

void Session::on_settled() {
    if (!end_) listener_.on_settled();
}

void Session::on_drained() {
    if (connected_ && !end_) listener_.on_drained();
}

void Session::leave() {
    if (end_ || !carrier_) return;
    if (connected_)
        carrier_->send("4" + socketio::packet_header(PacketType::disconnect, options_.nsp), false);
    finish(Kind::left, "closed");
}

void Session::on_packet(std::string_view packet, bool binary) {
    if (end_) return;
    if (binary) return on_attachment(packet);
    const auto decoded = engineio::decode_packet(packet);
    if (!decoded) return broken("an unknown Engine.IO packet");
    if (!opened_ && decoded->type != engineio::PacketType::open)
        return broken("no Engine.IO handshake");
    switch (decoded->type) {
        case engineio::PacketType::open:
            if (opened_) return broken("a second handshake");
            return on_opened(decoded->data);
        case engineio::PacketType::ping:
            if (connected_) expect(patience_, kSilent);
            return carrier_->send("3" + std::string(decoded->data), false);
        case engineio::PacketType::message: return on_message(decoded->data);
        case engineio::PacketType::close:
            return finish(connected_ ? Kind::lost : Kind::unreachable,
                          "the server closed the connection");
        case engineio::PacketType::pong:
        case engineio::PacketType::upgrade:
        case engineio::PacketType::noop: return;
    }
}

void Session::on_opened(std::string_view json) {
    const auto opening = parse_opening(json);
    if (!opening) return finish(Kind::unreachable, opening.error().message);
    opened_ = true;
    patience_ = opening->ping_interval + opening->ping_timeout;
    carrier_->send("4" + socketio::packet_header(PacketType::connect, options_.nsp) +
                       options_.auth,
                   false);
}

void Session::expect(Duration within, const char* otherwise) {
    reactor_.cancel(deadline_);
    deadline_ = reactor_.after(within, [weak = weak_from_this(), otherwise] {
        const auto self = weak.lock();
        if (self) self->finish(self->connected_ ? Kind::lost : Kind::unreachable, otherwise);
    });
}

void Session::on_message(std::string_view text) {
    if (!partial_.empty()) return broken("text where an attachment was to come");
    const auto packet = socketio::decode_packet(text, kMaxAttachments, socketio::Sender::server);
    if (!packet) return broken(packet.error().message);
    if (packet->attachments == 0) return on_socket_packet(*packet);
    partial_ = text;
    partial_bytes_ = text.size();
}

void Session::on_attachment(std::string_view bytes) {
    if (partial_.empty()) return broken("an attachment of no packet");
    partial_bytes_ += bytes.size();
    if (partial_bytes_ > options_.max_packet_bytes) return broken("too large a packet");
    attachments_.emplace_back(bytes);
    const auto packet =
        socketio::decode_packet(partial_, kMaxAttachments, socketio::Sender::server);
    if (attachments_.size() < packet->attachments) return;
    const std::string text = std::exchange(partial_, {});
    on_socket_packet(*socketio::decode_packet(text, kMaxAttachments, socketio::Sender::server));
    attachments_.clear();
}

void Session::on_socket_packet(const socketio::Packet& packet) {
    if (packet.nsp != options_.nsp) return;
    switch (packet.type) {
        case PacketType::connect: {
            if (connected_) return broken("a second CONNECT");
            const std::string id = parse_socket_id(packet.data);
            if (id.empty()) return broken("a CONNECT without an id, as of Socket.IO 2");
            connected_ = true;
            expect(patience_, kSilent);
            return listener_.on_connected(id);
        }
        case PacketType::connect_error: {
            Refused refused = parse_refused(packet.data);
            return finish(Kind::refused, std::move(refused.message), std::move(refused.data));
        }
        case PacketType::disconnect:
            return finish(Kind::disconnected, "the server disconnected this client");
        case PacketType::event:
        case PacketType::binary_event:
        case PacketType::ack:
        case PacketType::binary_ack: return deliver(packet);
    }
}

void Session::deliver(const socketio::Packet& packet) {
    if (!connected_) return broken("an event before CONNECT");
    const auto data = check_wire(packet.data, attachments_);
    if (!data) return broken("malformed JSON, " + data.error().message);
    if (packet.type == PacketType::ack || packet.type == PacketType::binary_ack)
        return listener_.on_acknowledged({*data, attachments_, packet.id});
    const auto name = socketio::event_name(*data);
    if (!name) return broken(name.error().message);
    listener_.on_event(*name, {without_first(*data), attachments_, packet.id});
}

void Session::on_end(transport::ClientEnd end) {
    reactor_.cancel(deadline_);
    carrier_.reset();
    if (!end_) {
        if (end.status != 0) end.reason += ": " + describe_refusal(end.status, end.body);
        end_ = SessionEnd{connected_ ? Kind::lost : Kind::unreachable, std::move(end.reason)};
    }
    listener_.on_end(*end_);
}

void Session::finish(Kind kind, std::string reason, std::string data) {
    if (end_) return;
    end_ = SessionEnd{kind, std::move(reason), std::move(data)};
    reactor_.cancel(deadline_);
    carrier_->close();
}

void Session::broken(const std::string& how) {
    finish(connected_ ? Kind::lost : Kind::unreachable,
           "the server broke the protocol: " + how);
}

}  // namespace moonwire::client
