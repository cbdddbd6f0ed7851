#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/reactor.hpp"
#include "core/engineio/session.hpp"
#include "core/socketio/outgoing.hpp"
#include "core/socketio/room_table.hpp"

namespace moonwire::socketio {

/// Rooms, and the fan-out to their members: the in-memory adapter of one namespace.
///
/// The home reactor keeps the index that answers questions (who is in a room?). Each reactor keeps
/// a table of its own members, to which a broadcast's fan-out goes: one posted task a reactor,
/// whatever the number of members. Changes and broadcasts reach a reactor in the order in which
/// they were made. Every call is made on the home reactor.
class Adapter {
public:
    explicit Adapter(std::vector<Reactor*> reactors);

    /// In the rooms that the socket lists.
    void add(const SocketPtr& socket);
    /// Out of the rooms that the socket lists.
    void remove(const SocketPtr& socket);
    /// The socket is not in the room yet.
    void join(const SocketPtr& socket, std::string_view room);
    void leave(const SocketPtr& socket, std::string_view room);

    /// Sends to all that the target means, in no particular order.
    void broadcast(const Target& target, Outgoing packet, engineio::SendOptions options);

    const RoomTable& index() const noexcept { return index_; }
    /// As of the last change; any thread.
    std::uint64_t room_count() const noexcept { return rooms_.get(); }

private:
    /// The members on one reactor, touched only there; outlives the adapter in posted tasks.
    struct Local {
        Reactor& reactor;
        RoomTable members;
        std::size_t count = 0;  // kept on the home reactor: is there anyone to post for?
    };
    static void deliver(const Local& local, const Target& target, const Outgoing& packet,
                        engineio::SendOptions options);
    const std::shared_ptr<Local>& local_of(const SocketPtr& socket) const;

    RoomTable index_;
    Counter rooms_;
    std::vector<std::shared_ptr<Local>> locals_;  // by reactor index
};

}  // namespace moonwire::socketio
