#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/reactor.hpp"
#include "core/engineio/session.hpp"
#include "core/socketio/outgoing.hpp"
#include "core/socketio/room_table.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::socketio {

/// Whom a broadcast or a bulk operation means. A socket's id is a room of its own.
struct Target {
    std::vector<std::string> rooms;   // members of any; empty: everyone
    std::vector<std::string> except;  // but not members of any of these
};

/// Rooms, and the fan-out to their members: the in-memory adapter of one namespace.
///
/// The home reactor keeps the index that answers questions (who is in a room?). Each reactor keeps
/// a table of its own members, to which a broadcast's fan-out goes: one posted task a reactor,
/// whatever the number of members. Changes reach a reactor in the order they were made.
class Adapter {
public:
    Adapter(Reactor& home, std::vector<Reactor*> reactors);

    // Home reactor.
    void add(const SocketPtr& socket);
    void remove(const SocketPtr& socket);
    void join(const SocketPtr& socket, std::string_view room);
    void leave(const SocketPtr& socket, std::string_view room);
    std::vector<SocketPtr> select(const Target& target) const;
    std::size_t count(const Target& target) const;
    std::size_t room_count() const noexcept;
    std::vector<std::string> room_names() const;
    void broadcast(const Target& target, Outgoing packet, engineio::SendOptions options);

private:
    /// The members on one reactor; touched only there.
    struct Local {
        RoomTable members;
    };
    Reactor& home_;
    const std::vector<Reactor*> reactors_;
    RoomTable index_;
    std::vector<std::shared_ptr<Local>> locals_;  // by reactor index
};

}  // namespace moonwire::socketio
