#include "core/script/json_module.hpp"

#include <lua.hpp>

#include "core/script/json_decode.hpp"
#include "core/script/json_encode.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

int encode(lua_State* state) {
    luaL_checkany(state, 1);
    {
        Encoded out;
        const auto done = encode_json(state, 1, out, BinaryValues::refused);
        if (done) {
            lua_pushlstring(state, out.json.data(), out.json.size());
            return 1;
        }
        luaL_where(state, 1);
        lua_pushlstring(state, done.error().message.data(), done.error().message.size());
        lua_concat(state, 2);
    }
    return lua_error(state);
}

int decode(lua_State* state) {
    std::size_t length = 0;
    const char* text = luaL_checklstring(state, 1, &length);
    if (const auto done = decode_json(state, {text, length}); !done) {
        lua_pushnil(state);
        lua_pushlstring(state, done.error().message.data(), done.error().message.size());
        return 2;
    }
    return 1;
}

/// Marks the table itself, or a new one.
int array(lua_State* state) {
    if (lua_isnoneornil(state, 1)) {
        lua_settop(state, 0);
        lua_newtable(state);
    }
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 1);
    mark_array(state, 1);
    return 1;
}

}  // namespace

void push_json_module(lua_State* state) {
    const luaL_Reg functions[] = {
        {"encode", encode}, {"decode", decode}, {"array", array}, {nullptr, nullptr}};
    lua_createtable(state, 0, 3);
    luaL_register(state, nullptr, functions);
}

}  // namespace moonwire::script
