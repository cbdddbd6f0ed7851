-- The last known state of every vehicle. Plain data: state.vehicle_count, and state.vehicles =
-- {vehicle_id -> {messages = {event -> message}, status, capacity, reporter, gone_since}}, in which
-- `reporter` is the socket that spoke for it last.
local schema = require "schema"
local envelope = require "lib.envelope"
local option = require "shared.option"
local size = require "lib.size"

local fleet = {}

fleet.STATUSES = { "idle", "boarding", "driving" }
local EVENTS = { "vehicle:position_update", "vehicle:status_change", "vehicle:capacity_update" }

local LIMIT = option.count("vehicles.limit", 5000)
local KEEP_SECONDS = option.amount("vehicles.keep_minutes", 15) * 60
local MESSAGE_BYTES = option.count("vehicles.message_bytes", 4096)

-- A vehicle drives off after boarding, never straight from idle.
local status = schema.enum(fleet.STATUSES)
local TRANSITIONS = option.of("vehicles.transitions", schema.map(schema.array(status)), {
  idle = { "boarding" },
  boarding = { "driving", "idle" },
  driving = { "boarding", "idle" },
})

local function all(state)
  if not state.vehicles then state.vehicles, state.vehicle_count = {}, 0 end
  return state.vehicles
end

function fleet.find(state, vehicle_id) return all(state)[vehicle_id] end

function fleet.ids(state)
  local ids = {}
  for id in pairs(all(state)) do ids[#ids + 1] = id end
  return ids
end

--- A status may be repeated, and the first one may be any.
function fleet.refuse_impossible(vehicle, data)
  local from, to = vehicle.status, data.status
  if not from or from == to then return end
  local possible = TRANSITIONS[from] or {}
  for _, next_status in ipairs(possible) do
    if next_status == to then return end
  end
  fail("impossible_transition",
       string.format("vehicle %s can't go from %s to %s", data.vehicle_id, from, to),
       { field = "data.status", from = from, to = to })
end

local function drop(state, vehicle_id)
  all(state)[vehicle_id] = nil
  state.vehicle_count = state.vehicle_count - 1
end

--- Makes room by the vehicle that is gone longest.
local function make_room(state)
  if state.vehicle_count < LIMIT then return end
  local longest, since
  for id, vehicle in pairs(all(state)) do
    if vehicle.gone_since and (not since or vehicle.gone_since < since) then
      longest, since = id, vehicle.gone_since
    end
  end
  if not longest then
    fail("fleet_full", string.format("%d vehicles are tracked, which is the limit", LIMIT),
         { field = "data.vehicle_id" })
  end
  drop(state, longest)
end

--- What is no message to keep.
function fleet.refuse_if_large(message) size.refuse_over(MESSAGE_BYTES, message) end

--- Keeps `message` as the vehicle's latest of its kind, with `changes` to what is known of it.
function fleet.note(state, vehicle_id, socket, message, changes)
  local vehicle = all(state)[vehicle_id]
  if not vehicle then
    make_room(state)
    vehicle = { messages = {} }
    all(state)[vehicle_id] = vehicle
    state.vehicle_count = state.vehicle_count + 1
  end
  vehicle.messages[message.type] = message
  for field, value in pairs(changes) do vehicle[field] = value end
  vehicle.reporter, vehicle.gone_since = socket.id, nil
  local reported = socket.data.reported or {}
  reported[vehicle_id] = true
  socket.data.reported = reported
end

--- The socket is gone: what it spoke for is kept for a while, in case it comes back.
function fleet.leave(state, socket)
  for vehicle_id in pairs(socket.data.reported or {}) do
    local vehicle = all(state)[vehicle_id]
    if vehicle and vehicle.reporter == socket.id then vehicle.gone_since = now() end
  end
end

function fleet.sweep(state)
  local before, gone = now() - KEEP_SECONDS, {}
  for id, vehicle in pairs(all(state)) do
    if vehicle.gone_since and vehicle.gone_since <= before then gone[#gone + 1] = id end
  end
  for _, id in ipairs(gone) do drop(state, id) end
end

--- A vehicle's last messages, marked as replayed.
function fleet.last_messages(vehicle)
  local messages = {}
  for _, event in ipairs(EVENTS) do
    local last = vehicle.messages[event]
    if last then
      local copy = {}
      for field, value in pairs(last) do copy[field] = value end
      local metadata = { replayed = true, connected = vehicle.gone_since == nil }
      for field, value in pairs(envelope.value(last.metadata) or {}) do
        if metadata[field] == nil then metadata[field] = value end
      end
      copy.metadata = metadata
      messages[#messages + 1] = copy
    end
  end
  return messages
end

--- For the health check.
function fleet.figures(state)
  all(state)
  return { tracked = state.vehicle_count, limit = LIMIT }
end

return fleet
