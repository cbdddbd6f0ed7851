-- /route-reservoir: commuters along the routes, both directions, found by where the vehicle is.
local ns = namespace "/route-reservoir"

local geo = require "geo"
local schema = require "schema"
local envelope = require "lib.envelope"
local hub = require "lib.hub"
local option = require "shared.option"
local place = require "lib.place"
local reservoir = require "lib.reservoir"
local spawner = require "lib.spawner"

local floor = math.floor

local RADIUS = option.amount("route.radius", 500)
local MAX_RADIUS = option.amount("route.max_radius", 10000)
local SEATS = option.count("route.seats", 20)
local CELL = option.count("route.cell_metres", 500)

local index  -- of who waits, by place; no plain data, so each generation of this file makes its own
local commuters = reservoir.open(ns, function(record)
  if index then index:remove(record.commuter.commuter_id) end
end)
local channel = hub.open(ns, function()
  local figures, on_board = commuters:figures(), 0
  for _, trip in pairs(commuters:state().trips.entries) do
    if trip.on_board then on_board = on_board + 1 end
  end
  figures.on_board = on_board
  return figures
end)

local function put(into, commuter)
  local at = commuter.current_location
  into:set(commuter.commuter_id, at.lat, at.lon, commuter.max_walking_distance)
end

local function spatial()
  if not index then
    local fresh = geo.index(CELL)
    for _, record in pairs(commuters:state().waiting) do put(fresh, record.commuter) end
    index = fresh
  end
  return index
end

local function spawn_commuter(commuter)
  put(spatial(), commuters:add(commuter).commuter)
end

--- The nearest who match. The index knows places only, so where others mix in, it is asked for more
--- until there are enough or no more.
local function nearest(query, lat, lon)
  local waiting, suits = commuters:state().waiting, reservoir.filter(query)
  local page = suits and query.seats * 4 or query.seats
  while true do
    local ids, metres = spatial():near(lat, lon, query.radius, page)
    local found = json.array {}
    for i, id in ipairs(ids) do
      local commuter = waiting[id].commuter
      if not suits or suits(commuter) then
        -- Overwritten by each query: to copy everyone found would cost more than finding them.
        commuter.distance = floor(metres[i] * 10 + 0.5) / 10
        found[#found + 1] = commuter
        if #found == query.seats then return found end
      end
    end
    if #ids < page then return found end
    page = page * 4
  end
end

local commuter = {
  current_location = reservoir.point,
  direction = schema.enum { "outbound", "inbound" },
}
local spawned = reservoir.commuter("RouteCommuter", commuter)
commuter.distance = schema.optional(schema.number { min = 0, description = "metres" })
local answer = reservoir.answer("RouteCommuters", reservoir.commuter("FoundCommuter", commuter))

channel:on("commuter:spawned", spawned, function(socket, message)
  spawn_commuter(message.data)
  return channel:relay(socket, message)
end)

channel:on("vehicle:query_commuters", reservoir.query(place.fields {
  radius = schema.default(schema.number { min = 0, max = MAX_RADIUS }, RADIUS),
  seats = schema.default(schema.integer { min = 1, max = reservoir.MAX_SEATS }, SEATS),
}), function(socket, message)
  if channel:is_addressed(message) then return channel:relay(socket, message) end
  local query = message.data
  local found = nearest(query, place.of(query))
  return channel:reply(socket, message, "vehicle:commuters_found",
                       { vehicle_id = query.vehicle_id, commuters = found, count = #found })
end, { answer = envelope.of("vehicle:commuters_found", answer) })

channel:on("commuter:picked_up", reservoir.boarding, function(socket, message)
  commuters:pick_up(message.data)
  return channel:relay(socket, message)
end)

channel:on("commuter:dropped_off", reservoir.boarding, function(socket, message)
  commuters:drop_off(message.data)
  namespace_of("/depot-reservoir"):server_emit("arrived", message.data.commuter_id)
  return channel:relay(socket, message)
end)

channel:pass("vehicle:commuters_found", reservoir.found, { sends = answer })

ns:on_server("boarded", function(commuter_id, vehicle_id)
  commuters:begin_trip(commuter_id, vehicle_id)
end)

spawner.start(ns, "route", function(arrival)
  local ok, refusal = pcall(spawn_commuter, arrival)
  if ok then channel:send(ns, "commuter:spawned", arrival) end
  return ok, refusal
end)
