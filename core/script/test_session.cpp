#include "core/script/test_session.hpp"

#include <limits>
#include <utility>

namespace moonwire::script {
namespace {

using socketio::PacketType;

constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();

/// The socket's id of `{"sid":"…",…}`: the server's own text, in which ids need no escapes.
std::string socket_id(std::string_view json) {
    constexpr std::string_view kKey = R"("sid":")";
    const std::size_t at = json.find(kKey);
    if (at == std::string_view::npos) return {};
    json.remove_prefix(at + kKey.size());
    return std::string(json.substr(0, json.find('"')));
}

}  // namespace

TestSession::TestSession(Reactor& reactor, std::string id, engineio::Handshake handshake,
                         Question question)
    : reactor_(reactor),
      id_(std::move(id)),
      handshake_(std::make_shared<const engineio::Handshake>(std::move(handshake))),
      question_(std::move(question)) {}

TestSocketPtr TestSession::connect(std::string nsp, std::string_view auth_json) {
    auto socket = std::make_shared<TestSocket>(std::move(nsp));
    sockets_.push_back(socket);
    if (handler_) {
        handler_->on_message(
            socketio::packet_header(PacketType::connect, socket->nsp) + std::string(auth_json),
            false);
    }
    return socket;
}

void TestSession::packet(PacketType type, const TestSocket& socket,
                         const socketio::OwnedPayload& payload,
                         std::optional<socketio::AckId> id) {
    const std::size_t attachments = payload.attachments.size();
    if (attachments > 0)
        type = type == PacketType::event ? PacketType::binary_event : PacketType::binary_ack;
    const auto handler = handler_;  // it may be let go of meanwhile
    if (!handler) return;
    handler->on_message(socketio::packet_header(type, socket.nsp, id, attachments) + payload.json,
                        false);
    for (const SharedBytes& bytes : payload.attachments)
        if (handler_) handler->on_message(bytes.view(), true);
}

void TestSession::emit(const TestSocket& socket, const socketio::OwnedPayload& event,
                       std::optional<socketio::AckId> id) {
    packet(PacketType::event, socket, event, id);
}

void TestSession::acknowledge(const TestSocket& socket, socketio::AckId id,
                              const socketio::OwnedPayload& arguments) {
    if (socket.state == TestSocket::State::connected)
        packet(PacketType::ack, socket, arguments, id);
}

void TestSession::disconnect(TestSocket& socket) {
    socket.state = TestSocket::State::gone;
    if (handler_)
        handler_->on_message(socketio::packet_header(PacketType::disconnect, socket.nsp), false);
}

void TestSession::drop() { finish(engineio::CloseReason::transport_close); }

void TestSession::finish(engineio::CloseReason reason) {
    for (const TestSocketPtr& socket : sockets_) {
        if (socket->state == TestSocket::State::connecting) {
            socket->state = TestSocket::State::refused;
            socket->refusal = R"({"message":"the server closed the connection"})";
        } else if (socket->state == TestSocket::State::connected) {
            socket->state = TestSocket::State::gone;
        }
    }
    if (const auto last = std::exchange(handler_, nullptr)) last->on_close(reason);
}

void TestSession::close(engineio::CloseReason reason) {
    if (std::exchange(closing_, true)) return;
    reactor_.post([self = shared_from_this(), reason] { self->finish(reason); });
}

void TestSession::send(const engineio::Frame& frame, engineio::SendOptions) {
    if (closing_ || !handler_) return;
    if (frame.is_binary()) {
        if (!partial_) return;
        partial_->attachments.push_back(SharedBytes::copy(frame.payload()));
        if (--partial_->missing > 0) return;
        Partial whole = *std::exchange(partial_, std::nullopt);
        return receive(whole.text, std::move(whole.attachments));
    }
    const std::string_view text = engineio::message_text(frame);
    const auto packet = socketio::decode_packet(text, kAnyNumber);
    if (packet && packet->attachments > 0) {
        partial_ = Partial{std::string(text), packet->attachments, {}};
        return;
    }
    receive(text, {});
}

void TestSession::receive(std::string_view text, std::vector<SharedBytes> attachments) {
    // A server's CONNECT_ERROR has the form of a CONNECT, which is what the decoder knows.
    const bool refused = text.starts_with('4');
    std::string own(text);
    if (refused) own.front() = '0';
    const auto packet = socketio::decode_packet(own, kAnyNumber);
    if (!packet) return;
    const TestSocketPtr socket = find(packet->nsp);
    if (!socket) return;
    socketio::OwnedPayload payload({packet->data, attachments});
    switch (packet->type) {
        case PacketType::connect:
            socket->state = refused ? TestSocket::State::refused : TestSocket::State::connected;
            if (refused) socket->refusal = packet->data;
            else socket->id = socket_id(packet->data);
            break;
        case PacketType::event:
        case PacketType::binary_event: {
            auto name = socketio::event_name(packet->data);
            if (!name) return;
            socket->events.push_back({*std::move(name), std::move(payload)});
            if (!packet->id) return;
            // Sending never calls back: the client answers in a turn of its own.
            reactor_.post([self = shared_from_this(), socket, id = *packet->id,
                           event = socket->events.back()] { self->question_(*self, socket, id, event); });
            break;
        }
        case PacketType::ack:
        case PacketType::binary_ack:
            socket->answers.insert_or_assign(*packet->id, std::move(payload));
            break;
        default: socket->state = TestSocket::State::gone;
    }
}

TestSocketPtr TestSession::find(std::string_view nsp) const {
    for (const TestSocketPtr& socket : sockets_)
        if (socket->nsp == nsp && socket->state < TestSocket::State::refused) return socket;
    return nullptr;
}

}  // namespace moonwire::script
