#include "core/script/geo_module.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <lua.hpp>

#include "core/script/geo_index.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/registry.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

/// What a point costs outside of Lua, about: its record, its id twice, its place in two tables.
constexpr std::size_t kPointBytes = 280;
constexpr double kDefaultLimit = 1000;

double check_finite(lua_State* state, int argument) {
    const double value = luaL_checknumber(state, argument);
    if (!std::isfinite(value)) luaL_argerror(state, argument, "a finite number expected");
    return value;
}

double check_latitude(lua_State* state, int argument) {
    const double value = check_finite(state, argument);
    if (value < -90 || value > 90) luaL_argerror(state, argument, "a latitude expected");
    return value;
}

GeoIndex& check_index(lua_State* state) {
    auto* index = to_object<GeoIndex>(state, 1, kGeoIndexMetatableKey);
    if (!index) luaL_argerror(state, 1, "a geo index expected (call with ':')");
    return *index;
}

int distance(lua_State* state) {
    lua_pushnumber(state, geo_distance(check_finite(state, 1), check_finite(state, 2),
                                       check_finite(state, 3), check_finite(state, 4)));
    return 1;
}

int new_index(lua_State* state) {
    const double cell = check_finite(state, 1);
    if (cell <= 0) luaL_argerror(state, 1, "a positive number of metres expected");
    push_object<GeoIndex>(state, kGeoIndexMetatableKey, cell);
    return 1;
}

int collect_index(lua_State* state) {
    auto* index = static_cast<GeoIndex*>(lua_touserdata(state, 1));
    Vm::of(state).release(index->size() * kPointBytes);
    index->~GeoIndex();
    return 0;
}

int set(lua_State* state) {
    GeoIndex& index = check_index(state);
    const std::string_view id = check_text(state, 2);
    const double lat = check_latitude(state, 3);
    const double lon = check_finite(state, 4);
    const double reach = lua_isnoneornil(state, 5) ? std::numeric_limits<double>::infinity()
                                                   : luaL_checknumber(state, 5);
    if (std::isnan(reach)) luaL_argerror(state, 5, "a number of metres expected");
    if (!index.contains(id)) Vm::of(state).charge(state, kPointBytes);
    index.set(id, lat, lon, reach);
    return 0;
}

int remove(lua_State* state) {
    GeoIndex& index = check_index(state);
    const bool removed = index.remove(check_text(state, 2));
    if (removed) Vm::of(state).release(kPointBytes);
    lua_pushboolean(state, removed);
    return 1;
}

int count(lua_State* state) {
    lua_pushnumber(state, static_cast<lua_Number>(check_index(state).size()));
    return 1;
}

int near(lua_State* state) {
    GeoIndex& index = check_index(state);
    const double lat = check_latitude(state, 2);
    const double lon = check_finite(state, 3);
    const double radius = check_finite(state, 4);
    const double limit = luaL_optnumber(state, 5, kDefaultLimit);
    if (!(limit >= 0)) luaL_argerror(state, 5, "a limit of at least 0 expected");
    const auto& found = index.near(lat, lon, radius, static_cast<std::size_t>(std::min(limit, 1e9)));
    lua_createtable(state, static_cast<int>(found.size()), 0);
    lua_createtable(state, static_cast<int>(found.size()), 0);
    int position = 0;
    for (const GeoIndex::Found& each : found) {
        push_string(state, each.id);
        lua_rawseti(state, -3, ++position);
        lua_pushnumber(state, each.metres);
        lua_rawseti(state, -2, position);
    }
    return 2;
}

void push_metatable(lua_State* state) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, kGeoIndexMetatableKey);
    if (!lua_isnil(state, -1)) return;
    lua_pop(state, 1);
    const luaL_Reg methods[] = {
        {"set", set}, {"remove", remove}, {"count", count}, {"near", near}, {nullptr, nullptr}};
    lua_createtable(state, 0, 3);
    lua_createtable(state, 0, 4);
    luaL_register(state, nullptr, methods);
    lua_setfield(state, -2, "__index");
    lua_pushcfunction(state, collect_index);
    lua_setfield(state, -2, "__gc");
    lua_pushliteral(state, "geo index");
    lua_setfield(state, -2, "__metatable");
    lua_pushvalue(state, -1);
    lua_rawseti(state, LUA_REGISTRYINDEX, kGeoIndexMetatableKey);
}

}  // namespace

void push_geo_module(lua_State* state) {
    push_metatable(state);
    lua_pop(state, 1);
    const luaL_Reg functions[] = {
        {"distance", distance}, {"index", new_index}, {nullptr, nullptr}};
    lua_createtable(state, 0, 2);
    luaL_register(state, nullptr, functions);
}

}  // namespace moonwire::script
