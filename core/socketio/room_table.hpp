#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moonwire::socketio {

class Socket;
using SocketPtr = std::shared_ptr<Socket>;

/// Whom a broadcast or a bulk operation means. A socket's id is a room of its own.
struct Target {
    std::vector<std::string> rooms;   // members of any; empty: everyone
    std::vector<std::string> except;  // but not members of any of these
    bool here = false;                // of this node only; the table has no others anyway
};

/// Which sockets are in which rooms. Not thread-safe; one reactor's. An empty room is forgotten.
class RoomTable {
public:
    void add(const SocketPtr& socket);
    /// Out of its rooms, too: `rooms` are all that it is in.
    void remove(const SocketPtr& socket, const std::vector<std::string>& rooms);
    void join(Socket* socket, std::string_view room);
    void leave(Socket* socket, std::string_view room);

    /// Visits (a Socket&) each socket that the target means, once. The visitor must not change the
    /// table.
    template <typename Visitor>
    void for_each(const Target& target, Visitor&& visit) const;

    std::size_t size() const noexcept { return sockets_.size(); }
    std::size_t room_count() const noexcept { return rooms_.size(); }
    std::vector<std::string> room_names() const;

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    using Members = std::vector<Socket*>;

    /// Every member of these rooms, sorted, each once.
    Members members_of(const std::vector<std::string>& rooms) const;

    std::unordered_map<std::string_view, SocketPtr> sockets_;  // keys view the sockets' ids
    std::unordered_map<std::string, Members, Hash, std::equal_to<>> rooms_;
};

template <typename Visitor>
void RoomTable::for_each(const Target& target, Visitor&& visit) const {
    const Members excluded = members_of(target.except);
    const auto visit_unless_excluded = [&](Socket* socket) {
        if (!std::binary_search(excluded.begin(), excluded.end(), socket)) visit(*socket);
    };
    if (target.rooms.empty()) {
        for (const auto& [id, socket] : sockets_) visit_unless_excluded(socket.get());
    } else if (target.rooms.size() == 1 && rooms_.contains(target.rooms[0]) &&
               !sockets_.contains(target.rooms[0])) {
        // The common case, and the only large one: no list is made.
        for (Socket* socket : rooms_.find(target.rooms[0])->second) visit_unless_excluded(socket);
    } else {
        for (Socket* socket : members_of(target.rooms)) visit_unless_excluded(socket);
    }
}

}  // namespace moonwire::socketio
