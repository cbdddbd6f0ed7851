#include "core/script/values.hpp"

#include <lua.hpp>
#include <new>
#include <utility>

#include "core/script/raw_json.hpp"
#include "core/script/registry.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

/// `null` is the light userdata of address zero: no allocation, equal to itself. The metatable is
/// of all light userdata; others are the host's sentinels.
const char* sentinel_name(lua_State* state) { return is_null(state, 1) ? "null" : "a sentinel"; }

int index_null(lua_State* state) {
    return luaL_error(state, "attempt to index %s (field '%s')", sentinel_name(state),
                      lua_isstring(state, 2) ? lua_tostring(state, 2) : luaL_typename(state, 2));
}

int null_to_string(lua_State* state) {
    lua_pushstring(state, sentinel_name(state));
    return 1;
}

int collect_bytes(lua_State* state) {
    auto* bytes = static_cast<SharedBytes*>(lua_touserdata(state, 1));
    Vm::of(state).release(bytes->size());
    bytes->~SharedBytes();
    return 0;
}

/// The metamethods can only be reached by operators, yet `==` and `#` come with any operand.
const SharedBytes& check_bytes(lua_State* state, int index) {
    const SharedBytes* bytes = to_bytes(state, index);
    if (!bytes) luaL_argerror(state, index, "bytes expected");
    return *bytes;
}

int bytes_index(lua_State* state) {
    const SharedBytes& bytes = check_bytes(state, 1);
    if (lua_type(state, 2) == LUA_TSTRING && std::string_view(lua_tostring(state, 2)) == "data")
        lua_pushlstring(state, bytes.data(), bytes.size());
    else lua_pushnil(state);
    return 1;
}

int bytes_length(lua_State* state) {
    lua_pushnumber(state, static_cast<lua_Number>(check_bytes(state, 1).size()));
    return 1;
}

int bytes_to_string(lua_State* state) {
    lua_pushfstring(state, "bytes(%d)", static_cast<int>(check_bytes(state, 1).size()));
    return 1;
}

int bytes_equal(lua_State* state) {
    const SharedBytes* left = to_bytes(state, 1);
    const SharedBytes* right = to_bytes(state, 2);
    lua_pushboolean(state, left && right && left->view() == right->view());
    return 1;
}

/// bytes(string)
int new_bytes(lua_State* state) {
    if (to_bytes(state, 1)) {
        lua_settop(state, 1);
        return 1;
    }
    std::size_t length = 0;
    const char* text = luaL_checklstring(state, 1, &length);
    push_bytes(state, SharedBytes::copy({text, length}));
    return 1;
}

int is_bytes(lua_State* state) {
    luaL_checkany(state, 1);
    lua_pushboolean(state, to_bytes(state, 1) != nullptr);
    return 1;
}

}  // namespace

void register_values(lua_State* state) {
    const luaL_Reg null_methods[] = {
        {"__index", index_null}, {"__tostring", null_to_string}, {nullptr, nullptr}};
    push_null(state);
    lua_newtable(state);
    luaL_register(state, nullptr, null_methods);
    lua_pushliteral(state, "sentinel");
    lua_setfield(state, -2, "__metatable");
    lua_setmetatable(state, -2);
    lua_pop(state, 1);

    lua_newtable(state);
    lua_pushliteral(state, "array");
    lua_setfield(state, -2, "__metatable");
    lua_rawseti(state, LUA_REGISTRYINDEX, kArrayMetatableKey);

    const luaL_Reg bytes_methods[] = {{"__gc", collect_bytes}, {"__index", bytes_index},
                                      {"__len", bytes_length}, {"__tostring", bytes_to_string},
                                      {"__eq", bytes_equal},   {nullptr, nullptr}};
    lua_newtable(state);
    luaL_register(state, nullptr, bytes_methods);
    lua_pushliteral(state, "bytes");
    lua_setfield(state, -2, "__metatable");
    lua_rawseti(state, LUA_REGISTRYINDEX, kBytesMetatableKey);
    register_raw(state);
}

void install_values(lua_State* state) {
    push_null(state);
    lua_setfield(state, -2, "null");
    lua_pushcfunction(state, new_bytes);
    lua_setfield(state, -2, "bytes");
    lua_pushcfunction(state, is_bytes);
    lua_setfield(state, -2, "is_bytes");
}

void push_null(lua_State* state) { lua_pushlightuserdata(state, nullptr); }

bool is_null(lua_State* state, int index) {
    return lua_islightuserdata(state, index) && lua_touserdata(state, index) == nullptr;
}

void mark_array(lua_State* state, int index) {
    if (index < 0) index += lua_gettop(state) + 1;
    lua_rawgeti(state, LUA_REGISTRYINDEX, kArrayMetatableKey);
    lua_setmetatable(state, index);
}

bool is_marked_array(lua_State* state, int index) {
    return lua_istable(state, index) && has_metatable(state, index, kArrayMetatableKey);
}

void push_bytes(lua_State* state, SharedBytes bytes) {
    // Empty at first: when the charge is refused, the collector finds a userdata that owes nothing.
    auto* held = ::new (lua_newuserdata(state, sizeof(SharedBytes))) SharedBytes();
    lua_rawgeti(state, LUA_REGISTRYINDEX, kBytesMetatableKey);
    lua_setmetatable(state, -2);
    Vm::of(state).charge(state, bytes.size());
    *held = std::move(bytes);
}

const SharedBytes* to_bytes(lua_State* state, int index) {
    if (lua_type(state, index) != LUA_TUSERDATA || !has_metatable(state, index, kBytesMetatableKey))
        return nullptr;
    return static_cast<const SharedBytes*>(lua_touserdata(state, index));
}

bool has_metatable(lua_State* state, int index, int key) {
    if (!lua_getmetatable(state, index)) return false;
    lua_rawgeti(state, LUA_REGISTRYINDEX, key);
    const bool same = lua_rawequal(state, -1, -2);
    lua_pop(state, 2);
    return same;
}

}  // namespace moonwire::script
