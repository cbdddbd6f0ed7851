#include "core/socketio/socket.hpp"

#include <algorithm>

#include "core/base/incidents.hpp"
#include "core/socketio/client.hpp"
#include "core/socketio/namespace.hpp"
#include "core/socketio/recovery.hpp"

namespace moonwire::socketio {

Socket::Socket(std::string id, std::shared_ptr<Namespace> nsp, std::string wire_nsp,
               std::shared_ptr<engineio::Session> session)
    : id_(std::move(id)),
      nsp_(std::move(nsp)),
      wire_nsp_(std::move(wire_nsp)),
      session_(std::move(session)),
      handshake_(session_->handshake()) {}

Reactor& Socket::home() const noexcept { return nsp_->reactor(); }

void Socket::report(IncidentKind kind, std::string_view detail) const {
    moonwire::report({.kind = kind,
                      .address = handshake_->address,
                      .user = user_,
                      .nsp = nsp_->name(),
                      .socket = id_,
                      .detail = detail});
}

bool Socket::in_room(std::string_view room) const {
    return room == id_ || std::find(rooms_.begin(), rooms_.end(), room) != rooms_.end();
}

bool Socket::recovered() const noexcept { return continuity_ && continuity_->recovered; }

bool Socket::join(std::string_view room) {
    if (state_ == State::gone || state_ == State::away) return false;
    if (in_room(room)) return true;
    if (rooms_.size() >= nsp_->options_.rooms) {
        report(IncidentKind::rooms_per_socket);
        return false;
    }
    rooms_.emplace_back(room);
    if (continuity_) continuity_->joined(room, nsp_->recovery_->last());
    // A socket still in middleware enters the tables, with its rooms, when it is admitted.
    if (state_ != State::connecting) nsp_->adapter_.join(shared_from_this(), room);
    return true;
}

void Socket::leave(std::string_view room) {
    const auto at = std::find(rooms_.begin(), rooms_.end(), room);
    if (at == rooms_.end() || state_ == State::away) return;
    rooms_.erase(at);
    if (continuity_) continuity_->left(room, nsp_->recovery_->last());
    if (state_ != State::connecting) nsp_->adapter_.leave(shared_from_this(), room);
}

void Socket::emit(Payload payload, engineio::SendOptions options) {
    if (!connected()) return;
    nsp_->stats_.events_out.add();
    on_connection([packet = nsp_->event_for(*this, payload, options.is_volatile),
                   options](Socket& self) {
        if (self.open_) FanOut(packet, options).send(*self.session_, self.wire_nsp_);
    });
}

void Socket::call(Payload payload, std::optional<Duration> timeout, AckCallback callback) {
    const AckId id = nsp_->next_ack_id();
    const bool expected = connected() && expect_ack(id, timeout, callback);
    if (!expected) {
        const AckOutcome why = connected() ? AckOutcome::overloaded : AckOutcome::disconnected;
        home().post([callback = std::move(callback), why]() mutable { callback(why, {}); });
        return;
    }
    nsp_->stats_.events_out.add();
    on_connection([packet = Outgoing(nsp_->options_.format, PacketType::event, wire_nsp_, id,
                                     payload)](Socket& self) {
        if (self.open_) packet.send(*self.session_, {});
    });
}

void Socket::acknowledge(AckId id, Payload payload) {
    if (const SocketPtr now = current(); now.get() != this) return now->acknowledge(id, payload);
    if (!connected() && !is_away()) return;
    nsp_->stats_.acks_out.add();
    Outgoing packet(nsp_->options_.format, PacketType::ack, wire_nsp_, id, payload);
    // One answer a question, and the questions in flight are bounded.
    if (is_away()) return continuity_->late_answers.push_back(std::move(packet));
    on_connection([packet = std::move(packet)](Socket& self) {
        if (self.open_) packet.send(*self.session_, {});
    });
}

void Socket::disconnect(bool close) {
    if (!connected()) return;
    state_ = State::leaving;
    on_connection([close](Socket& self) {
        if (!self.client_) return;
        if (close) self.client_->disconnect_all();
        else self.client_->disconnect(self);
    });
    home().post([self = shared_from_this()] {
        self->nsp_->finish(self, "server namespace disconnect");
    });
}

void Socket::reject_input() {
    on_connection([](Socket& self) { self.session_->close(engineio::CloseReason::parse_error); });
}

SocketPtr Socket::current() {
    if (continuity_)
        if (SocketPtr now = continuity_->current.lock()) return now;
    return shared_from_this();
}

void Socket::carry_on(Socket& before) {
    id_ = before.id_;
    user_ = before.user_;
    rooms_ = std::move(before.rooms_);
    acks_ = std::move(before.acks_);
    before.acks_.clear();
    before.state_ = State::gone;
}

bool Socket::expect_ack(AckId id, std::optional<Duration> timeout, AckCallback& callback) {
    if (acks_.size() >= nsp_->options_.awaited_acks) {
        report(IncidentKind::awaited_acks_per_socket);
        return false;
    }
    TimerId timer;
    if (timeout) {
        timer = home().after(*timeout, [self = shared_from_this(), id] {
            self->current()->finish_ack(id, AckOutcome::timeout, {});
        });
    }
    acks_.emplace(id, PendingAck{std::move(callback), timer, home().now()});
    return true;
}

bool Socket::finish_ack(AckId id, AckOutcome outcome, Payload payload) {
    auto node = acks_.extract(id);
    if (node.empty()) return true;
    home().cancel(node.mapped().timer);
    if (outcome == AckOutcome::answered)
        nsp_->stats_.answers.add(home().now() - node.mapped().asked);
    return node.mapped().callback(outcome, payload);
}

void Socket::finish_acks_disconnected() {
    while (!acks_.empty()) finish_ack(acks_.begin()->first, AckOutcome::disconnected, {});
}

Acknowledgement::Acknowledgement(SocketPtr socket, std::optional<AckId> id)
    : socket_(std::move(socket)), id_(id.value_or(0)), wanted_(id.has_value()) {}

Acknowledgement::~Acknowledgement() {
    if (socket_) socket_->in_flight_.fetch_sub(1, std::memory_order_relaxed);
}

void Acknowledgement::reply(Payload payload) {
    if (wanted_ && !std::exchange(answered_, true)) socket_->acknowledge(id_, payload);
}

void Acknowledgement::fail(std::string_view error_json) {
    if (std::exchange(answered_, true)) return;
    const std::string error(error_json);
    if (wanted_) {
        socket_->acknowledge(id_, {"[{\"error\":" + error + "}]"});
    } else {
        socket_->current()->emit({"[\"error\"," + error + "]"});
    }
}

}  // namespace moonwire::socketio
