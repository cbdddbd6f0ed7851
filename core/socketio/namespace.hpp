#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/latencies.hpp"
#include "core/base/reactor.hpp"
#include "core/socketio/adapter.hpp"
#include "core/socketio/handler.hpp"
#include "core/socketio/outgoing.hpp"
#include "core/socketio/peers.hpp"
#include "core/socketio/recovery.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::socketio {

/// What holds for every namespace of the broker.
struct NamespaceOptions {
    Format format = Format::json;
    std::size_t rooms = 10'000;         // a socket; further joins are refused
    std::size_t awaited_acks = 10'000;  // of a socket; further calls end as overloaded
    std::size_t connections_per_user = 0;  // further ones are refused; 0: no limit
    RecoveryOptions recovery;
    Peers* peers = nullptr;  // the other nodes; outlives the namespaces. Null: there are none
};

/// Figures of one namespace; written on its reactor, read anywhere.
struct NamespaceStats {
    Counter polling, websocket;  // sockets that are connected, by their session's transport
    Counter connects, refused, disconnects, recovered, expired;
    Counter events_in, events_out, acks_in, acks_out;
    std::atomic<std::uint64_t> overloaded{0};  // events answered `busy`; any reactor
    std::atomic<std::uint64_t> limited{0};     // what was dropped as too much a second; likewise
    Latencies answers;                         // from asking a client until its acknowledgement

    std::uint64_t sockets() const noexcept { return polling.get() + websocket.get(); }
};

/// A snapshot of a namespace's figures, or of those that all members of a family ever had.
struct NamespaceFigures {
    std::string name;  // its own, or the family's pattern
    // Now.
    std::uint64_t members = 0, rooms = 0, away = 0, recovery_bytes = 0;
    std::uint64_t polling = 0, websocket = 0;  // sockets
    // So far.
    std::uint64_t connects = 0, refused = 0, disconnects = 0, recovered = 0, expired = 0;
    std::uint64_t events_in = 0, events_out = 0, acks_in = 0, acks_out = 0;
    std::uint64_t overloaded = 0, limited = 0;
    Latencies::Snapshot answers;

    std::uint64_t sockets() const { return polling + websocket; }
    NamespaceFigures& operator+=(const NamespaceFigures& member);
    /// It is no more: what it was now is nothing.
    void end() { members = rooms = away = recovery_bytes = polling = websocket = 0; }
};

/// A reply of one member to a broadcast that asked for acknowledgements.
using BroadcastReplies = std::vector<OwnedPayload>;
/// `complete` is false when the timeout came first.
using BroadcastCallback = Function<void(BroadcastReplies replies, bool complete)>;

/// One namespace: its sockets and rooms, and the handler that gives its events a meaning.
///
/// Lives on its home reactor, where every call but the constant ones is made. Handlers are only
/// called from the loop, never from within a call into the namespace, so a handler that sends,
/// joins or disconnects does not see itself re-entered.
class Namespace final : public std::enable_shared_from_this<Namespace> {
public:
    /// `reactors` are all of the broker's, for the fan-out; `params` of a parameterised name.
    Namespace(std::string name, std::map<std::string, std::string> params, Reactor& home,
              std::shared_ptr<NamespaceHandler> handler, std::vector<Reactor*> reactors,
              const NamespaceOptions& options);

    // Any thread.
    const std::string& name() const noexcept { return name_; }
    const std::map<std::string, std::string>& params() const noexcept { return params_; }
    Reactor& reactor() const noexcept { return home_; }
    const NamespaceStats& stats() const noexcept { return stats_; }
    NamespaceFigures figures() const;
    std::uint64_t room_count() const noexcept { return adapter_.room_count(); }
    /// Sockets whose clients may come back, and the bytes kept for them.
    std::size_t away_count() const noexcept { return recovery_ ? recovery_->away() : 0; }
    /// Home reactor.
    std::size_t away_queue() const noexcept { return recovery_ ? recovery_->queued() : 0; }
    std::size_t recovery_bytes() const noexcept { return recovery_ ? recovery_->log_bytes() : 0; }
    void count_overload() noexcept { stats_.overloaded.fetch_add(1, std::memory_order_relaxed); }
    void count_limited() noexcept { stats_.limited.fetch_add(1, std::memory_order_relaxed); }
    const std::shared_ptr<NamespaceHandler>& handler() const noexcept { return handler_; }
    Peers* peers() const noexcept { return options_.peers; }

    // Home reactor.
    SocketPtr find(std::string_view socket_id) const;
    std::size_t socket_count() const noexcept { return sockets_.size(); }
    /// The sockets that the target means, each once.
    std::vector<SocketPtr> select(const Target& target) const;
    std::size_t count(const Target& target) const;
    std::vector<std::string> room_names() const;
    /// Whether the target is one socket, by its id, that is in this namespace here: no other node
    /// need know.
    bool is_private(const Target& target) const {
        return target.rooms.size() == 1 && sockets_.contains(target.rooms.front());
    }

    // Broadcasts and changes concern the sockets of other nodes, too, unless the target is `here`
    // only or private. Acknowledgements are this node's sockets' alone.
    /// `payload` is `["event",...]`.
    void broadcast(const Target& target, Payload payload, engineio::SendOptions options);
    void broadcast_call(const Target& target, Payload payload, Duration timeout,
                        BroadcastCallback callback);
    void join(const Target& target, const std::vector<std::string>& rooms);
    void leave(const Target& target, const std::vector<std::string>& rooms);
    void disconnect(const Target& target, bool close);
    /// Raises `on_server` in this namespace's handler (after this call returned).
    void server_event(std::string_view event, Payload payload);
    /// Disconnects everyone ("server namespace disconnect"); later clients are refused.
    void close();
    /// Called, on this reactor, whenever the last socket has gone: how a family's member ends.
    void on_empty(Task task) { on_empty_ = std::move(task); }
    bool empty() const noexcept {
        return sockets_.empty() && connecting_.empty() && away_count() == 0;
    }
    /// The broker ends: lets go of the sockets that are away. No reactor runs any more.
    void release() {
        if (recovery_) recovery_->clear();
    }

    // From Client, on the home reactor.
    void connect(const SocketPtr& socket, std::string_view auth_json);
    void receive_event(const SocketPtr& socket, std::string_view event, Payload payload,
                       std::optional<AckId> id);
    void receive_ack(const SocketPtr& socket, AckId id, Payload payload);
    /// Its session went from polling to WebSocket.
    void upgraded(const SocketPtr& socket);
    /// The client left, or its connection is gone.
    void disconnected(const SocketPtr& socket, std::string_view reason);

private:
    friend class Socket;
    /// The client proved that it is `before`'s, which may not know yet that it is gone. False if
    /// what it missed can't be told any more.
    bool resume(SocketPtr before, const SocketPtr& socket, const RecoveryClaim& claim,
                std::string_view auth_json);
    void run_middleware(const SocketPtr& socket, std::string_view auth_json);
    void admit(const SocketPtr& socket, std::optional<Refusal> refusal);
    void enter(const SocketPtr& socket, std::vector<Outgoing> missed);
    void turn_away(const SocketPtr& socket, const Refusal& refusal);
    void expire(const SocketPtr& socket);
    /// The other nodes, if it is for them.
    Peers* peers_for(const Target& target) const {
        return options_.peers && !target.here && !is_private(target) ? options_.peers : nullptr;
    }
    Outgoing event_for(const Target& target, Payload payload, bool is_volatile);
    Outgoing event_for(const Socket& socket, Payload payload, bool is_volatile);
    void refuse(const SocketPtr& socket, const Refusal& refusal);
    /// Why a user may have no further connection here, if so.
    std::optional<Refusal> refusal_of_user(const Socket& socket) const;
    void finish(const SocketPtr& socket, std::string_view reason);
    /// How many are connected, of those that this socket is counted among.
    Counter& connected_like(const Socket& socket);
    AckId next_ack_id() noexcept { return next_ack_id_++; }

    const std::string name_;
    const std::map<std::string, std::string> params_;
    Reactor& home_;
    const std::shared_ptr<NamespaceHandler> handler_;
    const NamespaceOptions options_;
    const std::shared_ptr<Recovery> recovery_;  // null when switched off
    Adapter adapter_;
    std::unordered_map<std::string_view, SocketPtr> sockets_;  // keys view the sockets' ids
    std::unordered_map<Socket*, SocketPtr> connecting_;        // middleware is running
    std::unordered_map<std::string, std::size_t> users_;  // their sockets; only if limited
    AckId next_ack_id_ = 0;
    bool closed_ = false;
    Task on_empty_;
    NamespaceStats stats_;
};

}  // namespace moonwire::socketio
