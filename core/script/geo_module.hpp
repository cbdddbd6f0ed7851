#pragma once

struct lua_State;

namespace moonwire::script {

/// Leaves the `geo` module's table on the stack. Protected. For scripts:
///   geo.distance(lat1, lon1, lat2, lon2)          -- metres
///   local index = geo.index(cell_metres)          -- see GeoIndex
///   index:set(id, lat, lon [, reach_metres]); index:remove(id) -> boolean; index:count()
///   local ids, metres = index:near(lat, lon, radius_metres [, limit])   -- two arrays
/// An index's points count against the namespace's memory.
void push_geo_module(lua_State* state);

}  // namespace moonwire::script
