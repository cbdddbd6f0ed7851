#include "core/socketio/namespace.hpp"

#include "core/base/incidents.hpp"
#include "core/base/json_text.hpp"
#include "core/base/log.hpp"
#include "core/socketio/client.hpp"

namespace moonwire::socketio {

NamespaceFigures& NamespaceFigures::operator+=(const NamespaceFigures& member) {
    for (const auto figure :
         {&NamespaceFigures::members, &NamespaceFigures::rooms, &NamespaceFigures::away,
          &NamespaceFigures::recovery_bytes, &NamespaceFigures::polling,
          &NamespaceFigures::websocket, &NamespaceFigures::connects,
          &NamespaceFigures::refused, &NamespaceFigures::disconnects, &NamespaceFigures::recovered,
          &NamespaceFigures::expired, &NamespaceFigures::events_in, &NamespaceFigures::events_out,
          &NamespaceFigures::acks_in, &NamespaceFigures::acks_out, &NamespaceFigures::overloaded,
          &NamespaceFigures::limited})
        this->*figure += member.*figure;
    answers += member.answers;
    return *this;
}

Namespace::Namespace(std::string name, std::map<std::string, std::string> params, Reactor& home,
                     std::shared_ptr<NamespaceHandler> handler, std::vector<Reactor*> reactors,
                     const NamespaceOptions& options)
    : name_(std::move(name)),
      params_(std::move(params)),
      home_(home),
      handler_(std::move(handler)),
      options_(options),
      recovery_(options.recovery.enabled
                    ? std::make_shared<Recovery>(options.recovery, home,
                                                 [this](const SocketPtr& socket) { expire(socket); })
                    : nullptr),
      adapter_(std::move(reactors)) {}

NamespaceFigures Namespace::figures() const {
    NamespaceFigures figures;
    figures.name = name_;
    figures.members = 1;
    figures.polling = stats_.polling.get();
    figures.websocket = stats_.websocket.get();
    figures.rooms = room_count();
    figures.away = away_count();
    figures.recovery_bytes = recovery_bytes();
    figures.connects = stats_.connects.get();
    figures.refused = stats_.refused.get();
    figures.disconnects = stats_.disconnects.get();
    figures.recovered = stats_.recovered.get();
    figures.expired = stats_.expired.get();
    figures.events_in = stats_.events_in.get();
    figures.events_out = stats_.events_out.get();
    figures.acks_in = stats_.acks_in.get();
    figures.acks_out = stats_.acks_out.get();
    figures.overloaded = stats_.overloaded.load(std::memory_order_relaxed);
    figures.limited = stats_.limited.load(std::memory_order_relaxed);
    figures.answers = stats_.answers.snapshot();
    return figures;
}

SocketPtr Namespace::find(std::string_view socket_id) const {
    const auto found = sockets_.find(socket_id);
    return found == sockets_.end() ? nullptr : found->second;
}

std::vector<SocketPtr> Namespace::select(const Target& target) const {
    std::vector<SocketPtr> selected;
    adapter_.index().for_each(
        target, [&](Socket& socket) { selected.push_back(socket.shared_from_this()); });
    return selected;
}

std::size_t Namespace::count(const Target& target) const {
    std::size_t count = 0;
    adapter_.index().for_each(target, [&](Socket&) { ++count; });
    return count;
}

std::vector<std::string> Namespace::room_names() const { return adapter_.index().room_names(); }

void Namespace::broadcast(const Target& target, Payload payload, engineio::SendOptions options) {
    if (Peers* peers = peers_for(target)) peers->broadcast(name_, target, payload, options);
    stats_.events_out.add();
    options.coalesce = true;
    adapter_.broadcast(target, event_for(target, payload, options.is_volatile), options);
}

Outgoing Namespace::event_for(const Target& target, Payload payload, bool is_volatile) {
    return recovery_ ? recovery_->event(options_.format, name_, target, payload, is_volatile)
                     : Outgoing(options_.format, PacketType::event, name_, {}, payload);
}

Outgoing Namespace::event_for(const Socket& socket, Payload payload, bool is_volatile) {
    return recovery_ ? event_for(Target{{socket.id()}, {}}, payload, is_volatile)
                     : Outgoing(options_.format, PacketType::event, name_, {}, payload);
}

void Namespace::broadcast_call(const Target& target, Payload payload, Duration timeout,
                               BroadcastCallback callback) {
    struct Collection {
        BroadcastReplies replies;
        std::size_t asked = 0, ended = 0;
        BroadcastCallback callback;
    };
    const std::vector<SocketPtr> members = select(target);
    if (members.empty()) {
        home_.post([callback = std::move(callback)]() mutable { callback({}, true); });
        return;
    }
    const AckId id = next_ack_id();
    auto collection = std::make_shared<Collection>();
    collection->asked = members.size();
    collection->callback = std::move(callback);
    for (const SocketPtr& member : members) {
        // A member that leaves can't answer any more, so the rest need not wait for it.
        AckCallback ended = [collection](AckOutcome outcome, Payload reply) {
            if (outcome == AckOutcome::answered) collection->replies.emplace_back(reply);
            if (++collection->ended == collection->asked) {
                const bool complete = collection->replies.size() == collection->asked;
                collection->callback(std::move(collection->replies), complete);
            }
            return true;
        };
        if (!member->expect_ack(id, timeout, ended))
            home_.post([ended = std::move(ended)]() mutable { ended(AckOutcome::overloaded, {}); });
    }
    stats_.events_out.add();
    adapter_.broadcast(target, Outgoing(options_.format, PacketType::event, name_, id, payload), {});
}

void Namespace::join(const Target& target, const std::vector<std::string>& rooms) {
    if (Peers* peers = peers_for(target)) peers->join(name_, target, rooms);
    for (const SocketPtr& socket : select(target))
        for (const std::string& room : rooms) socket->join(room);
}

void Namespace::leave(const Target& target, const std::vector<std::string>& rooms) {
    if (Peers* peers = peers_for(target)) peers->leave(name_, target, rooms);
    for (const SocketPtr& socket : select(target))
        for (const std::string& room : rooms) socket->leave(room);
}

void Namespace::disconnect(const Target& target, bool close) {
    if (Peers* peers = peers_for(target)) peers->disconnect(name_, target, close);
    for (const SocketPtr& socket : select(target)) socket->disconnect(close);
}

void Namespace::server_event(std::string_view event, Payload payload) {
    home_.post([self = shared_from_this(), event = std::string(event),
                owned = OwnedPayload(payload)] { self->handler_->on_server_event(event, owned.view()); });
}

void Namespace::close() {
    closed_ = true;
    disconnect({.rooms = {}, .except = {}, .here = true}, false);
    if (recovery_) recovery_->expire_all();
    for (const auto& [raw, socket] : std::exchange(connecting_, {}))
        turn_away(socket, {"Invalid namespace", ""});
}

void Namespace::connect(const SocketPtr& socket, std::string_view auth_json) {
    if (closed_) return refuse(socket, {"Invalid namespace", ""});
    connecting_.emplace(socket.get(), socket);
    if (recovery_) {
        const auto claim = recovery_claim(auth_json);
        SocketPtr before = claim ? recovery_->find(claim->pid) : nullptr;
        if (before && resume(std::move(before), socket, *claim, auth_json)) return;
    }
    run_middleware(socket, auth_json);
}

void Namespace::run_middleware(const SocketPtr& socket, std::string_view auth_json) {
    handler_->on_connecting(socket, auth_json,
                            [self = shared_from_this(), socket](std::optional<Refusal> refusal) {
                                self->admit(socket, std::move(refusal));
                            });
}

bool Namespace::resume(SocketPtr before, const SocketPtr& socket, const RecoveryClaim& claim,
                       std::string_view auth_json) {
    if (before->connected()) {
        // Its connection died and no heartbeat has told yet.
        before->on_connection(
            [](Socket& self) { self.session_->close(engineio::CloseReason::transport_error); });
        finish(before, engineio::to_string(engineio::CloseReason::transport_error));
    }
    if (!before->is_away()) return false;
    before->continuity_->resume_from = claim.offset;
    if (!recovery_->missed(*before)) {
        log::warn("a client came back too late for what it missed: the recovery log is full",
                  {{"namespace", name_}, {"log_bytes", options_.recovery.log_bytes}});
        expire(before);
        return false;
    }
    socket->carry_on(*before);
    recovery_->resume(before, socket);
    handler_->on_resume(before, socket, auth_json);
    if (options_.recovery.skip_middlewares) admit(socket, std::nullopt);
    else run_middleware(socket, auth_json);
    return true;
}

void Namespace::admit(const SocketPtr& socket, std::optional<Refusal> refusal) {
    if (connecting_.erase(socket.get()) == 0) return;  // left while middleware ran
    // By address only: each attempt has another id.
    if (refusal)
        report({.kind = refusal->code == "unauthorized" || refusal->code == "token_expired"
                            ? IncidentKind::auth_failed
                                                        : IncidentKind::refused,
                .address = socket->handshake().address,
                .user = socket->user(),
                .nsp = name_,
                .detail = refusal->code});
    else refusal = refusal_of_user(*socket);
    std::vector<Outgoing> missed;
    if (socket->recovered() && !refusal) {
        if (auto all = recovery_->missed(*socket)) missed = *std::move(all);
        else refusal = Refusal{"state lost", ""};
    }
    if (refusal) turn_away(socket, *refusal);
    else enter(socket, std::move(missed));
}

std::optional<Refusal> Namespace::refusal_of_user(const Socket& socket) const {
    const std::size_t limit = options_.connections_per_user;
    if (limit == 0 || socket.user().empty()) return std::nullopt;
    const auto found = users_.find(socket.user());
    if (found == users_.end() || found->second < limit) return std::nullopt;
    report({.kind = IncidentKind::connections_per_user,
            .address = socket.handshake().address,
            .user = socket.user(),
            .nsp = name_});
    return Refusal{"too many connections", R"({"code":"too_many_connections"})",
                   "too_many_connections"};
}

void Namespace::turn_away(const SocketPtr& socket, const Refusal& refusal) {
    if (socket->recovered()) {
        recovery_->forget(*socket);
        handler_->on_expired(socket);
    }
    refuse(socket, refusal);
}

void Namespace::enter(const SocketPtr& socket, std::vector<Outgoing> missed) {
    socket->state_ = Socket::State::connected;
    sockets_.emplace(socket->id(), socket);
    adapter_.add(socket);
    if (options_.connections_per_user > 0 && !socket->user().empty()) ++users_[socket->user()];
    stats_.connects.add();
    // An upgrade that is under way is told of later (`upgraded`), whichever this already sees.
    socket->counted_as_ = socket->session().transport();
    connected_like(*socket).add();
    std::vector<Outgoing> answers;
    std::string data = "{\"sid\":\"" + socket->id() + '"';
    if (socket->recovered()) {
        stats_.recovered.add();
        answers = std::exchange(socket->continuity_->late_answers, {});
    } else if (recovery_ && !socket->handshake().is_legacy()) {
        recovery_->begin(socket);
    }
    if (socket->continuity_) data += ",\"pid\":\"" + socket->continuity_->pid + '"';
    data += '}';
    socket->on_connection([data = std::move(data), missed = std::move(missed),
                           answers = std::move(answers)](Socket& self) {
        if (self.client_) self.client_->admit(self, data, missed, answers);
    });
    handler_->on_connect(socket);
}

void Namespace::refuse(const SocketPtr& socket, const Refusal& refusal) {
    stats_.refused.add();
    socket->state_ = Socket::State::gone;
    socket->on_connection([refusal](Socket& self) {
        if (self.client_) self.client_->refuse(self, refusal);
    });
    if (empty() && on_empty_) on_empty_();
}

void Namespace::receive_event(const SocketPtr& socket, std::string_view event, Payload payload,
                              std::optional<AckId> id) {
    Acknowledgement acknowledgement(socket, id);
    if (!socket->connected()) return;
    stats_.events_in.add();
    if (!handler_->on_event(socket, event, payload, std::move(acknowledgement)))
        socket->reject_input();
}

void Namespace::receive_ack(const SocketPtr& socket, AckId id, Payload payload) {
    stats_.acks_in.add();
    if (!socket->finish_ack(id, AckOutcome::answered, payload)) socket->reject_input();
}

void Namespace::disconnected(const SocketPtr& socket, std::string_view reason) {
    if (connecting_.erase(socket.get()) > 0) {
        if (socket->recovered()) {  // gone again before middleware was done
            socket->state_ = Socket::State::away;
            return recovery_->park(socket);
        }
        socket->state_ = Socket::State::gone;
        if (empty() && on_empty_) on_empty_();
        return;
    }
    if (socket->connected()) finish(socket, reason);
}

void Namespace::upgraded(const SocketPtr& socket) {
    if (!socket->connected()) return;
    connected_like(*socket).subtract();
    socket->counted_as_ = engineio::TransportKind::websocket;
    connected_like(*socket).add();
}

Counter& Namespace::connected_like(const Socket& socket) {
    return socket.counted_as_ == engineio::TransportKind::polling ? stats_.polling
                                                                   : stats_.websocket;
}

void Namespace::finish(const SocketPtr& socket, std::string_view reason) {
    if (socket->state_ == Socket::State::gone || socket->is_away()) return;
    socket->state_ = Socket::State::leaving;
    handler_->on_disconnecting(socket, reason);
    adapter_.remove(socket);
    sockets_.erase(socket->id());
    if (const auto user = users_.find(socket->user()); user != users_.end() && --user->second == 0)
        users_.erase(user);
    stats_.disconnects.add();
    connected_like(*socket).subtract();
    if (socket->continuity_ && !closed_ && is_recoverable(reason)) {
        socket->state_ = Socket::State::away;
        recovery_->park(socket);
    } else {
        socket->rooms_.clear();
        if (socket->continuity_) recovery_->forget(*socket);
        socket->state_ = Socket::State::gone;
        socket->finish_acks_disconnected();
    }
    handler_->on_disconnect(socket, reason);
    if (empty() && on_empty_) on_empty_();
}

void Namespace::expire(const SocketPtr& socket) {
    recovery_->forget(*socket);
    socket->state_ = Socket::State::gone;
    socket->rooms_.clear();
    socket->continuity_->late_answers.clear();
    stats_.expired.add();
    socket->finish_acks_disconnected();
    handler_->on_expired(socket);
    if (empty() && on_empty_) on_empty_();
}

}  // namespace moonwire::socketio
