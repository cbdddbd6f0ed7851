-- Commuters who wait to be picked up, and what became of those who were: shared by both reservoirs.
-- Everything is plain data in ns.state, so a reload of the scripts finds them where they were.
local schema = require "schema"
local envelope = require "lib.envelope"
local memory = require "lib.memory"
local option = require "shared.option"
local size = require "lib.size"

local reservoir = {}
reservoir.__index = reservoir

local maybe, id = envelope.maybe, envelope.id

--- A place on Earth, as the documents write it.
reservoir.point = schema.named("Point", schema.object {
  lat = schema.number { min = -90, max = 90 },
  lon = schema.number { min = -180, max = 180 },
})

local LIMIT = option.count("reservoir.limit", 20000)
local REMEMBERED = option.count("reservoir.remembered", 20000)
local COMMUTER_BYTES = option.count("reservoir.commuter_bytes", 2048)
local MAX_WAIT = option.amount("reservoir.max_wait_minutes", 240) * 60
local SWEEP_SECONDS = option.amount("reservoir.sweep_seconds", 30)

local priority = schema.integer { min = 0, max = 1000 }

--- What a commuter who says nothing has; and the most seats of a query.
reservoir.WALKING_DISTANCE = option.amount("reservoir.walking_distance", 500)
reservoir.PRIORITY = option.of("reservoir.priority", priority, 1)
reservoir.MAX_SEATS = option.count("reservoir.max_seats", 200)

--- The data of `commuter:spawned`, a type of this name; `fields` adds what a reservoir wants to know
--- besides.
function reservoir.commuter(name, fields)
  local all = {
    commuter_id = id,
    route_id = maybe(id),
    destination = maybe(reservoir.point),
    priority = schema.default(priority, reservoir.PRIORITY),
    max_walking_distance = schema.default(schema.number { min = 0, max = 100000 },
                                          reservoir.WALKING_DISTANCE),
  }
  for field, kind in pairs(fields) do all[field] = kind end
  return schema.named(name, schema.object(all))
end

--- The data of `vehicle:query_commuters`; `fields` adds or replaces.
function reservoir.query(fields)
  local all = {
    vehicle_id = id,
    route_id = maybe(id),
    direction = maybe(schema.enum { "outbound", "inbound" }),
    seats = schema.integer { min = 1, max = reservoir.MAX_SEATS },
  }
  for field, kind in pairs(fields) do all[field] = kind end
  return schema.object(all)
end

--- The data of `commuter:picked_up` and `commuter:dropped_off`.
reservoir.boarding = schema.named("Boarding", schema.object { commuter_id = id, vehicle_id = id })

--- The data of `vehicle:commuters_found`, when a service answers in the reservoir's place.
reservoir.found = schema.object { commuters = schema.array(schema.any(), { max = 1000 }) }

--- The data of `vehicle:commuters_found` when the reservoir itself answers, a type of this name;
--- for who asks.
function reservoir.answer(name, commuter)
  return schema.named(name, schema.object {
    vehicle_id = maybe(id),
    depot_id = maybe(id),
    commuters = schema.array(commuter),
    count = maybe(schema.integer { min = 0 }),
  })
end

--- `leaving(record)` is told of each commuter who is about to wait no longer.
function reservoir.open(ns, leaving)
  local self = setmetatable({ ns = ns, leaving = leaving }, reservoir)
  every(SWEEP_SECONDS, function() self:sweep() end)
  return self
end

--- {waiting = {commuter_id -> record}, count, last (number of the newest), trips, expired}.
function reservoir:state()
  local state = self.ns.state
  if not state.reservoir then
    state.reservoir = { waiting = {}, count = 0, last = 0, trips = memory.new(), expired = 0 }
  end
  return state.reservoir
end

--- Takes a commuter in; returns their record {commuter, number, since}.
function reservoir:add(commuter)
  local state, commuter_id = self:state(), commuter.commuter_id
  if state.waiting[commuter_id] then
    fail("duplicate_commuter", "commuter " .. commuter_id .. " is waiting already",
         { field = "data.commuter_id" })
  end
  local trip = memory.get(state.trips, commuter_id)
  if trip and trip.on_board then
    fail("already_picked_up", "commuter " .. commuter_id .. " is on board of " .. trip.vehicle_id,
         { field = "data.commuter_id", vehicle_id = trip.vehicle_id })
  end
  if state.count >= LIMIT then
    fail("reservoir_full", string.format("%d commuters are waiting, which is the limit", LIMIT))
  end
  size.refuse_over(COMMUTER_BYTES, commuter)
  memory.forget(state.trips, commuter_id)
  state.last = state.last + 1
  state.count = state.count + 1
  local record = { commuter = commuter, number = state.last, since = now() }
  state.waiting[commuter_id] = record
  return record
end

function reservoir:remove(record)
  self.leaving(record)
  local state = self:state()
  state.waiting[record.commuter.commuter_id] = nil
  state.count = state.count - 1
end

--- A vehicle picks a commuter up. The first one wins; who comes after is told so.
function reservoir:pick_up(boarding)
  local state = self:state()
  local record = state.waiting[boarding.commuter_id]
  if not record then
    local trip = memory.get(state.trips, boarding.commuter_id)
    if trip then
      fail("already_picked_up",
           "commuter " .. boarding.commuter_id .. " was picked up by " .. trip.vehicle_id,
           { field = "data.commuter_id", vehicle_id = trip.vehicle_id })
    end
    reservoir.unknown(boarding.commuter_id)
  end
  self:remove(record)
  self:begin_trip(boarding.commuter_id, boarding.vehicle_id)
end

function reservoir:begin_trip(commuter_id, vehicle_id)
  memory.put(self:state().trips, commuter_id,
             { vehicle_id = vehicle_id, on_board = true, since = now() }, REMEMBERED)
end

--- A commuter leaves the vehicle that picked them up.
function reservoir:drop_off(boarding)
  local state, commuter_id = self:state(), boarding.commuter_id
  local trip = memory.get(state.trips, commuter_id)
  local field = { field = "data.commuter_id" }
  if not trip then
    if state.waiting[commuter_id] then
      fail("not_picked_up", "commuter " .. commuter_id .. " is still waiting", field)
    end
    reservoir.unknown(commuter_id)
  end
  if not trip.on_board then
    fail("already_dropped_off", "commuter " .. commuter_id .. " has arrived already", field)
  end
  if trip.vehicle_id ~= boarding.vehicle_id then
    fail("wrong_vehicle", "commuter " .. commuter_id .. " is on board of " .. trip.vehicle_id,
         { field = "data.vehicle_id", vehicle_id = trip.vehicle_id })
  end
  self:end_trip(commuter_id)
end

function reservoir:end_trip(commuter_id)
  local trip = memory.get(self:state().trips, commuter_id)
  if trip then trip.on_board = false end
end

function reservoir.unknown(commuter_id)
  fail("unknown_commuter", "there is no commuter " .. commuter_id .. " here",
       { field = "data.commuter_id" })
end

--- Lets those go who have waited too long.
function reservoir:sweep()
  if MAX_WAIT == 0 then return end
  local state, before, gone = self:state(), now() - MAX_WAIT, {}
  for _, record in pairs(state.waiting) do
    if record.since < before then gone[#gone + 1] = record end
  end
  for _, record in ipairs(gone) do self:remove(record) end
  if #gone > 0 then
    state.expired = state.expired + #gone
    log.info("commuters gave up waiting", { namespace = self.ns.name, count = #gone })
  end
end

--- For the health check.
function reservoir:figures()
  local state = self:state()
  return { waiting = state.count, limit = LIMIT, expired = state.expired }
end

--- A function that tells whether a commuter goes where the query's vehicle does, or nil if all do.
--- Who has no route takes any.
function reservoir.filter(query)
  local direction, route = envelope.value(query.direction), envelope.value(query.route_id)
  if not (direction or route) then return nil end
  return function(commuter)
    if direction and commuter.direction ~= direction then return false end
    local wanted = route and envelope.value(commuter.route_id)
    return not wanted or wanted == route
  end
end

return reservoir
