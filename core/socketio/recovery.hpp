#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/function.hpp"
#include "core/base/reactor.hpp"
#include "core/socketio/outgoing.hpp"
#include "core/socketio/room_table.hpp"

namespace moonwire::socketio {

/// Connection state recovery (the reference's "connection state recovery"; protocol-notes 2).
struct RecoveryOptions {
    bool enabled = false;
    std::chrono::seconds max_disconnection{120};  // how long a client may stay away
    /// How long a dead connection may go unnoticed: heartbeat interval and timeout together.
    std::chrono::milliseconds detection{45'000};
    bool skip_middlewares = true;          // for recovered clients, as in the reference
    std::size_t log_bytes = 64u << 20;     // a namespace; beyond: the oldest events go
    std::size_t max_sessions = 10'000;     // away at once, a namespace; beyond: the oldest go
};

/// What of a socket outlives its connection, and is shared by the Socket objects that carry it one
/// after another. Home reactor.
struct Continuity {
    /// A time in a room, by offsets: what was sent after `from` up to `until` concerned the socket.
    struct Stay {
        std::string room;
        Offset from, until;
    };

    std::string pid;  // the client's secret proof
    Offset start;     // nothing up to here concerns it
    std::vector<Stay> stays;
    std::vector<Outgoing> late_answers;  // one a handler still at work, whom coroutines bound
    std::weak_ptr<Socket> current;
    std::optional<Offset> resume_from;   // what the client says that it received last
    bool recovered = false;
    TimePoint away_since{};

    void joined(std::string_view room, Offset now);
    void left(std::string_view room, Offset now);
    bool was_in(std::string_view room, Offset offset) const;
};

/// What a reconnecting client claims in CONNECT's payload.
struct RecoveryClaim {
    std::string pid;
    std::optional<Offset> offset;  // none: it never received an event that carries one
};
/// Nothing if the payload claims nothing.
std::optional<RecoveryClaim> recovery_claim(std::string_view auth_json);

/// Whether a socket that ended for this reason may come back.
bool is_recoverable(std::string_view reason);

/// The memory of one namespace: the events it sent lately, and the sockets whose clients are away.
///
/// Every event without acknowledgement gets an offset, which clients hand back when they return.
/// Unlike the reference's, offsets are ordered numbers (also across restarts: they begin with the
/// clock), so a client that received nothing, or nothing for hours, can be served from what it
/// missed. Home reactor; bounded by RecoveryOptions, in time and size.
class Recovery : public std::enable_shared_from_this<Recovery> {
public:
    /// `expire` is called, from the loop, for each socket whose client did not return.
    Recovery(const RecoveryOptions& options, Reactor& home,
             Function<void(const SocketPtr&)> expire);

    const RecoveryOptions& options() const noexcept { return options_; }
    Offset last() const noexcept { return last_; }
    std::size_t queued() const noexcept { return queue_.size(); }
    std::size_t away() const noexcept { return away_.get(); }
    std::size_t log_bytes() const noexcept { return log_bytes_.get(); }

    /// An event for all that `target` means, with its offset, and remembered. Volatile ones are
    /// not, but carry the last offset where a client would take their last argument for one.
    Outgoing event(Format format, const std::string& nsp, const Target& target, Payload payload,
                   bool is_volatile);

    /// A socket begins: it gets a `pid`.
    void begin(const SocketPtr& socket);
    /// Its client has gone, maybe to return.
    void park(const SocketPtr& socket);
    /// `socket` carries on what `before` was.
    void resume(const SocketPtr& before, const SocketPtr& socket);
    /// It will not come back.
    void forget(Socket& socket);
    /// All that are away expire now.
    void expire_all();
    /// Lets go of every socket without a word: the broker ends.
    void clear() { by_pid_.clear(); }

    /// Who has this pid, connected or away; null if nobody.
    SocketPtr find(std::string_view pid) const;
    /// What `socket` missed, in order; nothing if a part of it was dropped for want of room.
    std::optional<std::vector<Outgoing>> missed(const Socket& socket) const;

private:
    struct Entry {
        Offset offset;
        TimePoint at;
        Target target;
        Outgoing packet;
        std::size_t bytes;
    };
    struct Away {
        TimePoint since;
        std::string pid;
    };

    void remember(Offset offset, const Target& target, const Outgoing& packet);
    void drop_oldest();
    /// Takes the first of the queue off; who still is away expires.
    void expire_first();
    /// The socket that an entry of the queue still stands for; null if its client has returned.
    SocketPtr absent(const Away& entry) const;
    void sweep();
    void arm();

    const RecoveryOptions options_;
    Reactor& home_;
    Function<void(const SocketPtr&)> expire_;
    Offset last_;
    Offset lost_through_ = 0;  // dropped for want of room, though somebody might still need it
    std::deque<Entry> log_;
    std::deque<Away> queue_;  // in order of leaving; who returned meanwhile is taken out in bulk
    std::unordered_map<std::string, SocketPtr> by_pid_;
    Counter away_, log_bytes_;
    TimerId timer_;
};

}  // namespace moonwire::socketio
