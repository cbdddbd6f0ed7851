#include "core/script/api.hpp"

#include <cmath>

#include "core/script/c_stack.hpp"
#include "core/script/failure.hpp"
#include "core/script/plugin_module.hpp"
#include "core/script/values.hpp"

namespace moonwire::script {
namespace {

/// Longer would overflow the clock; nobody waits for three years.
constexpr double kMaxSeconds = 1e8;

using GenerationBox = std::shared_ptr<Generation>;

/// A global that no file declared is a typo, or a local forgotten in a handler.
int refuse_new_global(lua_State* state) {
    const Generation& generation = generation_of(state);
    const char* name = lua_tostring(state, 2);
    lua_pushvalue(state, 2);
    lua_rawget(state, lua_upvalueindex(2));
    const bool declared = lua_toboolean(state, -1);
    if (!declared && !generation.runtime().loading()) {
        return luaL_error(state, "global '%s' was not declared while the file loaded (a local?)",
                          name ? name : luaL_typename(state, 2));
    }
    lua_pushvalue(state, 2);
    lua_pushboolean(state, 1);
    lua_rawset(state, lua_upvalueindex(2));
    lua_settop(state, 3);
    lua_rawset(state, 1);
    return 0;
}

void guard_globals(lua_State* state) {
    lua_newtable(state);
    lua_pushvalue(state, 2);
    lua_newtable(state);  // the names declared while loading
    lua_pushcclosure(state, refuse_new_global, 2);
    lua_setfield(state, -2, "__newindex");
    lua_pushliteral(state, "globals");
    lua_setfield(state, -2, "__metatable");
    lua_setmetatable(state, 1);
}

}  // namespace

void register_api(lua_State* state) {
    lua_newtable(state);
    lua_pushcfunction(state, collect_object<GenerationBox>);
    lua_setfield(state, -2, "__gc");
    lua_rawseti(state, LUA_REGISTRYINDEX, kGenerationMetatableKey);
    // Any unique value does; a light userdata of a static address can't be forged by a script.
    static const char noack = 0;
    lua_pushlightuserdata(state, const_cast<char*>(&noack));
    lua_rawseti(state, LUA_REGISTRYINDEX, kNoAckKey);
    guard_callbacks(state);
    register_failures(state);
    register_chains(state);
    register_namespaces(state);
    register_sockets(state);
    register_timers(state);
    register_prelude(state);
    register_locks(state);
    register_store(state);
    register_metrics(state);
    register_plugin_functions(state);
}

void install_api(lua_State* state, const std::shared_ptr<Generation>& generation) {
    push_object<GenerationBox>(state, kGenerationMetatableKey, generation);
    // Modules that are required later find the environment here.
    lua_pushvalue(state, 1);
    lua_setfenv(state, 2);

    lua_pushcfunction(state, lua_fail);
    lua_setfield(state, 1, "fail");
    lua_rawgeti(state, LUA_REGISTRYINDEX, kNoAckKey);
    lua_setfield(state, 1, "noack");
    lua_pushvalue(state, 1);
    install_values(state);
    lua_pop(state, 1);
    install_loading(state);
    install_sending(state);
    install_time(state);
    install_logging(state);
    install_asking(state);
    install_routing(state);
    install_request_hooks(state);
    install_suspicion_hooks(state);
    install_http(state);
    install_metrics(state);
    guard_globals(state);
}

void install_functions(lua_State* state, int table, const luaL_Reg* functions) {
    if (table < 0) table += lua_gettop(state) + 1;
    for (; functions->name; ++functions) {
        lua_pushvalue(state, 2);
        lua_pushcclosure(state, functions->func, 1);
        lua_setfield(state, table, functions->name);
    }
}

Generation& generation_of(lua_State* state) {
    return **static_cast<GenerationBox*>(lua_touserdata(state, lua_upvalueindex(1)));
}

void make_metatable(lua_State* state, int key, const char* name, lua_CFunction collect,
                    lua_CFunction index, const luaL_Reg* methods, const FieldName* fields) {
    lua_newtable(state);
    lua_newtable(state);
    luaL_register(state, nullptr, methods);
    for (; fields && fields->name; ++fields) {
        lua_pushinteger(state, fields->number);
        lua_setfield(state, -2, fields->name);
    }
    lua_pushcclosure(state, index, 1);
    lua_setfield(state, -2, "__index");
    lua_pushcfunction(state, collect);
    lua_setfield(state, -2, "__gc");
    lua_pushstring(state, name);
    lua_setfield(state, -2, "__metatable");
    lua_rawseti(state, LUA_REGISTRYINDEX, key);
}

int find_member(lua_State* state, const char* type) {
    lua_pushvalue(state, 2);
    lua_rawget(state, lua_upvalueindex(1));
    if (lua_isnumber(state, -1)) return static_cast<int>(lua_tointeger(state, -1));
    if (!lua_isnil(state, -1)) return 0;
    const char* name = lua_tostring(state, 2);
    return luaL_error(state, "%s has no field '%s'", type, name ? name : luaL_typename(state, 2));
}

Duration check_seconds(lua_State* state, int index) {
    const double seconds = luaL_checknumber(state, index);
    luaL_argcheck(state, std::isfinite(seconds) && seconds >= 0 && seconds <= kMaxSeconds, index,
                  "seconds, not negative, expected");
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::string caller_position(lua_State* state, int level) {
    luaL_where(state, level);
    std::string position(text_at(state, -1));
    lua_pop(state, 1);
    if (position.ends_with(": ")) position.resize(position.size() - 2);
    return position;
}

}  // namespace moonwire::script
