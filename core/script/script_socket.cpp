#include "core/script/script_socket.hpp"

#include "core/script/json_decode.hpp"

namespace moonwire::script {
namespace {

ScriptSocket* data_of(const socketio::Socket& socket) {
    return static_cast<ScriptSocket*>(socket.data());
}

void set_text(lua_State* state, const char* name, std::string_view text) {
    push_string(state, text);
    lua_setfield(state, -2, name);
}

}  // namespace

void attach_socket(socketio::Socket& socket, std::string auth_json) {
    socket.set_data(std::make_unique<ScriptSocket>(std::move(auth_json)));
}

void carry_on_socket(lua_State* state, socketio::Socket& before, const socketio::SocketPtr& socket,
                     std::string auth_json) {
    attach_socket(*socket, std::move(auth_json));
    ScriptSocket* data = data_of(*socket);
    data->object = std::exchange(data_of(before)->object, LUA_NOREF);
    data->admitted = true;
    data->expires = data_of(before)->expires;
    if (data->object == LUA_NOREF) return;  // no script has seen it yet
    // The handshake that scripts may have looked at is the old one's.
    lua_rawgeti(state, LUA_REGISTRYINDEX, kHandshakesKey);
    lua_rawgeti(state, LUA_REGISTRYINDEX, data->object);
    static_cast<SocketObject*>(lua_touserdata(state, -1))->socket = socket;
    lua_pushnil(state);
    lua_rawset(state, -3);
    lua_pop(state, 1);
}

void push_socket(lua_State* state, const socketio::SocketPtr& socket) {
    ScriptSocket* data = data_of(*socket);
    if (data->object != LUA_NOREF) return lua_rawgeti(state, LUA_REGISTRYINDEX, data->object);
    push_object<SocketObject>(state, kSocketMetatableKey, socket);
    lua_pushvalue(state, -1);
    data->object = luaL_ref(state, LUA_REGISTRYINDEX);
}

std::string user_of(lua_State* state, const socketio::SocketPtr& socket) {
    std::string user;
    if (data_of(*socket)->object == LUA_NOREF) return user;  // no script has seen it yet
    const auto read = Vm::protect(state, 0, [&](lua_State* L) {
        push_socket(L, socket);
        if (!to_socket(L, -1)->has_data) return 0;
        lua_getfenv(L, -1);
        push_field(L, "user");
        for (const char* name : {"id", "sub"}) {
            push_field(L, name);
            if (lua_isstring(L, -1)) {  // or a number
                user = check_text(L, -1);
                return 0;
            }
            lua_pop(L, 1);
        }
        return 0;
    });
    return read ? user : std::string();
}

void release_socket(lua_State* state, socketio::Socket& socket) {
    ScriptSocket* data = data_of(socket);
    if (!data || data->object == LUA_NOREF) return;
    lua_rawgeti(state, LUA_REGISTRYINDEX, data->object);
    auto& object = *static_cast<SocketObject*>(lua_touserdata(state, -1));
    lua_pop(state, 1);
    luaL_unref(state, LUA_REGISTRYINDEX, std::exchange(data->object, LUA_NOREF));
    object.left = std::make_unique<LeftSocket>(LeftSocket{
        socket.id(), socket.nsp().weak_from_this(), socket.nsp().name(), socket.nsp().params(),
        socket.session().handshake(), data->auth_json, socket.session().transport()});
    // Maybe the last reference: `socket` must not be used after this.
    object.socket.reset();
}

void push_socket_data(lua_State* state, int index) {
    if (index < 0) index += lua_gettop(state) + 1;
    SocketObject& object = *to_socket(state, index);
    if (!object.has_data) {
        lua_newtable(state);
        lua_setfenv(state, index);
        object.has_data = true;
    }
    lua_getfenv(state, index);
}

SocketObject* to_socket(lua_State* state, int index) {
    return to_object<SocketObject>(state, index, kSocketMetatableKey);
}

void push_pairs(lua_State* state, const std::vector<std::pair<std::string, std::string>>& pairs) {
    lua_createtable(state, 0, static_cast<int>(pairs.size()));
    for (const auto& [name, value] : pairs) {
        push_string(state, name);
        push_string(state, value);
        lua_rawset(state, -3);
    }
}

void push_handshake(lua_State* state, const engineio::Handshake& handshake,
                    const std::string& auth_json) {
    lua_createtable(state, 0, 9);
    push_pairs(state, handshake.headers);
    lua_setfield(state, -2, "headers");
    push_pairs(state, handshake.query);
    lua_setfield(state, -2, "query");
    // It was checked at CONNECT; only memory can run out here.
    if (auto decoded = decode_json(state, auth_json); !decoded)
        luaL_error(state, "%s", decoded.error().message.c_str());
    lua_setfield(state, -2, "auth");
    set_text(state, "address", handshake.address);
    set_text(state, "url", handshake.url);
    lua_pushboolean(state, handshake.secure);
    lua_setfield(state, -2, "secure");
    if (!handshake.client_certificate.empty())
        set_text(state, "client_certificate", handshake.client_certificate);
    lua_pushboolean(state, handshake.cross_origin);
    lua_setfield(state, -2, "xdomain");
    lua_pushnumber(state, handshake.issued);
    lua_setfield(state, -2, "issued");
    push_string(state, iso_time(handshake.issued));
    lua_setfield(state, -2, "time");
}

}  // namespace moonwire::script
