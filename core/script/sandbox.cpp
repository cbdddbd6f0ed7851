#include "core/script/sandbox.hpp"

#include <lua.hpp>
#include <random>
#include <string_view>

#include "core/script/registry.hpp"
#include "core/script/string_functions.hpp"

namespace moonwire::script {
namespace {

// rawset would go around an environment that refuses stray globals.
constexpr const char* kBaseFunctions[] = {
    "assert", "error",  "getmetatable", "ipairs",   "next",     "pairs", "pcall",  "rawequal",
    "rawget", "select", "setmetatable", "tonumber", "tostring", "type",  "unpack", "_VERSION"};
constexpr const char* kWholeLibraries[] = {"string", "table", "math", "bit"};
constexpr const char* kOsFunctions[] = {"time", "date", "clock"};

// xpcall: Lua runs a message handler inside the failing call with the watchdog's hook already
// active, so a loop in it could never be stopped. The trusted handler only notes the traceback; the
// script's own runs after unwinding, with the error and the traceback as its arguments.
//
// sort: without a comparator, or with one in C, a large table is sorted entirely in C, where no
// hook fires. A comparator in Lua lets one.
constexpr std::string_view kPrelude = R"lua(
local pcall, xpcall, type, note_traceback, sort, is_c = ...
local function finish(handler, ok, ...)
  if ok then return true, ... end
  local err, traceback = ..., nil
  if type(err) == "table" then err, traceback = err[1], err[2] end
  local _, result = pcall(handler, err, traceback)
  return false, result
end
local function guarded_xpcall(f, handler, ...)
  return finish(handler, xpcall(f, note_traceback, ...))
end
local function natural(a, b) return a < b end
local function guarded_sort(list, less)
  if type(list) == "table" and #list > 1000 and (less == nil or is_c(less)) then
    local compare = less
    less = compare and function(a, b) return compare(a, b) end or natural
  end
  return sort(list, less)
end
return guarded_xpcall, guarded_sort
)lua";

int note_traceback(lua_State* state) {
    lua_settop(state, 1);
    lua_createtable(state, 2, 0);
    lua_pushvalue(state, 1);
    lua_rawseti(state, -2, 1);
    luaL_traceback(state, state, nullptr, 1);
    lua_rawseti(state, -2, 2);
    return 1;
}

int is_c_function(lua_State* state) {
    lua_pushboolean(state, lua_iscfunction(state, 1));
    return 1;
}

void open_library(lua_State* state, const char* name, lua_CFunction open) {
    lua_pushcfunction(state, open);
    lua_pushstring(state, name);
    lua_call(state, 1, 0);
}

/// Copies the named field of the table at `from` into the table on top.
void copy_field(lua_State* state, int from, const char* name) {
    lua_getfield(state, from, name);
    lua_setfield(state, -2, name);
}

/// Leaves a copy of the table on top in its place.
void copy_table(lua_State* state) {
    const int from = lua_gettop(state);
    lua_createtable(state, 0, 32);
    lua_pushnil(state);
    while (lua_next(state, from)) {
        lua_pushvalue(state, -2);
        lua_insert(state, -2);
        lua_rawset(state, from + 1);
    }
    lua_remove(state, from);
}

/// LuaJIT seeds every state alike; scripts deserve numbers that differ between runs.
void seed_random(lua_State* state) {
    lua_getfield(state, LUA_GLOBALSINDEX, "math");
    lua_getfield(state, -1, "randomseed");
    lua_pushnumber(state, std::random_device{}());
    lua_call(state, 1, 0);
    lua_pop(state, 1);
}

/// Leaves what kPrelude returns: xpcall and sort.
void push_prelude(lua_State* state) {
    if (luaL_loadbufferx(state, kPrelude.data(), kPrelude.size(), "=[moonwire]", "t") != 0)
        lua_error(state);
    for (const char* name : {"pcall", "xpcall", "type"})
        lua_getfield(state, LUA_GLOBALSINDEX, name);
    lua_pushcfunction(state, note_traceback);
    lua_getfield(state, LUA_GLOBALSINDEX, "table");
    lua_getfield(state, -1, "sort");
    lua_remove(state, -2);
    lua_pushcfunction(state, is_c_function);
    lua_call(state, 6, 2);
}

}  // namespace

void open_sandbox(lua_State* state) {
    open_library(state, "", luaopen_base);
    open_library(state, LUA_STRLIBNAME, luaopen_string);
    open_library(state, LUA_TABLIBNAME, luaopen_table);
    open_library(state, LUA_MATHLIBNAME, luaopen_math);
    open_library(state, LUA_BITLIBNAME, luaopen_bit);
    open_library(state, LUA_OSLIBNAME, luaopen_os);
    seed_random(state);

    // The string table in use is what methods of strings find (("x"):upper()), too.
    lua_getfield(state, LUA_GLOBALSINDEX, "string");
    install_bounded_patterns(state);
    lua_pushnil(state);
    lua_setfield(state, -2, "dump");
    lua_pop(state, 1);
    lua_pushliteral(state, "");
    lua_getmetatable(state, -1);
    lua_pushliteral(state, "string");
    lua_setfield(state, -2, "__metatable");
    lua_pop(state, 2);

    push_prelude(state);
    lua_getfield(state, LUA_GLOBALSINDEX, "table");
    lua_insert(state, -2);
    lua_setfield(state, -2, "sort");
    lua_pop(state, 1);

    lua_newtable(state);
    lua_insert(state, -2);
    lua_setfield(state, -2, "xpcall");
    for (const char* name : kBaseFunctions) copy_field(state, LUA_GLOBALSINDEX, name);
    for (const char* name : kWholeLibraries) copy_field(state, LUA_GLOBALSINDEX, name);
    lua_getfield(state, LUA_GLOBALSINDEX, "os");
    lua_newtable(state);
    for (const char* name : kOsFunctions) copy_field(state, -2, name);
    lua_setfield(state, -3, "os");
    lua_pop(state, 1);
    lua_rawseti(state, LUA_REGISTRYINDEX, kLibrariesKey);
}

void push_sandbox(lua_State* state) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, kLibrariesKey);
    copy_table(state);
    for (const char* name : {"string", "table", "math", "bit", "os"}) {
        lua_getfield(state, -1, name);
        copy_table(state);
        lua_setfield(state, -2, name);
    }
    lua_pushvalue(state, -1);
    lua_setfield(state, -2, "_G");
}

}  // namespace moonwire::script
