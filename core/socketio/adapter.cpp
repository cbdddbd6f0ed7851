#include "core/socketio/adapter.hpp"

#include "core/socketio/socket.hpp"

namespace moonwire::socketio {

Adapter::Adapter(std::vector<Reactor*> reactors) {
    for (Reactor* reactor : reactors)
        locals_.push_back(std::shared_ptr<Local>(new Local{*reactor, {}, 0}));
}

const std::shared_ptr<Adapter::Local>& Adapter::local_of(const SocketPtr& socket) const {
    return locals_[socket->session().reactor().index()];
}

void Adapter::add(const SocketPtr& socket) {
    index_.add(socket);
    const auto& local = local_of(socket);
    ++local->count;
    local->reactor.run([local, socket] { local->members.add(socket); });
    for (const std::string& room : socket->rooms()) join(socket, room);
}

void Adapter::remove(const SocketPtr& socket) {
    index_.remove(socket, socket->rooms());
    rooms_.set(index_.room_count());
    const auto& local = local_of(socket);
    --local->count;
    if (local->reactor.is_current()) {
        local->members.remove(socket, socket->rooms());
    } else {
        local->reactor.post([local, socket, rooms = socket->rooms()] {
            local->members.remove(socket, rooms);
        });
    }
}

void Adapter::join(const SocketPtr& socket, std::string_view room) {
    index_.join(socket.get(), room);
    rooms_.set(index_.room_count());
    const auto& local = local_of(socket);
    if (local->reactor.is_current()) {
        local->members.join(socket.get(), room);
    } else {
        local->reactor.post([local, socket, room = std::string(room)] {
            local->members.join(socket.get(), room);
        });
    }
}

void Adapter::leave(const SocketPtr& socket, std::string_view room) {
    index_.leave(socket.get(), room);
    rooms_.set(index_.room_count());
    const auto& local = local_of(socket);
    if (local->reactor.is_current()) {
        local->members.leave(socket.get(), room);
    } else {
        local->reactor.post([local, socket, room = std::string(room)] {
            local->members.leave(socket.get(), room);
        });
    }
}

void Adapter::broadcast(const Target& target, Outgoing packet, engineio::SendOptions options) {
    for (const auto& local : locals_) {
        if (local->count == 0) continue;
        if (local->reactor.is_current()) {
            deliver(*local, target, packet, options);
        } else {
            local->reactor.post(
                [local, target, packet, options] { deliver(*local, target, packet, options); });
        }
    }
}

void Adapter::deliver(const Local& local, const Target& target, const Outgoing& packet,
                      engineio::SendOptions options) {
    FanOut fan_out(packet, options);
    local.members.for_each(target, [&](Socket& socket) {
        if (socket.is_open()) fan_out.send(socket.session(), socket.wire_nsp());
    });
}

}  // namespace moonwire::socketio
