-- A town to look at: incidents come, units are sent, confirm, drive, treat and transport, so that
-- public/ shows something at once. Loaded by `moonwire run --demo` only. It does what dispatchers and
-- crews would do, by the same way.
local ns = namespace "/dispatch"

local geo = require "geo"
local board = require "lib.board"
local hub = require "lib.hub"

local ACTOR = { id = "demo", source = "client", roles = { "dispatcher", "crew", "admin" } }
local CENTRE = { lat = 40.742, lng = -73.98 }
local HOSPITAL = { lat = 40.7645, lng = -73.9545 }
local STATIONS = {
  { lat = 40.7527, lng = -74.0010 }, { lat = 40.7290, lng = -73.9905 },
  { lat = 40.7240, lng = -73.9600 }, { lat = 40.7590, lng = -73.9720 },
}
local UNITS = { "MEDIC-1", "MEDIC-2", "MEDIC-3", "MEDIC-4", "MEDIC-5", "RESCUE-1", "RESCUE-2" }
local KINDS = {
  { "Cardiac arrest", 1 }, { "Stroke", 1 }, { "Traffic accident", 2 }, { "Difficulty breathing", 2 },
  { "Fall", 3 }, { "Fracture", 3 }, { "Allergic reaction", 2 }, { "Transfer", 5 }, { "Chest pain", 2 },
}
local STREETS = { "Main St", "Elm St", "Harbour Rd", "Station Rd", "5th Ave", "Mill Ln", "Park Row" }
local METRES_A_SECOND = 90            -- a time-lapse
local MOST_OPEN, CHANCE = 6, 0.22     -- incidents at once; that one comes in a second

local units = {}                      -- by id: {at, step, target, incident, assignment, wait}
local number = 0
local responses, transports = {}, 0

--- Like a client: what is refused is refused, which happens when others play along.
local function act(event, data)
  local ok, answer = pcall(hub.perform, event, ACTOR, data, "socket")
  if ok then return answer end
  if type(answer) ~= "table" then error(answer, 0) end
end

local function scatter(point, degrees)
  return { lat = point.lat + (math.random() - 0.5) * degrees,
           lng = point.lng + (math.random() - 0.5) * degrees * 1.6 }
end

local function report(id, unit, heading)
  act("unit:location", { unitId = id, location = unit.at, heading = heading,
                         speed = unit.target and 60 or 0 })
end

local function say_status(id, unit, status)
  unit.status = status
  act("unit:status", { unitId = id, status = status, incidentId = unit.incident })
end

local function stamp(unit, field)
  act("incident:timestamp", { incidentId = unit.incident, field = field, timestamp = iso_time(),
                              source = "auto" })
end

--- One second of the way; whether it is there.
local function drive(id, unit)
  local to = unit.target
  local metres = geo.distance(unit.at.lat, unit.at.lng, to.lat, to.lng)
  local there = metres <= METRES_A_SECOND
  local east = (to.lng - unit.at.lng) * math.cos(math.rad(to.lat))
  local heading = math.deg(math.atan2(east, to.lat - unit.at.lat)) % 360
  if there then
    unit.at, unit.target = { lat = to.lat, lng = to.lng }, nil
  else
    local share = METRES_A_SECOND / metres
    unit.at = { lat = unit.at.lat + (to.lat - unit.at.lat) * share,
                lng = unit.at.lng + (to.lng - unit.at.lng) * share }
  end
  report(id, unit, heading)
  return there
end

-- What a unit does next, by its step; each returns the next step, or nil to stay.
local steps = {}

function steps.free(id, unit)
  for _, assignment in pairs(board.all("assignments")) do
    if assignment.unitId == id
      and (assignment.state == "pending" or assignment.state == "unconfirmed") then
      local incident = board.find("incidents", assignment.incidentId)
      local point = incident and incident.location and incident.location.coordinates
      unit.incident, unit.assignment = assignment.incidentId, assignment.assignmentId
      unit.place = point and { lat = point[2], lng = point[1] } or scatter(CENTRE, 0.03)
      unit.since, unit.wait = now(), math.random(2, 9)
      return "reading"
    end
  end
end

function steps.reading(id, unit)
  if not act("assignment:received", { assignmentId = unit.assignment }) then return "back" end
  say_status(id, unit, "enroute")
  stamp(unit, "enroute_at")
  unit.target = unit.place
  return "enroute"
end

function steps.enroute(id, unit)
  if not drive(id, unit) then return end
  responses[#responses + 1] = now() - unit.since
  if #responses > 20 then table.remove(responses, 1) end
  say_status(id, unit, "onscene")
  stamp(unit, "onscene_at")
  act("incident:status", { incidentId = unit.incident, status = "onscene" })
  unit.wait = math.random(5, 12)
  return "onscene"
end

function steps.onscene(id, unit)
  say_status(id, unit, "transport")
  act("incident:status", { incidentId = unit.incident, status = "transport" })
  unit.target = HOSPITAL
  return "transport"
end

function steps.transport(id, unit)
  if not drive(id, unit) then return end
  say_status(id, unit, "hospital")
  unit.wait = math.random(4, 9)
  return "hospital"
end

function steps.hospital(_, unit)
  transports = transports + 1
  act("transport:completed", {
    incidentId = unit.incident, epcrId = "EPCR-" .. unit.incident, transportType = "ALS",
    destination = "General Hospital", billingData = { miles = 3.4 },
  })
  act("incident:status", { incidentId = unit.incident, status = "completed" })
  return "back"
end

function steps.back(id, unit)
  unit.incident, unit.assignment = nil, nil
  say_status(id, unit, "available")
  unit.target = scatter(STATIONS[math.random(#STATIONS)], 0.006)
  return "returning"
end

function steps.returning(id, unit)
  return steps.free(id, unit) or (drive(id, unit) and "free" or nil)
end

local function step(id, unit)
  if unit.wait and unit.wait > 0 then
    unit.wait = unit.wait - 1
    return
  end
  unit.step = steps[unit.step](id, unit) or unit.step
end

local function open_incidents()
  local open = {}
  for _, incident in pairs(board.all("incidents")) do
    if not incident.closedAt then open[#open + 1] = incident end
  end
  return open
end

local function happen()
  local kind, place = KINDS[math.random(#KINDS)], scatter(CENTRE, 0.045)
  number = number + 1
  act("incident:created", {
    incidentId = os.date("!INC-%H%M%S-") .. number, type = kind[1], priority = kind[2],
    address = math.random(1, 400) .. " " .. STREETS[math.random(#STREETS)], location = place,
  })
end

--- The nearest free unit goes to each incident that has none.
local function dispatch()
  for _, incident in ipairs(open_incidents()) do
    if not next(board.crews(incident.incidentId)) and math.random() < 0.5 then
      local point = incident.location and incident.location.coordinates
      local best, metres
      for id, unit in pairs(units) do
        local is_free = (unit.step == "free" or unit.step == "returning") and not unit.called
        local away = point and geo.distance(unit.at.lat, unit.at.lng, point[2], point[1]) or 0
        if is_free and (not best or away < metres) then best, metres = id, away end
      end
      if best then
        units[best].called = true
        act("assignment:sent", { unitId = best, incidentId = incident.incidentId })
        units[best].called = nil
        units[best].step = steps.free(best, units[best]) or units[best].step
      end
    end
  end
end

--- What an earlier demo left open is over.
local function begin()
  for _, incident in ipairs(open_incidents()) do
    act("incident:status", { incidentId = incident.incidentId, status = "cancelled" })
  end
  for i, id in ipairs(UNITS) do
    units[id] = { at = scatter(STATIONS[i % #STATIONS + 1], 0.006), step = "free" }
    report(id, units[id], 0)
    say_status(id, units[id], "available")
  end
  for _ = 1, 3 do happen() end
end

local started = false
every(1, function()
  if not started then
    started = true
    return begin()
  end
  for id, unit in pairs(units) do step(id, unit) end
  if #open_incidents() < MOST_OPEN and math.random() < CHANCE then happen() end
  dispatch()
end)

every(4, function()
  local free, total = 0, 0
  for _, unit in pairs(units) do
    if unit.status == "available" then free = free + 1 end
  end
  for _, seconds in ipairs(responses) do total = total + seconds end
  act("metrics:updated", { metrics = {
    openIncidents = #open_incidents(), availableUnits = free, transports = transports,
    meanResponseSeconds = #responses > 0 and math.floor(total / #responses) or null,
  } })
end)

-- What the page signs in with.
route("GET", "/demo/dispatch/token", function()
  return 200, { token = require("plugin.jwt").sign({ sub = "demo dispatcher", role = "dispatcher" },
                                                   3600) }
end)
