-- What goes out, for clients' types: events by name, with what they carry.
local schema = require "schema"
local events = require "lib.events"

local outbound = {}

local text, time = schema.string(), schema.string { format = "date-time" }
local function maybe(kind) return schema.optional(kind) end

--- What every announcement has besides: when, and an id by which a second one is known.
local function announcement(fields)
  fields.id, fields.timestamp = text, fields.timestamp or time
  return schema.object(fields)
end

local Incident = {
  incidentId = text, type = maybe(text), address = maybe(text), priority = maybe(schema.integer()),
  details = maybe(text), location = maybe(events.Point),
}

local Assignment = schema.named("Assignment", schema.object {
  assignmentId = text, unitId = text, incidentId = text,
  incident = schema.named("AssignedIncident", schema.object(Incident)),
  state = schema.enum { "pending", "unconfirmed", "confirmed", "closed" },
  sends = schema.integer { description = "how often it was sent" },
  reachable = schema.optional(schema.boolean { description = "false: no client of the unit is there" }),
  sentAt = time, sentBy = text, lastSentAt = maybe(time), confirmedAt = maybe(time),
  confirmedBy = maybe(text), closedAt = maybe(time),
})

local made = { status = text }
for name, kind in pairs(Incident) do made[name] = kind end

local EVENTS = {
  authenticated = schema.object {
    success = schema.enum { true }, source = schema.enum { "bridge", "client" },
    roles = schema.array(text), unit = maybe(text), userId = text,
  },
  ["assignment:received"] = {
    Assignment, returns = schema.optional(schema.any { description = "anything but false confirms" }),
  },
  ["assignment:updated"] = Assignment,
  ["unit:location:updated"] = announcement {
    unitId = text, location = events.Point, heading = maybe(schema.number()),
    speed = maybe(schema.number()),
  },
  ["unit:status:updated"] = announcement {
    unitId = text, status = text, incidentId = maybe(text), previousStatus = maybe(text),
  },
  ["incident:new"] = announcement(made),
  ["incident:status:updated"] = announcement {
    incidentId = text, status = text, previousStatus = maybe(text), userId = text,
  },
  ["incident:timestamp:updated"] = announcement {
    incidentId = text, field = text, timestamp = text, location = maybe(events.Point), source = text,
  },
  ["transport:completed"] = announcement {
    incidentId = text, epcrId = text, transportType = maybe(text), patientName = maybe(text),
    destination = maybe(text), billingData = schema.map(schema.any()),
  },
  ["metrics:updated"] = announcement { metrics = schema.map(schema.any()) },
}

function outbound.declare(ns)
  for event, carries in pairs(EVENTS) do ns:emits(event, carries) end
end

return outbound
