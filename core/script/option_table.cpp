#include "core/script/option_table.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include "core/script/lua_tools.hpp"

namespace moonwire::script {

void check_option_names(lua_State* state, int index, const char* call, std::string_view names) {
    const std::string known = " " + std::string(names) + " ";
    lua_pushnil(state);
    while (lua_next(state, index)) {
        lua_pop(state, 1);
        const std::string name(text_at(state, -1));
        if (name.empty() || known.find(" " + name + " ") == std::string::npos)
            luaL_error(state, "%s has no option '%s'; there are %s", call,
                       name.empty() ? luaL_typename(state, -1) : name.c_str(), known.c_str() + 1);
    }
}

OptionTable::OptionTable(lua_State* state, int index, const char* call, std::string_view names)
    : state_(state), index_(lua_isnoneornil(state, index) ? 0 : index), call_(call) {
    if (index_ == 0) return;
    luaL_checktype(state, index, LUA_TTABLE);
    check_option_names(state, index, call, names);
}

bool OptionTable::push(const char* name) const {
    if (index_ == 0) return false;
    lua_getfield(state_, index_, name);
    if (!lua_isnil(state_, -1)) return true;
    lua_pop(state_, 1);
    return false;
}

void OptionTable::fail(const char* name, const char* expected) const {
    luaL_error(state_, "%s: %s must be %s", call_, name, expected);
    std::abort();  // not reached
}

std::optional<bool> OptionTable::boolean(const char* name) const {
    if (!push(name)) return std::nullopt;
    if (!lua_isboolean(state_, -1)) fail(name, "true or false");
    const bool value = lua_toboolean(state_, -1);
    lua_pop(state_, 1);
    return value;
}

std::optional<std::int64_t> OptionTable::integer(const char* name, std::int64_t min,
                                                 std::int64_t max) const {
    if (!push(name)) return std::nullopt;
    const double value = lua_type(state_, -1) == LUA_TNUMBER ? lua_tonumber(state_, -1) : NAN;
    lua_pop(state_, 1);
    if (!(value >= static_cast<double>(min) && value <= static_cast<double>(max)) ||
        value != std::floor(value))
        fail(name,
             ("a whole number from " + std::to_string(min) + " to " + std::to_string(max)).c_str());
    return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> OptionTable::milliseconds(const char* name) const {
    constexpr double kMaxSeconds = 1e10;  // some three hundred years
    if (!push(name)) return std::nullopt;
    const double value = lua_type(state_, -1) == LUA_TNUMBER ? lua_tonumber(state_, -1) : NAN;
    lua_pop(state_, 1);
    if (!(value > 0 && value <= kMaxSeconds)) fail(name, "seconds, more than zero");
    return static_cast<std::int64_t>(std::ceil(value * 1000));
}

std::optional<std::string_view> OptionTable::text(const char* name) const {
    if (!push(name)) return std::nullopt;
    if (lua_type(state_, -1) != LUA_TSTRING) fail(name, "a string");
    const std::string_view value = text_at(state_, -1);
    lua_pop(state_, 1);
    return value;
}

}  // namespace moonwire::script
