#include "core/script/chain.hpp"

#include "core/script/api.hpp"
#include "core/script/namespace_object.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {
namespace {

int push_chain(lua_State* state, Chain chain) {
    push_object<Chain>(state, kChainMetatableKey, std::move(chain));
    return 1;
}

/// Steps that name receivers turn a socket into a broadcast without that socket.
Chain read_broadcast(lua_State* state) {
    Chain chain = read_chain(state, 1);
    if (chain.scope == Chain::Scope::socket) {
        chain.scope = Chain::Scope::of_socket;
        chain.target.except.push_back(chain.sender);
    }
    return chain;
}

void add_room(lua_State* state, int index, std::vector<std::string>& rooms) {
    if (lua_type(state, index) != LUA_TSTRING && lua_type(state, index) != LUA_TNUMBER)
        luaL_error(state, "a room is a string, not a %s", luaL_typename(state, index));
    std::size_t length = 0;
    lua_pushvalue(state, index);  // lua_tolstring would change a number in its table
    const char* text = lua_tolstring(state, -1, &length);
    rooms.emplace_back(text, length);
    lua_pop(state, 1);
}

int index_chain(lua_State* state) {
    find_member(state, "chain");
    return 1;
}

/// `namespace_of("/other")`
int namespace_of(lua_State* state) {
    const std::string_view name = check_text(state, 1);
    luaL_argcheck(state, name.starts_with('/'), 1, "a namespace starts with '/'");
    Chain chain;
    chain.scope = Chain::Scope::other;
    chain.other = name;
    return push_chain(state, std::move(chain));
}

/// Methods of what fetch() returns for another namespace: the same, aimed at that one socket.
template <lua_CFunction Method>
int remote_method(lua_State* state) {
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_getfield(state, 1, "nsp");
    lua_getfield(state, 1, "id");
    std::string nsp(check_text(state, -2)), id(check_text(state, -1));
    lua_pop(state, 2);
    push_remote_chain(state, std::move(nsp), std::move(id));
    lua_replace(state, 1);
    return Method(state);
}

}  // namespace

Chain read_chain(lua_State* state, int index) {
    if (const auto* chain = to_object<Chain>(state, index, kChainMetatableKey)) return *chain;
    Chain chain;
    if (to_object<NamespaceObject>(state, index, kNamespaceMetatableKey)) return chain;
    const SocketObject* socket = to_socket(state, index);
    if (!socket) luaL_typerror(state, index, "namespace, socket or chain (called with ':'?)");
    chain.scope = Chain::Scope::socket;
    chain.socket = socket->socket;
    chain.nsp = socket->nsp();
    chain.sender = socket->id();
    return chain;
}

void read_rooms(lua_State* state, int first, std::vector<std::string>& rooms) {
    luaL_checkany(state, first);
    for (int i = first, top = lua_gettop(state); i <= top; ++i) {
        if (!lua_istable(state, i)) {
            add_room(state, i, rooms);
            continue;
        }
        const auto count = static_cast<int>(lua_objlen(state, i));
        for (int k = 1; k <= count; ++k) {
            lua_rawgeti(state, i, k);
            add_room(state, lua_gettop(state), rooms);
            lua_pop(state, 1);
        }
    }
}

int chain_to(lua_State* state) {
    // ns:to(room) is what busy handlers say most: they get the chain that the last one was given.
    const bool plain = lua_gettop(state) == 2 && lua_type(state, 2) == LUA_TSTRING &&
                       to_object<NamespaceObject>(state, 1, kNamespaceMetatableKey);
    if (plain) {
        lua_rawgeti(state, LUA_REGISTRYINDEX, kRoomChainsKey);
        lua_pushvalue(state, 2);
        lua_rawget(state, 3);
        if (!lua_isnil(state, -1)) return 1;
        lua_settop(state, 2);
    }
    Chain chain = read_broadcast(state);
    const std::size_t before = chain.target.rooms.size();
    read_rooms(state, 2, chain.target.rooms);
    // An empty list means nobody; the adapter takes no rooms for everybody.
    if (before == chain.target.rooms.size() && before == 0)
        return luaL_error(state, "to() needs at least one room");
    push_chain(state, std::move(chain));
    if (plain) {
        lua_rawgeti(state, LUA_REGISTRYINDEX, kRoomChainsKey);
        lua_pushvalue(state, 2);
        lua_pushvalue(state, 3);
        lua_rawset(state, -3);
        lua_pop(state, 1);
    }
    return 1;
}

int chain_except(lua_State* state) {
    Chain chain = read_broadcast(state);
    read_rooms(state, 2, chain.target.except);
    return push_chain(state, std::move(chain));
}

int chain_broadcast(lua_State* state) { return push_chain(state, read_broadcast(state)); }

int chain_here(lua_State* state) {
    Chain chain = read_broadcast(state);
    chain.target.here = true;
    return push_chain(state, std::move(chain));
}

int chain_volatile(lua_State* state) {
    Chain chain = read_chain(state, 1);
    chain.is_volatile = true;
    return push_chain(state, std::move(chain));
}

int chain_compress(lua_State* state) {
    luaL_checktype(state, 2, LUA_TBOOLEAN);
    Chain chain = read_chain(state, 1);
    chain.compress = lua_toboolean(state, 2);
    return push_chain(state, std::move(chain));
}

int chain_timeout(lua_State* state) {
    Chain chain = read_chain(state, 1);
    chain.timeout = check_seconds(state, 2);
    return push_chain(state, std::move(chain));
}

void push_remote_chain(lua_State* state, std::string nsp, std::string socket_id) {
    Chain chain;
    chain.scope = Chain::Scope::other;
    chain.other = std::move(nsp);
    chain.target.rooms.push_back(std::move(socket_id));
    push_chain(state, std::move(chain));
}

const luaL_Reg* chain_methods() {
    static const luaL_Reg methods[] = {{"to", chain_to},
                                       {"except", chain_except},
                                       {"broadcast", chain_broadcast},
                                       {"volatile", chain_volatile},
                                       {"compress", chain_compress},
                                       {"timeout", chain_timeout},
                                       {"here", chain_here},
                                       {"emit", chain_emit},
                                       {"call", chain_call},
                                       {"fetch", chain_fetch},
                                       {"count", chain_count},
                                       {"join", chain_join},
                                       {"leave", chain_leave},
                                       {"disconnect", chain_disconnect},
                                       {"server_emit", chain_server_emit},
                                       {"ask", chain_ask},
                                       {nullptr, nullptr}};
    return methods;
}

void register_chains(lua_State* state) {
    make_metatable(state, kChainMetatableKey, "chain", collect_object<Chain>, index_chain,
                   chain_methods(), nullptr);

    lua_newtable(state);
    lua_newtable(state);
    lua_pushliteral(state, "v");
    lua_setfield(state, -2, "__mode");
    lua_setmetatable(state, -2);
    lua_rawseti(state, LUA_REGISTRYINDEX, kRoomChainsKey);

    const luaL_Reg remote[] = {{"emit", remote_method<chain_emit>},
                               {"call", remote_method<chain_call>},
                               {"join", remote_method<chain_join>},
                               {"leave", remote_method<chain_leave>},
                               {"disconnect", remote_method<chain_disconnect>},
                               {nullptr, nullptr}};
    lua_newtable(state);
    lua_newtable(state);
    luaL_register(state, nullptr, remote);
    lua_setfield(state, -2, "__index");
    lua_pushliteral(state, "remote socket");
    lua_setfield(state, -2, "__metatable");
    lua_rawseti(state, LUA_REGISTRYINDEX, kRemoteSocketMetatableKey);
}

void install_sending(lua_State* state) {
    const luaL_Reg functions[] = {{"namespace_of", namespace_of}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
}

}  // namespace moonwire::script
