// What scripts say of tokens: `ns:require_auth`, `socket:refresh`.
#include <cmath>

#include "core/base/incidents.hpp"
#include "core/script/api.hpp"
#include "core/script/authentication.hpp"
#include "core/script/namespace_object.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {
namespace {

constexpr const char* kCall = "ns:require_auth";

AuthDemand read_demand(lua_State* state, int index) {
    AuthDemand demand;
    if (lua_isnoneornil(state, index)) return demand;
    luaL_checktype(state, index, LUA_TTABLE);
    lua_pushnil(state);
    while (lua_next(state, index)) {
        const std::string_view name = text_at(state, -2);
        if (name == "roles") {
            demand.roles = read_roles(state, kCall);
        } else if (name == "optional" && lua_isboolean(state, -1)) {
            demand.optional = lua_toboolean(state, -1);
        } else if (name == "optional") {
            luaL_error(state, "%s: optional must be true or false", kCall);
        } else {
            luaL_error(state, "%s has no option '%s'", kCall,
                       name.empty() ? luaL_typename(state, -2) : lua_tostring(state, -2));
        }
        lua_pop(state, 1);
    }
    return demand;
}

int push_reason(lua_State* state, const std::string& why, const std::string& code = {}) {
    lua_pushnil(state);
    push_string(state, why);
    if (code.empty()) return 2;
    push_string(state, code);
    return 3;
}

/// What socket:refresh(token) returns once it is verified: the claims, or nil, why, code.
int finish_refresh(lua_State* state, const socketio::SocketPtr& socket, NamespaceVm& vm,
                   const plugin::Verdict& verdict) {
    if (!socket->connected()) return push_reason(state, "disconnected");
    if (const auto failure = vm.take_user(socket, vm.generation(), verdict, true)) {
        // Nobody is refused for it, as one who connects is, so it is told of here.
        report({.kind = IncidentKind::auth_failed,
                .address = socket->handshake().address,
                .user = socket->user(),
                .nsp = socket->nsp().name(),
                .detail = failure->code});
        return push_reason(state, failure->message, failure->code);
    }
    socket->set_user(user_of(state, socket));
    vm.watch_expiry(socket);
    push_socket(state, socket);
    push_socket_data(state, -1);
    lua_getfield(state, -1, "user");
    return 1;
}

}  // namespace

/// `ns:require_auth { roles = …, optional = … }`
int ns_require_auth(lua_State* state) {
    auto* object = to_object<NamespaceObject>(state, 1, kNamespaceMetatableKey);
    if (!object) luaL_typerror(state, 1, "namespace (called with ':'?)");
    Generation& generation = *object->generation;
    if (generation.phase() != Generation::Phase::loading)
        return luaL_error(state, "%s can only be used while the file loads", kCall);
    check_authenticator(state, kCall);
    if (generation.auth) return luaL_error(state, "a second %s", kCall);
    generation.auth = read_demand(state, 2);
    return 0;
}

/// `socket:refresh(expiry)`: true; `socket:refresh(token)`: the claims, or nil, why, code.
int socket_refresh(lua_State* state) {
    SocketObject* object = to_socket(state, 1);
    if (!object) return luaL_typerror(state, 1, "socket (called with ':'?)");
    Runtime& runtime = Runtime::of(state);
    NamespaceVm& vm = *runtime.owner;
    if (!object->is_connected()) return push_reason(state, "disconnected");
    const socketio::SocketPtr socket = object->socket;
    if (lua_type(state, 2) == LUA_TNUMBER) {
        const double expires = lua_tonumber(state, 2);
        luaL_argcheck(state, std::isfinite(expires) && expires > 0, 2,
                      "seconds since the epoch, or a token, expected");
        static_cast<ScriptSocket*>(socket->data())->expires = expires;
        vm.watch_expiry(socket);
        lua_pushboolean(state, true);
        return 1;
    }
    if (lua_type(state, 2) != LUA_TSTRING)
        return luaL_argerror(state, 2, "seconds since the epoch, or a token, expected");
    check_authenticator(state, "socket:refresh(token)");
    const auto& scheduler = runtime.scheduler;
    const WaitId wait = scheduler->begin_wait(state, "socket:refresh");
    vm.verify(std::string(text_at(state, 2)), socket->handshake().address,
              [weak = vm.weak_from_this(), wait, socket](plugin::Verdict verdict) {
                  const auto self = weak.lock();
                  if (!self || !self->runtime()) return;
                  self->runtime()->scheduler->end(
                      wait, [self, socket, verdict = std::move(verdict)](lua_State* L) {
                          return finish_refresh(L, socket, *self, verdict);
                      });
              });
    return lua_yield(state, 0);
}

}  // namespace moonwire::script
