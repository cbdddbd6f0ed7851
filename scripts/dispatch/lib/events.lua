-- What comes in: the payload of each event over Socket.IO, and its body over HTTP, which names the
-- same things in snake_case. `read(event, form, payload)` makes the one of the other: plain data
-- with the names of the socket's form and without nulls.
local schema = require "schema"
local time = require "shared.timestamp"

local events = {}

local function maybe(kind) return schema.optional(schema.nullable(kind)) end

local id = schema.string { min = 1, max = 128 }
local word = schema.string { min = 1, max = 64, pattern = "^[%w _.-]+$" }
local text = schema.string { max = 4000 }
local priority = schema.integer { min = 1, max = 5, description = "1 is the most urgent" }
local latitude, longitude = schema.number { min = -90, max = 90 },
  schema.number { min = -180, max = 180 }
local heading, speed = schema.number { min = 0, max = 360 }, schema.number { min = 0, max = 2000 }

events.Point = schema.named("Point", schema.object {
  description = "GeoJSON: longitude before latitude",
  type = schema.enum { "Point" },
  coordinates = schema.array(schema.number(), { min = 2, max = 3 }),
})
local Place = schema.one_of {
  events.Point,
  schema.object { latitude = latitude, longitude = longitude },
  schema.object { lat = latitude, lng = longitude },
}

--- A place in any form, as a GeoJSON point.
local function point(place, field)
  if not place then return nil end
  local lng, lat = place.longitude or place.lng, place.latitude or place.lat
  if place.coordinates then lng, lat = place.coordinates[1], place.coordinates[2] end
  if math.abs(lng) > 180 or math.abs(lat) > 90 then
    fail("invalid", field .. ".coordinates: must be [longitude, latitude]",
         { path = "$." .. field .. ".coordinates", field = field .. ".coordinates" })
  end
  return { type = "Point", coordinates = { lng, lat } }
end

--- Payloads may say which message they are; one that comes again is dropped.
local function payload(fields)
  fields.id = maybe(id)
  return schema.object(fields)
end

local incident = {
  incidentId = maybe(id), type = maybe(text), address = maybe(text), priority = maybe(priority),
  details = maybe(text), location = maybe(Place),
}

local function incident_of(data, incident_id)
  return {
    incidentId = incident_id, type = data.type, address = data.address, priority = data.priority,
    details = data.details, location = point(data.location, "location"),
  }
end

local sent = {
  assignmentId = maybe(id), unitId = id, timestamp = maybe(time),
  incident = maybe(schema.object(incident)),
}
for name, kind in pairs(incident) do sent[name] = kind end

-- By event: `socket` and `rest` schemas; `of_socket` and `of_rest` finish what holds.
local FORMS = {
  ["assignment:sent"] = {
    socket = payload(sent),
    of_socket = function(data)
      local given = data.incident or data
      local incident_id = given.incidentId or data.incidentId
      if not incident_id then
        local field = data.incident and "incident.incidentId" or "incidentId"
        fail("invalid", field .. " is required", { path = "$." .. field, field = field })
      end
      return { assignmentId = data.assignmentId, unitId = data.unitId,
               incident = incident_of(given, incident_id) }
    end,
    rest = payload {
      unit_id = id, incident_id = id, assignment_id = maybe(id), incident_type = maybe(text),
      type = maybe(text), address = maybe(text), priority = maybe(priority), details = maybe(text),
      location = maybe(Place),
    },
    of_rest = function(body)
      body.type = body.incident_type or body.type
      return { assignmentId = body.assignment_id, unitId = body.unit_id,
               incident = incident_of(body, body.incident_id) }
    end,
  },
  ["assignment:received"] = {
    socket = payload { assignmentId = id, unitId = maybe(id), incidentId = maybe(id),
                       incident = maybe(schema.object(incident)) },
    of_socket = function(data)
      local given = data.incident or data
      data.incident = incident_of(given, given.incidentId or data.incidentId)
      return data
    end,
  },
  ["unit:location"] = {
    socket = payload {
      unitId = id, location = maybe(Place), latitude = maybe(latitude),
      longitude = maybe(longitude), heading = maybe(heading), speed = maybe(speed),
      timestamp = maybe(time),
    },
    of_socket = function(data)
      if not data.location then
        if not data.latitude or not data.longitude then
          fail("invalid", "location is required", { path = "$.location", field = "location" })
        end
        data.location = { latitude = data.latitude, longitude = data.longitude }
      end
      return { unitId = data.unitId, location = point(data.location, "location"),
               heading = data.heading, speed = data.speed }
    end,
    rest = payload { unit_id = id, latitude = latitude, longitude = longitude,
                     heading = maybe(heading), speed = maybe(speed) },
    of_rest = function(body)
      return { unitId = body.unit_id, location = point(body, "location"), heading = body.heading,
               speed = body.speed }
    end,
  },
  ["unit:status"] = {
    socket = payload { unitId = id, status = word, incidentId = maybe(id) },
    rest = payload { unit_id = id, status = word, incident_id = maybe(id) },
    of_rest = function(body)
      return { unitId = body.unit_id, status = body.status, incidentId = body.incident_id }
    end,
  },
  ["incident:created"] = {
    socket = payload(incident),
    of_socket = function(data) return incident_of(data, data.incidentId or uuid()) end,
  },
  ["incident:status"] = {
    socket = payload { incidentId = id, status = word, userId = maybe(id) },
    rest = payload { incident_id = id, status = word, user_id = maybe(id) },
    of_rest = function(body)
      return { incidentId = body.incident_id, status = body.status, userId = body.user_id }
    end,
  },
  ["incident:timestamp"] = {
    socket = payload { incidentId = id, field = word, timestamp = time, location = maybe(Place),
                       source = maybe(word) },
    of_socket = function(data)
      data.location = point(data.location, "location")
      return data
    end,
    rest = payload { incident_id = id, field = word, timestamp = time, location = maybe(Place),
                     source = maybe(word) },
    of_rest = function(body)
      return { incidentId = body.incident_id, field = body.field, timestamp = body.timestamp,
               location = point(body.location, "location"), source = body.source }
    end,
  },
  ["transport:completed"] = {
    socket = payload {
      incidentId = id, epcrId = id, transportType = maybe(text), patientName = maybe(text),
      destination = maybe(text), billingData = maybe(schema.map(schema.any())),
      timestamp = maybe(time),
    },
    of_socket = function(data)
      -- It goes to another system as JSON.
      if data.billingData and not pcall(json.encode, data.billingData) then
        fail("invalid", "billingData must be plain JSON, without binary data",
             { path = "$.billingData", field = "billingData" })
      end
      return data
    end,
    rest = payload {
      incident_id = id, epcr_id = id, transport_type = maybe(text), patient_name = maybe(text),
      destination = maybe(text), billing_data = maybe(schema.map(schema.any())),
    },
    of_rest = function(body)
      return { incidentId = body.incident_id, epcrId = body.epcr_id,
               transportType = body.transport_type, patientName = body.patient_name,
               destination = body.destination, billingData = body.billing_data }
    end,
  },
  ["metrics:updated"] = {
    socket = payload { metrics = schema.map(schema.any()), timestamp = maybe(time) },
    rest = payload { metrics = schema.map(schema.any()) },
  },
}

--- An event's schema: of its payload ("socket") or its body ("rest").
function events.schema(event, form) return FORMS[event][form] end

local function without_nulls(value)
  local copy = {}
  for key, each in pairs(value) do
    if each ~= null then copy[key] = each end
  end
  return copy
end

--- The event's data, if the payload holds; else fails with `invalid` and the field's name.
function events.read(event, form, given)
  local forms = FORMS[event]
  local checked, problem = schema.check(forms[form], given)
  if problem then
    local field = problem.path:gsub("^%$%.?", "")
    if field == "" then field = form == "rest" and "body" or "payload" end
    fail("invalid", field .. " " .. problem.message, { path = problem.path, field = field })
  end
  local data = without_nulls(checked)
  if data.incident then data.incident = without_nulls(data.incident) end
  local finish = forms["of_" .. form]
  local result = finish and finish(data) or data
  result.id = data.id
  return result
end

return events
