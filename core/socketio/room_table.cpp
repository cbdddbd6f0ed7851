#include "core/socketio/room_table.hpp"

#include "core/socketio/socket.hpp"

namespace moonwire::socketio {

void RoomTable::add(const SocketPtr& socket) { sockets_.emplace(socket->id(), socket); }

void RoomTable::remove(const SocketPtr& socket, const std::vector<std::string>& rooms) {
    for (const std::string& room : rooms) leave(socket.get(), room);
    sockets_.erase(socket->id());
}

void RoomTable::join(Socket* socket, std::string_view room) {
    auto found = rooms_.find(room);
    if (found == rooms_.end()) found = rooms_.emplace(std::string(room), Members{}).first;
    found->second.push_back(socket);
}

void RoomTable::leave(Socket* socket, std::string_view room) {
    const auto found = rooms_.find(room);
    if (found == rooms_.end()) return;
    Members& members = found->second;
    const auto at = std::find(members.rbegin(), members.rend(), socket);
    if (at == members.rend()) return;
    *at = members.back();
    members.pop_back();
    if (members.empty()) rooms_.erase(found);
}

RoomTable::Members RoomTable::members_of(const std::vector<std::string>& rooms) const {
    Members members;
    for (const std::string& room : rooms) {
        if (const auto own = sockets_.find(room); own != sockets_.end())
            members.push_back(own->second.get());
        if (const auto found = rooms_.find(room); found != rooms_.end())
            members.insert(members.end(), found->second.begin(), found->second.end());
    }
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    return members;
}

std::vector<std::string> RoomTable::room_names() const {
    std::vector<std::string> names;
    names.reserve(rooms_.size());
    for (const auto& [name, members] : rooms_) names.push_back(name);
    return names;
}

}  // namespace moonwire::socketio
