-- /vehicle-events: where the vehicles are, what they do and how full they are; kept, so that a
-- dashboard which joins late sees the fleet as it is.
local ns = namespace "/vehicle-events"

local schema = require "schema"
local envelope = require "lib.envelope"
local fleet = require "lib.fleet"
local hub = require "lib.hub"
local option = require "shared.option"
local place = require "lib.place"

local NO_REPLAY = {}
for _, service in ipairs(option.of("vehicles.no_replay_to", schema.array(schema.string()),
                                   { "vehicle-conductor", "vehicle-driver", "vehicle" })) do
  NO_REPLAY[service] = true
end
local REPLAY_BATCH, REPLAY_PAUSE = 100, 0.02  -- messages; seconds: never a flood in one turn

local channel = hub.open(ns, function() return fleet.figures(ns.state) end)

local vehicle_id = envelope.id
local count = schema.integer { min = 0, max = 10000 }

--- Handles an event of a vehicle's: `apply(vehicle, data)` checks and takes in what it says.
local function on_vehicle(event, fields, apply)
  fields.vehicle_id = vehicle_id
  channel:on(event, schema.object(fields), function(socket, message)
    local data = message.data
    fleet.refuse_if_large(message)
    local known = fleet.find(ns.state, data.vehicle_id)
    local changes = apply(known or {}, data)
    fleet.note(ns.state, data.vehicle_id, socket, message, changes)
    return channel:relay(socket, message)
  end)
end

on_vehicle("vehicle:position_update", place.fields {
  heading = envelope.maybe(schema.number { min = 0, max = 360 }),
  speed = envelope.maybe(schema.number { min = 0, max = 1000 }),
  route_id = envelope.maybe(envelope.id),
}, function(_, data)
  place.of(data)
  return {}
end)

on_vehicle("vehicle:status_change", {
  status = schema.enum(fleet.STATUSES),
}, function(vehicle, data)
  fleet.refuse_impossible(vehicle, data)
  return { status = data.status }
end)

on_vehicle("vehicle:capacity_update", {
  capacity = envelope.maybe(count),
  available_seats = count,
}, function(vehicle, data)
  local capacity = envelope.value(data.capacity) or vehicle.capacity
  if capacity and data.available_seats > capacity then
    fail("invalid",
         string.format("data.available_seats must be at most the capacity %d, got %d",
                       capacity, data.available_seats), { field = "data.available_seats" })
  end
  return { capacity = capacity }
end)

--- The last message of each kind of each vehicle, as it is when its turn comes.
local function replay(socket)
  local sent = 0
  for _, id in ipairs(fleet.ids(ns.state)) do
    local vehicle = fleet.find(ns.state, id)
    for _, message in ipairs(vehicle and fleet.last_messages(vehicle) or {}) do
      if not socket:emit(message.type, message) then return end
      sent = sent + 1
      if sent % REPLAY_BATCH == 0 then sleep(REPLAY_PAUSE) end
    end
  end
end

ns:on_connect(function(socket)
  if not NO_REPLAY[socket.data.service.type] then replay(socket) end
end)

ns:on_disconnect(function(socket) fleet.leave(ns.state, socket) end)

every(option.amount("vehicles.sweep_seconds", 30), function() fleet.sweep(ns.state) end)
