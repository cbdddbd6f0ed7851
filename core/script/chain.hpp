#pragma once

#include <lua.hpp>
#include <memory>
#include <optional>
#include <string>

#include "core/base/clock.hpp"
#include "core/socketio/namespace.hpp"

namespace moonwire::script {

/// What `ns:to(room)`, `socket:broadcast()`, `namespace_of("/x")` and the like return: whom to
/// reach, and how. Immutable: each step makes a new one, so a script may keep and reuse any of
/// them.
struct Chain {
    enum class Scope {
        own,        // the script's namespace: all of a family's members
        socket,     // one socket
        of_socket,  // the namespace that one socket is in
        other,      // another namespace, by name
    };
    Scope scope = Scope::own;
    std::weak_ptr<socketio::Socket> socket;
    std::weak_ptr<socketio::Namespace> nsp;
    std::string sender;  // the socket's id, which its broadcasts leave out
    std::string other;
    socketio::Target target;
    bool is_volatile = false;
    bool compress = true;
    std::optional<Duration> timeout;

    engineio::SendOptions options() const {
        return {.is_volatile = is_volatile, .compress = compress};
    }
};

/// A broadcast `:call` without `:timeout` waits this long.
inline constexpr std::chrono::seconds kBroadcastCallTimeout{10};
/// And so long an `ask`.
inline constexpr std::chrono::seconds kAskTimeout{30};

// Methods of chains, namespaces and sockets alike: the first argument is any of them.
int chain_to(lua_State* state);
int chain_except(lua_State* state);
int chain_broadcast(lua_State* state);
int chain_volatile(lua_State* state);
int chain_compress(lua_State* state);
int chain_timeout(lua_State* state);
int chain_here(lua_State* state);
int chain_emit(lua_State* state);
int chain_call(lua_State* state);
int chain_fetch(lua_State* state);
int chain_count(lua_State* state);
int chain_join(lua_State* state);
int chain_leave(lua_State* state);
int chain_disconnect(lua_State* state);
int chain_server_emit(lua_State* state);
int chain_ask(lua_State* state);

const luaL_Reg* chain_methods();

/// The chain that the value at `index` is or stands for; raises for other values.
Chain read_chain(lua_State* state, int index);
/// Room names from the arguments `first` on: strings, or lists of them.
void read_rooms(lua_State* state, int first, std::vector<std::string>& rooms);
/// Pushes a chain to one socket of another namespace.
void push_remote_chain(lua_State* state, std::string nsp, std::string socket_id);

}  // namespace moonwire::script
