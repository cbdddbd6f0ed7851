#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/script/api.hpp"
#include "core/script/chain.hpp"
#include "core/script/emit_checks.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_object.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {
namespace {

using Namespaces = std::vector<std::shared_ptr<socketio::Namespace>>;
using socketio::Group;
using socketio::OwnedPayload;
using socketio::Payload;
using socketio::Target;

int push_nil_and(lua_State* state, const char* why) {
    lua_pushnil(state);
    lua_pushstring(state, why);
    return 2;
}

/// Whom a broadcast reaches; nothing if it is for another namespace and there is none.
std::optional<Group> reach_of(NamespaceVm& owner, const Chain& chain) {
    if (chain.scope == Chain::Scope::own) return owner.group();
    if (chain.scope == Chain::Scope::other) return owner.server().group(chain.other);
    if (auto nsp = chain.nsp.lock()) return Group(std::move(nsp));
    return Group(owner.name(), owner.home(), nullptr, {}, nullptr);
}

int no_such_namespace(lua_State* state, const Chain& chain) {
    lua_pushnil(state);
    lua_pushfstring(state, "no such namespace %s", chain.other.c_str());
    return 2;
}

/// Encodes the event at `index` and the arguments after it into the Runtime's buffer.
Payload encode_event(lua_State* state, int index) {
    Encoded& encoded = Runtime::of(state).encoded;
    const std::string_view event = check_text(state, index);
    if (event.empty() || socketio::is_reserved_event(event))
        luaL_error(state, "'%s' is no name for an event", lua_tostring(state, index));
    encoded.clear();
    if (auto done = encode_json_array(state, event, index + 1, lua_gettop(state), encoded); !done)
        luaL_error(state, "%s", done.error().message.c_str());
    return {encoded.json, encoded.attachments};
}

/// encode_event for clients of this namespace.
Payload encode_for_clients(lua_State* state, int index) {
    const Payload payload = encode_event(state, index);
    Runtime& runtime = Runtime::of(state);
    if (runtime.limits.check_emits) check_emitted(state, runtime.owner->generation(), index);
    return payload;
}

/// The socket of a chain that is about one. Null if it has left.
socketio::SocketPtr live_socket(const Chain& chain) {
    auto socket = chain.socket.lock();
    return socket && socket->connected() ? socket : nullptr;
}

/// In middleware a socket may join rooms before it is in.
bool is_being_admitted(const socketio::Socket& socket) {
    const auto* data = static_cast<const ScriptSocket*>(socket.data());
    return data && !data->admitted;
}

NamespaceVm& owner_of(lua_State* state, const char* call) {
    Runtime& runtime = Runtime::of(state);
    runtime.refuse_while_loading(state, call);
    return *runtime.owner;
}

/// Ends a wait on the asker's reactor, from whichever reactor the answer comes.
struct Waiter {
    std::weak_ptr<Scheduler> scheduler;
    Reactor* home;
    WaitId wait;

    void end(Pusher push) {
        home->run(
            [scheduler = std::move(scheduler), wait = wait, push = std::move(push)]() mutable {
                if (const auto alive = scheduler.lock()) alive->end(wait, std::move(push));
            });
    }
};

Waiter begin_wait(lua_State* state, const char* call) {
    const auto& scheduler = Runtime::of(state).scheduler;
    const WaitId wait = scheduler->begin_wait(state, call);
    return {scheduler, &scheduler->home(), wait};
}

/// `event` is what was asked, if the answer is to be held against its declaration.
bool end_call(Waiter waiter, const std::string& event, socketio::AckOutcome outcome,
              Payload payload) {
    const bool answered = outcome == socketio::AckOutcome::answered;
    const bool valid = !answered || is_valid_json(payload.json);
    if (answered && valid) {
        waiter.end([reply = OwnedPayload(payload), event](lua_State* state) {
            auto count = decode_json_array(state, reply.json, reply.attachments, 0);
            if (!count) return push_nil_and(state, count.error().message.c_str());
            if (!event.empty())
                check_reply(state, Runtime::of(state).owner->generation(), event, *count);
            return *count;
        });
    } else {
        const char* why = outcome == socketio::AckOutcome::timeout      ? "timeout"
                          : outcome == socketio::AckOutcome::overloaded ? "busy"
                                                                        : "disconnected";
        waiter.end([why](lua_State* state) { return push_nil_and(state, why); });
    }
    return valid;
}

int call_socket(lua_State* state, const Chain& chain) {
    const Payload payload = encode_for_clients(state, 2);
    const auto socket = live_socket(chain);
    if (!socket) return push_nil_and(state, "disconnected");
    std::string event(Runtime::of(state).limits.check_emits ? text_at(state, 2) : std::string_view());
    socket->call(payload, chain.timeout,
                 [waiter = begin_wait(state, "call"), event = std::move(event)](
                     socketio::AckOutcome outcome, Payload reply) {
                     return end_call(waiter, event, outcome, reply);
                 });
    return lua_yield(state, 0);
}

/// The replies that a broadcast gathers, over all members of a family.
struct Replies {
    socketio::BroadcastReplies values;
    bool complete = true;
    std::size_t pending = 0;
};

int push_replies(lua_State* state, const Replies& replies) {
    lua_newtable(state);
    mark_array(state, -1);
    const int list = lua_gettop(state);
    int n = 0;
    for (const OwnedPayload& reply : replies.values) {
        auto count = decode_json_array(state, reply.json, reply.attachments, 0);
        if (!count) continue;  // a client's nonsense is no reply
        if (*count == 0) push_null(state);
        lua_settop(state, list + 1);
        lua_rawseti(state, list, ++n);
    }
    if (replies.complete) return 1;
    lua_pushliteral(state, "timeout");
    return 2;
}

int call_broadcast(lua_State* state, NamespaceVm& owner, const Chain& chain) {
    const bool elsewhere = chain.scope == Chain::Scope::other;
    OwnedPayload payload(elsewhere ? encode_event(state, 2) : encode_for_clients(state, 2));
    const auto group = reach_of(owner, chain);
    if (!group) return no_such_namespace(state, chain);
    if (group->members().empty()) return push_replies(state, {});
    const Duration timeout = chain.timeout.value_or(kBroadcastCallTimeout);
    group->home().run([namespaces = group->members(), payload = std::move(payload),
                       target = chain.target, timeout, waiter = begin_wait(state, "call")] {
        auto replies = std::make_shared<Replies>();
        replies->pending = namespaces.size();
        for (const auto& nsp : namespaces) {
            nsp->broadcast_call(
                target, payload.view(), timeout,
                [replies, waiter](socketio::BroadcastReplies values, bool complete) mutable {
                    for (auto& value : values) replies->values.push_back(std::move(value));
                    replies->complete &= complete;
                    if (--replies->pending > 0) return;
                    waiter.end([replies](lua_State* L) { return push_replies(L, *replies); });
                });
        }
    });
    return lua_yield(state, 0);
}

/// A socket of another namespace, as far as it can be told here.
struct RemoteSocket {
    std::string id, nsp;
    std::vector<std::string> rooms;
    std::shared_ptr<const engineio::Handshake> handshake;
    std::string auth_json;
};

void set_text(lua_State* state, const char* name, const std::string& text) {
    push_string(state, text);
    lua_setfield(state, -2, name);
}

int push_remote_sockets(lua_State* state, const std::vector<RemoteSocket>& sockets) {
    lua_createtable(state, static_cast<int>(sockets.size()), 0);
    mark_array(state, -1);
    int n = 0;
    for (const RemoteSocket& socket : sockets) {
        lua_createtable(state, 0, 4);
        set_text(state, "id", socket.id);
        set_text(state, "nsp", socket.nsp);
        lua_newtable(state);
        mark_array(state, -1);
        for (std::size_t i = 0; i < socket.rooms.size(); ++i) {
            push_string(state, socket.rooms[i]);
            lua_rawseti(state, -2, static_cast<int>(i) + 1);
        }
        lua_setfield(state, -2, "rooms");
        push_handshake(state, *socket.handshake, socket.auth_json);
        lua_setfield(state, -2, "handshake");
        lua_rawgeti(state, LUA_REGISTRYINDEX, kRemoteSocketMetatableKey);
        lua_setmetatable(state, -2);
        lua_rawseti(state, -2, ++n);
    }
    return 1;
}

std::vector<RemoteSocket> describe_sockets(const Namespaces& namespaces, const Target& target) {
    std::vector<RemoteSocket> sockets;
    for (const auto& nsp : namespaces) {
        for (const socketio::SocketPtr& socket : nsp->select(target)) {
            RemoteSocket remote{
                socket->id(), nsp->name(), {socket->id()}, socket->session().handshake(), "{}"};
            remote.rooms.insert(remote.rooms.end(), socket->rooms().begin(), socket->rooms().end());
            if (const auto* data = dynamic_cast<const ScriptSocket*>(socket->data()))
                remote.auth_json = data->auth_json;
            sockets.push_back(std::move(remote));
        }
    }
    return sockets;
}

int fetch_here(lua_State* state, const Namespaces& namespaces, const Target& target) {
    lua_newtable(state);
    mark_array(state, -1);
    int n = 0;
    for (const auto& nsp : namespaces) {
        for (const socketio::SocketPtr& socket : nsp->select(target)) {
            push_socket(state, socket);
            lua_rawseti(state, -2, ++n);
        }
    }
    return 1;
}

std::size_t count_members(const Namespaces& namespaces, const Target& target) {
    std::size_t count = 0;
    for (const auto& nsp : namespaces) count += nsp->count(target);
    return count;
}

int done(lua_State* state) {
    lua_pushboolean(state, 1);
    return 1;
}

/// Does `act(group, target)` for all that the chain reaches, on their reactor.
template <typename Act>
int act_on(lua_State* state, NamespaceVm& owner, const Chain& chain, Act act) {
    auto group = reach_of(owner, chain);
    if (!group) return no_such_namespace(state, chain);
    Reactor& home = group->home();
    home.run([group = *std::move(group), target = chain.target, act = std::move(act)] {
        act(group, target);
    });
    return done(state);
}

using RoomOperation = void (Group::*)(const Target&, const std::vector<std::string>&) const;
using SocketRoomOperation = bool (*)(socketio::Socket&, std::string_view);

int change_rooms(lua_State* state, const char* call, RoomOperation all, SocketRoomOperation one) {
    NamespaceVm& owner = owner_of(state, call);
    const Chain chain = read_chain(state, 1);
    std::vector<std::string> rooms;
    read_rooms(state, 2, rooms);
    if (chain.scope != Chain::Scope::socket) {
        return act_on(state, owner, chain,
                      [rooms = std::move(rooms), all](const Group& group, const Target& target) {
                          (group.*all)(target, rooms);
                      });
    }
    const auto socket = chain.socket.lock();
    if (!socket || !(socket->connected() || is_being_admitted(*socket)))
        return push_nil_and(state, "disconnected");
    for (const std::string& room : rooms)
        if (!one(*socket, room)) return push_nil_and(state, "too many rooms");
    return done(state);
}

}  // namespace

int chain_emit(lua_State* state) {
    NamespaceVm& owner = owner_of(state, "emit");
    // The two commonest forms send without making a chain.
    if (const SocketObject* socket = to_socket(state, 1)) {
        const Payload payload = encode_for_clients(state, 2);
        if (!socket->is_connected()) return push_nil_and(state, "disconnected");
        socket->socket->emit(payload);
        return done(state);
    }
    const auto* chain = to_object<Chain>(state, 1, kChainMetatableKey);
    if (!chain) {
        if (!to_object<NamespaceObject>(state, 1, kNamespaceMetatableKey))
            return luaL_typerror(state, 1, "namespace, socket or chain (called with ':'?)");
        owner.broadcast({}, encode_for_clients(state, 2), {});
        return done(state);
    }
    const bool elsewhere = chain->scope == Chain::Scope::other;  // with declarations of its own
    const Payload payload = elsewhere ? encode_event(state, 2) : encode_for_clients(state, 2);
    switch (chain->scope) {
        case Chain::Scope::own: owner.broadcast(chain->target, payload, chain->options()); break;
        case Chain::Scope::of_socket:
            if (const auto nsp = chain->nsp.lock())
                nsp->broadcast(chain->target, payload, chain->options());
            break;
        case Chain::Scope::socket: {
            const auto socket = live_socket(*chain);
            if (!socket) return push_nil_and(state, "disconnected");
            socket->emit(payload, chain->options());
            break;
        }
        case Chain::Scope::other:
            return act_on(state, owner, *chain,
                          [owned = OwnedPayload(payload), options = chain->options()](
                              const Group& group, const Target& target) {
                              group.broadcast(target, owned.view(), options);
                          });
    }
    return done(state);
}

int chain_call(lua_State* state) {
    NamespaceVm& owner = owner_of(state, "call");
    const Chain chain = read_chain(state, 1);
    return chain.scope == Chain::Scope::socket ? call_socket(state, chain)
                                               : call_broadcast(state, owner, chain);
}

int chain_fetch(lua_State* state) {
    NamespaceVm& owner = owner_of(state, "fetch");
    const Chain chain = read_chain(state, 1);
    if (chain.scope == Chain::Scope::socket) return luaL_error(state, "fetch is for broadcasts");
    const auto group = reach_of(owner, chain);
    if (!group) return no_such_namespace(state, chain);
    if (chain.scope != Chain::Scope::other)
        return fetch_here(state, group->members(), chain.target);
    group->home().run([namespaces = group->members(), target = chain.target,
                       waiter = begin_wait(state, "fetch")]() mutable {
        waiter.end([sockets = describe_sockets(namespaces, target)](lua_State* L) {
            return push_remote_sockets(L, sockets);
        });
    });
    return lua_yield(state, 0);
}

int chain_count(lua_State* state) {
    NamespaceVm& owner = owner_of(state, "count");
    const Chain chain = read_chain(state, 1);
    if (chain.scope == Chain::Scope::socket) return luaL_error(state, "count is for broadcasts");
    const auto group = reach_of(owner, chain);
    if (!group) return no_such_namespace(state, chain);
    if (chain.scope != Chain::Scope::other) {
        lua_pushnumber(state, static_cast<double>(count_members(group->members(), chain.target)));
        return 1;
    }
    group->home().run([namespaces = group->members(), target = chain.target,
                       waiter = begin_wait(state, "count")]() mutable {
        waiter.end([count = count_members(namespaces, target)](lua_State* L) {
            lua_pushnumber(L, static_cast<double>(count));
            return 1;
        });
    });
    return lua_yield(state, 0);
}

int chain_join(lua_State* state) {
    return change_rooms(
        state, "join", &Group::join,
        [](socketio::Socket& socket, std::string_view room) { return socket.join(room); });
}

int chain_leave(lua_State* state) {
    return change_rooms(state, "leave", &Group::leave,
                        [](socketio::Socket& socket, std::string_view room) {
                            socket.leave(room);
                            return true;
                        });
}

int chain_disconnect(lua_State* state) {
    NamespaceVm& owner = owner_of(state, "disconnect");
    const Chain chain = read_chain(state, 1);
    const bool close = lua_toboolean(state, 2);
    if (chain.scope != Chain::Scope::socket) {
        return act_on(state, owner, chain, [close](const Group& group, const Target& target) {
            group.disconnect(target, close);
        });
    }
    const auto socket = live_socket(chain);
    if (!socket) return push_nil_and(state, "disconnected");
    socket->disconnect(close);
    return done(state);
}

int chain_server_emit(lua_State* state) {
    NamespaceVm& owner = owner_of(state, "server_emit");
    const Chain chain = read_chain(state, 1);
    OwnedPayload payload(encode_event(state, 2));
    if (chain.scope == Chain::Scope::socket)
        return luaL_error(state, "server_emit is for namespaces");
    if (chain.scope != Chain::Scope::other) {  // this namespace: on the other nodes only
        if (!chain.target.here) owner.group().server_emit(payload.view());
        return done(state);
    }
    // Another one: on this node only, for its namesakes elsewhere have neighbours of their own.
    const std::string event(check_text(state, 2));
    if (const auto vm = owner.directory().find(chain.other)) {
        vm->home().post([vm, event, payload = std::move(payload)] {
            vm->on_server_event(event, payload.view());
        });
    } else if (const auto nsp = owner.server().find(chain.other)) {
        nsp->server_event(event, payload.view());
    } else {
        return no_such_namespace(state, chain);
    }
    return done(state);
}

}  // namespace moonwire::script
