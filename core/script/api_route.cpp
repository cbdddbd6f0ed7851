#include <cctype>

#include "core/script/api.hpp"
#include "core/script/schema.hpp"

namespace moonwire::script {
namespace {

bool is_method(std::string_view method) {
    for (const char* known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
        if (method == known) return true;
    return false;
}

/// Reads the `auth` on top: true, or "optional".
void read_auth(lua_State* state, Route& route) {
    const bool optional = text_at(state, -1) == "optional";
    if (!optional && !(lua_isboolean(state, -1) && lua_toboolean(state, -1)))
        luaL_error(state, "the route's auth must be true or \"optional\"");
    if (!route.auth) route.auth.emplace();
    route.auth->optional = optional;
}

/// Reads the options at 3.
void read_options(lua_State* state, Generation& generation, Route& route) {
    lua_pushnil(state);
    while (lua_next(state, 3)) {
        const std::string_view name = text_at(state, -2);
        if (name == "roles") {
            if (!route.auth) route.auth.emplace();
            route.auth->roles = read_roles(state, "route");
        } else if (name == "auth") {
            read_auth(state, route);
        } else if (name != "schema") {
            luaL_error(state, "route has no option '%s'", lua_tostring(state, -2));
        } else if (!is_schema(state, lua_gettop(state))) {
            luaL_error(state, "the route's schema is no schema");
        } else {
            route.schema = generation.keep(state);
            continue;  // it is popped
        }
        lua_pop(state, 1);
    }
    if (route.auth) check_authenticator(state, "a route with roles or auth");
}

/// `route(method, path, [options,] fn(request))`
int lua_route(lua_State* state) {
    Generation& generation = generation_of(state);
    if (generation.phase() != Generation::Phase::loading)
        return luaL_error(state, "route can only be used while a file loads");
    Route route;
    route.method = check_text(state, 1);
    for (char& c : route.method) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    luaL_argcheck(state, is_method(route.method), 1, "an HTTP method expected");
    std::string error;
    auto pattern = RoutePattern::parse(check_text(state, 2), error);
    if (!pattern) return luaL_argerror(state, 2, error.c_str());
    route.pattern = *std::move(pattern);
    lua_settop(state, lua_gettop(state) > 3 ? 4 : 3);
    const int handler = lua_gettop(state);
    luaL_checktype(state, handler, LUA_TFUNCTION);
    if (handler == 4) {
        luaL_checktype(state, 3, LUA_TTABLE);
        read_options(state, generation, route);
    }
    for (const Route& other : generation.routes) {
        if (other.same_as(route))
            return luaL_error(state, "a second route %s %s (the first is at %s)",
                              route.method.c_str(), lua_tostring(state, 2), other.position.c_str());
    }
    lua_pushvalue(state, handler);
    route.handler = generation.keep(state);
    route.position = caller_position(state);
    generation.routes.push_back(std::move(route));
    return 0;
}

}  // namespace

void install_routing(lua_State* state) {
    const luaL_Reg functions[] = {{"route", lua_route}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
}

}  // namespace moonwire::script
