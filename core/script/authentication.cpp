#include "core/script/authentication.hpp"

#include <algorithm>
#include <cctype>
#include <lua.hpp>

#include "core/base/url.hpp"
#include "core/script/extensions.hpp"
#include "core/script/failure.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/runtime.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::script {
namespace {

constexpr std::size_t kMaxRoles = 100;

bool same_text(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
        return std::tolower(x) == std::tolower(y);
    });
}

/// The token of "Bearer TOKEN", or nothing.
std::string bearer(std::string_view authorization) {
    constexpr std::string_view kScheme = "bearer ";
    if (!same_text(authorization.substr(0, kScheme.size()), kScheme)) return {};
    authorization.remove_prefix(kScheme.size());
    const std::size_t start = authorization.find_first_not_of(' ');
    return start == authorization.npos ? std::string() : std::string(authorization.substr(start));
}

template <typename Pairs>
std::string token_among(const Pairs& query, const plugin::HttpHeaders& headers) {
    for (const auto& [name, value] : query)
        if (name == "token" && !value.empty()) return value;
    for (const auto& [name, value] : headers)
        if (same_text(name, "authorization")) return bearer(value);
    return {};
}

bool is_among(const std::vector<std::string>& roles, std::string_view role) {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
}

/// Pushes the field of the table at `index`, raw; nil if that is none.
void push_raw_field(lua_State* state, int index, const char* name) {
    if (!lua_istable(state, index)) return lua_pushnil(state);
    lua_pushstring(state, name);
    lua_rawget(state, index);
}

}  // namespace

void check_authenticator(lua_State* state, const char* call) {
    const auto& extensions = Runtime::of(state).limits.extensions;
    if (!extensions || !extensions->authenticator)
        luaL_error(state,
                   "%s needs a plugin that verifies tokens, and none is loaded (plugins.load in "
                   "moonwire.toml)",
                   call);
}

std::vector<std::string> read_roles(lua_State* state, const char* call) {
    const int given = lua_gettop(state);
    if (lua_type(state, given) == LUA_TSTRING) return {std::string(text_at(state, given))};
    const std::size_t count = lua_istable(state, given) ? lua_objlen(state, given) : 0;
    std::vector<std::string> roles;
    for (std::size_t i = 1; i <= count && count <= kMaxRoles; ++i) {
        lua_rawgeti(state, given, static_cast<int>(i));
        if (lua_type(state, -1) == LUA_TSTRING) roles.emplace_back(text_at(state, -1));
        lua_pop(state, 1);
    }
    if (roles.empty() || roles.size() != count)
        luaL_error(state, "%s: roles must be a role or a list of them", call);
    return roles;
}

std::string find_token(lua_State* state, std::string_view auth_json,
                       const engineio::Handshake& handshake) {
    const int top = lua_gettop(state);
    std::string token;
    if (decode_json(state, auth_json)) {
        push_raw_field(state, top + 1, "token");
        token = text_at(state, -1);
    }
    lua_settop(state, top);
    return token.empty() ? token_among(handshake.query, handshake.headers) : token;
}

std::string find_token(const plugin::HttpRequest& request) {
    return token_among(parse_query(request.query), request.headers);
}

bool has_role(lua_State* state, const std::vector<std::string>& roles) {
    const int user = lua_gettop(state);
    bool found = false;
    for (const char* name : {"type", "role"}) {
        push_raw_field(state, user, name);
        found |= is_among(roles, text_at(state, -1));
        lua_settop(state, user);
    }
    push_raw_field(state, user, "roles");
    const int count = lua_istable(state, -1) ? static_cast<int>(lua_objlen(state, -1)) : 0;
    for (int i = 1; i <= count && !found; ++i) {
        lua_rawgeti(state, user + 1, i);
        found = is_among(roles, text_at(state, -1));
        lua_pop(state, 1);
    }
    lua_settop(state, user);
    return found;
}

Failure auth_failure(std::string code, std::string message) {
    Failure failure;
    failure.is_bug = false;
    failure.code = std::move(code);
    failure.message = std::move(message);
    return failure;
}

}  // namespace moonwire::script
