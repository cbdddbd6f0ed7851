#include "core/socketio/namespace.hpp"

#include "core/base/json_text.hpp"
#include "core/socketio/client.hpp"

namespace moonwire::socketio {

Namespace::Namespace(std::string name, std::map<std::string, std::string> params, Reactor& home,
                     std::shared_ptr<NamespaceHandler> handler, std::vector<Reactor*> reactors)
    : name_(std::move(name)),
      params_(std::move(params)),
      home_(home),
      handler_(std::move(handler)),
      adapter_(std::move(reactors)) {}

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
    stats_.events_out.add();
    options.coalesce = true;
    adapter_.broadcast(target, Outgoing(PacketType::event, name_, {}, payload), options);
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
        member->expect_ack(id, timeout, [collection](AckOutcome outcome, Payload reply) {
            if (outcome == AckOutcome::answered) collection->replies.emplace_back(reply);
            if (++collection->ended == collection->asked) {
                const bool complete = collection->replies.size() == collection->asked;
                collection->callback(std::move(collection->replies), complete);
            }
            return true;
        });
    }
    stats_.events_out.add();
    adapter_.broadcast(target, Outgoing(PacketType::event, name_, id, payload), {});
}

void Namespace::join(const Target& target, const std::vector<std::string>& rooms) {
    for (const SocketPtr& socket : select(target))
        for (const std::string& room : rooms) socket->join(room);
}

void Namespace::leave(const Target& target, const std::vector<std::string>& rooms) {
    for (const SocketPtr& socket : select(target))
        for (const std::string& room : rooms) socket->leave(room);
}

void Namespace::disconnect(const Target& target, bool close) {
    for (const SocketPtr& socket : select(target)) socket->disconnect(close);
}

void Namespace::server_event(std::string_view event, Payload payload) {
    home_.post([self = shared_from_this(), event = std::string(event),
                owned = OwnedPayload(payload)] { self->handler_->on_server_event(event, owned.view()); });
}

void Namespace::close() {
    closed_ = true;
    disconnect({}, false);
    for (const auto& [raw, socket] : std::exchange(connecting_, {}))
        refuse(socket, {"Invalid namespace", ""});
}

void Namespace::connect(const SocketPtr& socket, std::string_view auth_json) {
    if (closed_) return refuse(socket, {"Invalid namespace", ""});
    connecting_.emplace(socket.get(), socket);
    handler_->on_connecting(socket, auth_json,
                            [self = shared_from_this(), socket](std::optional<Refusal> refusal) {
                                self->admit(socket, std::move(refusal));
                            });
}

void Namespace::admit(const SocketPtr& socket, std::optional<Refusal> refusal) {
    if (connecting_.erase(socket.get()) == 0) return;  // left while middleware ran
    if (refusal) return refuse(socket, *refusal);

    socket->state_ = Socket::State::connected;
    sockets_.emplace(socket->id(), socket);
    adapter_.add(socket);
    stats_.connects.add();
    stats_.sockets.add();
    socket->on_connection([](Socket& self) {
        if (self.client_) self.client_->admit(self);
    });
    handler_->on_connect(socket);
}

void Namespace::refuse(const SocketPtr& socket, const Refusal& refusal) {
    stats_.refused.add();
    socket->state_ = Socket::State::gone;
    std::string error = "{\"message\":" + json_string(refusal.message);
    if (!refusal.data_json.empty()) error += ",\"data\":" + refusal.data_json;
    error += '}';
    socket->on_connection([error = std::move(error)](Socket& self) {
        if (self.client_) self.client_->refuse(self, error);
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
        socket->state_ = Socket::State::gone;
        if (empty() && on_empty_) on_empty_();
        return;
    }
    if (socket->connected()) finish(socket, reason);
}

void Namespace::finish(const SocketPtr& socket, std::string_view reason) {
    if (socket->state_ == Socket::State::gone) return;
    socket->state_ = Socket::State::leaving;
    handler_->on_disconnecting(socket, reason);
    adapter_.remove(socket);
    sockets_.erase(socket->id());
    socket->rooms_.clear();
    socket->state_ = Socket::State::gone;
    stats_.disconnects.add();
    stats_.sockets.subtract();
    socket->finish_acks_disconnected();
    handler_->on_disconnect(socket, reason);
    if (empty() && on_empty_) on_empty_();
}

}  // namespace moonwire::socketio
