#include "core/script/arguments.hpp"

#include <lua.hpp>

#include "core/base/json_text.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/schema.hpp"

namespace moonwire::script {
namespace {

/// "$.data.lat" is "data.lat" to a client; in a list the argument's number stays.
std::string client_path(const std::string& path, bool listed, int argument) {
    if (listed) return "$" + std::to_string(argument) + path.substr(1);
    return path.starts_with("$.") ? path.substr(2) : path;
}

}  // namespace

Failure InvalidArgument::failure() const {
    Failure failure;
    failure.is_bug = false;
    failure.code = "invalid";
    failure.message = text();
    failure.data_json = "{\"path\":" + json_string(path) + ",\"rule\":" + json_string(rule) +
                        ",\"expected\":" + json_string(expected) +
                        ",\"got\":" + json_string(got) + "}";
    return failure;
}

std::optional<InvalidArgument> check_arguments(lua_State* state, int schemas, bool listed,
                                               int first) {
    const auto count = static_cast<int>(lua_objlen(state, schemas));
    luaL_checkstack(state, count + 4, "too many arguments");
    if (lua_gettop(state) < first + count - 1) lua_settop(state, first + count - 1);
    for (int i = 1; i <= count; ++i) {
        lua_rawgeti(state, schemas, i);
        auto error = check_schema(state, lua_gettop(state), first + i - 1);
        lua_pop(state, 1);
        if (error)
            return InvalidArgument{client_path(error->path, listed, i), std::move(error->message),
                                   std::move(error->rule), std::move(error->expected),
                                   std::move(error->got)};
    }
    return std::nullopt;
}

int lua_check_arguments(lua_State* state) {
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    if (const auto error =
            check_arguments(state, 1, lua_toboolean(state, lua_upvalueindex(2)), 2)) {
        lua_createtable(state, 0, 4);
        push_string(state, error->path);
        lua_setfield(state, -2, "path");
        push_string(state, error->rule);
        lua_setfield(state, -2, "rule");
        push_string(state, error->expected);
        lua_setfield(state, -2, "expected");
        push_string(state, error->got);
        lua_setfield(state, -2, "got");
        return raise_failure(state, "invalid", error->text().c_str(), lua_gettop(state));
    }
    return lua_gettop(state) - 1;
}

}  // namespace moonwire::script
