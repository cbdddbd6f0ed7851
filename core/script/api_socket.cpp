#include "core/script/api.hpp"
#include "core/script/chain.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {
namespace {

enum Field {
    kId = 1,
    kNsp,
    kParams,
    kHandshake,
    kData,
    kRooms,
    kRecovered,
    kTransport,
    kLatency,
    kConnected,
};
constexpr FieldName kFields[] = {{"id", kId},
                                 {"nsp", kNsp},
                                 {"params", kParams},
                                 {"handshake", kHandshake},
                                 {"data", kData},
                                 {"rooms", kRooms},
                                 {"recovered", kRecovered},
                                 {"transport", kTransport},
                                 {"latency", kLatency},
                                 {"connected", kConnected},
                                 {nullptr, 0}};

int push_params(lua_State* state, const std::map<std::string, std::string>& params) {
    lua_createtable(state, 0, static_cast<int>(params.size()));
    for (const auto& [name, value] : params) {
        push_string(state, name);
        push_string(state, value);
        lua_rawset(state, -3);
    }
    return 1;
}

/// Made when first asked for and remembered while a script holds it: few ask after middleware.
int push_handshake_of(lua_State* state, const SocketObject& object) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, kHandshakesKey);
    lua_pushvalue(state, 1);
    lua_rawget(state, -2);
    if (!lua_isnil(state, -1)) return 1;
    if (object.socket) {
        const auto* data = static_cast<const ScriptSocket*>(object.socket->data());
        push_handshake(state, object.socket->handshake(), data->auth_json);
    } else {
        push_handshake(state, *object.left->handshake, object.left->auth_json);
    }
    lua_pushvalue(state, 1);
    lua_pushvalue(state, -2);
    lua_rawset(state, -5);
    return 1;
}

int push_rooms(lua_State* state, const SocketObject& object) {
    lua_newtable(state);
    mark_array(state, -1);
    if (!object.is_connected() && !(object.socket && !object.socket->rooms().empty())) return 1;
    push_string(state, object.id());
    lua_rawseti(state, -2, 1);
    int n = 1;
    for (const std::string& room : object.socket->rooms()) {
        push_string(state, room);
        lua_rawseti(state, -2, ++n);
    }
    return 1;
}

int push_text(lua_State* state, std::string_view text) {
    push_string(state, text);
    return 1;
}

int push_latency(lua_State* state, const SocketObject& object) {
    const auto latency =
        object.socket ? object.socket->session().latency() : std::optional<Duration>();
    if (latency) lua_pushnumber(state, std::chrono::duration<double>(*latency).count());
    else lua_pushnil(state);
    return 1;
}

int index_socket(lua_State* state) {
    SocketObject* object = to_socket(state, 1);
    if (!object) return luaL_typerror(state, 1, "socket");
    const socketio::Socket* socket = object->socket.get();
    switch (find_member(state, "socket")) {
        case kId: return push_text(state, object->id());
        case kNsp: return push_text(state, socket ? socket->nsp().name() : object->left->nsp_name);
        case kParams:
            return push_params(state, socket ? socket->nsp().params() : object->left->params);
        case kHandshake: return push_handshake_of(state, *object);
        case kData: push_socket_data(state, 1); return 1;
        case kRooms: return push_rooms(state, *object);
        case kTransport:
            return push_text(
                state, to_string(socket ? socket->session().transport() : object->left->transport));
        case kLatency: return push_latency(state, *object);
        case kConnected: lua_pushboolean(state, object->is_connected()); return 1;
        case kRecovered: lua_pushboolean(state, socket && socket->recovered()); return 1;
        default: return 1;  // the method
    }
}

int set_socket_field(lua_State* state) {
    SocketObject* object = to_socket(state, 1);
    if (!object) return luaL_typerror(state, 1, "socket");
    const std::string_view name = text_at(state, 2);
    if (name != "data")
        return luaL_error(state, "socket.%s can't be set; socket.data is yours",
                          lua_tostring(state, 2));
    if (!lua_istable(state, 3)) return luaL_error(state, "socket.data must be a table");
    lua_settop(state, 3);
    lua_setfenv(state, 1);
    object->has_data = true;
    return 0;
}

int socket_to_string(lua_State* state) {
    const SocketObject* object = to_socket(state, 1);
    if (!object) return luaL_typerror(state, 1, "socket");
    lua_pushfstring(state, "socket %s", object->id().c_str());
    return 1;
}

}  // namespace

void register_sockets(lua_State* state) {
    const luaL_Reg methods[] = {{"join", chain_join},
                                {"leave", chain_leave},
                                {"disconnect", chain_disconnect},
                                {"emit", chain_emit},
                                {"call", chain_call},
                                {"to", chain_to},
                                {"except", chain_except},
                                {"broadcast", chain_broadcast},
                                {"timeout", chain_timeout},
                                {"volatile", chain_volatile},
                                {"compress", chain_compress},
                                {"here", chain_here},
                                {"refresh", socket_refresh},
                                {nullptr, nullptr}};
    make_metatable(state, kSocketMetatableKey, "socket", collect_object<SocketObject>, index_socket,
                   methods, kFields);
    lua_rawgeti(state, LUA_REGISTRYINDEX, kSocketMetatableKey);
    lua_pushcfunction(state, set_socket_field);
    lua_setfield(state, -2, "__newindex");
    lua_pushcfunction(state, socket_to_string);
    lua_setfield(state, -2, "__tostring");
    lua_pop(state, 1);

    lua_newtable(state);
    lua_newtable(state);
    lua_pushliteral(state, "kv");
    lua_setfield(state, -2, "__mode");
    lua_setmetatable(state, -2);
    lua_rawseti(state, LUA_REGISTRYINDEX, kHandshakesKey);
}

}  // namespace moonwire::script
