#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/script/lua_tools.hpp"
#include "core/script/relay.hpp"
#include "core/socketio/namespace.hpp"

namespace moonwire::script {

/// Largest `auth` of a CONNECT: it is kept as long as the socket.
inline constexpr std::size_t kMaxAuthBytes = 64 * 1024;

/// What a script still sees of a socket that left.
struct LeftSocket {
    std::string id;
    std::weak_ptr<socketio::Namespace> nsp;
    std::string nsp_name;
    std::map<std::string, std::string> params;
    std::shared_ptr<const engineio::Handshake> handshake;
    std::string auth_json;
    engineio::TransportKind transport;
};

/// The socket userdata: one a socket, with `socket.data` as its Lua environment. It owns the socket
/// until that leaves, and then what LeftSocket keeps: a script that holds on to it holds no
/// connection.
struct SocketObject {
    socketio::SocketPtr socket;
    std::unique_ptr<LeftSocket> left = nullptr;
    bool has_data = false;

    const std::string& id() const { return socket ? socket->id() : left->id; }
    bool is_connected() const { return socket && socket->connected(); }
    std::weak_ptr<socketio::Namespace> nsp() const {
        return socket ? socket->nsp().weak_from_this() : left->nsp;
    }
};

/// What hangs on the socketio socket: where Lua keeps the userdata, and what CONNECT brought.
/// Destroyed with the socket on any thread, so it touches no Lua: `release_socket` does.
class ScriptSocket final : public socketio::SocketData {
public:
    explicit ScriptSocket(std::string auth) : auth_json(std::move(auth)) {}
    const std::string auth_json;
    int object = LUA_NOREF;  // in the registry
    bool admitted = false;   // middleware is done
    double expires = 0;      // its token, in seconds since the epoch; 0: never
    TimerId expiry;          // while it is connected
    // What is left of the rates of the generation's relays.
    std::uint64_t relay_generation = 0;
    std::vector<TokenBucket> relay_rates;
};

/// Before the first handler sees the socket.
void attach_socket(socketio::Socket& socket, std::string auth_json);
/// The client of `before` came back as `socket`: the userdata, with its data, is the new one's.
/// `auth_json` is what CONNECT brought this time. Home reactor; raises nothing.
void carry_on_socket(lua_State* state, socketio::Socket& before, const socketio::SocketPtr& socket,
                     std::string auth_json);
/// Pushes the socket's userdata. Protected.
void push_socket(lua_State* state, const socketio::SocketPtr& socket);
/// What `socket.data.user` calls itself: its `id` or `sub`, a text or a number; else nothing. Home
/// reactor; raises nothing.
std::string user_of(lua_State* state, const socketio::SocketPtr& socket);
/// Lets go of a socket that left or was refused. Home reactor; raises nothing.
void release_socket(lua_State* state, socketio::Socket& socket);

/// Pushes the `data` of the socket's userdata at `index`. Protected.
void push_socket_data(lua_State* state, int index);

SocketObject* to_socket(lua_State* state, int index);

/// Pushes the `handshake` table. Protected.
void push_handshake(lua_State* state, const engineio::Handshake& handshake,
                    const std::string& auth_json);
/// Pushes a table of names and values. Protected.
void push_pairs(lua_State* state, const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace moonwire::script
