#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/function.hpp"

namespace moonwire::socketio {

class Socket;
using SocketPtr = std::shared_ptr<Socket>;
struct Target;

/// Which sockets are in which rooms. Not thread-safe; one reactor's. An empty room is forgotten.
class RoomTable {
public:
    void add(const SocketPtr& socket);
    /// Out of every room, too.
    void remove(const SocketPtr& socket, const std::vector<std::string>& rooms);
    /// False if it was in there (join) or was not (leave) already.
    bool join(const SocketPtr& socket, std::string_view room);
    bool leave(const SocketPtr& socket, std::string_view room);

    /// Visits each socket that the target means once. The visitor must not change the table.
    template <typename Visitor>
    void for_each(const Target& target, Visitor&& visit) const;

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

    std::unordered_map<std::string_view, SocketPtr> sockets_;  // keys view the sockets' ids
    std::unordered_map<std::string, Members, Hash, std::equal_to<>> rooms_;
};

}  // namespace moonwire::socketio
