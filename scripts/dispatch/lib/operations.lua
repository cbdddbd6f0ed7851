-- What each event does. An operation has the roles that may, how often it comes (`frequent` ones
-- have an audit log of their own), whom it is about, and `run(actor, data)`: it changes the board,
-- tells those concerned and returns the answer.
local assignments = require "lib.assignments"
local billing = require "lib.billing"
local board = require "lib.board"
local identity = require "lib.identity"
local option = require "shared.option"
local roles = require "shared.roles"
local schema = require "schema"

local operations = { by_event = {} }

local STAFF, CREW = { "dispatcher", "admin" }, { "crew", "admin" }
local FIELDS = 64  -- timestamps, and transports, of one incident
local words = schema.optional(schema.array(schema.string()))
local UNIT_STATUSES = option.of("board.unit_statuses", words)
local INCIDENT_STATUSES = option.of("board.incident_statuses", words)

local ns, outbox

--- Sends an event to rooms; it carries an id, by which another system can tell that it comes twice.
local function announce(rooms, event, data, given)
  data.id = given.id or uuid()
  data.timestamp = data.timestamp or iso_time()
  ns:to(rooms):emit(event, data)
  return data
end

local function refuse_unlisted(statuses, status)
  if not statuses then return end
  for _, each in ipairs(statuses) do
    if each == status then return end
  end
  fail("invalid", "status must be one of " .. table.concat(statuses, ", "),
       { path = "$.status", field = "status" })
end

--- A crew's unit must be assigned to the incident, if the token names the unit.
local function refuse_other_incident(actor, incident)
  if roles.has(actor, STAFF) then return end
  identity.refuse_other_unit(actor, actor.unit)
  if actor.unit and not board.assignment_of(actor.unit, incident) then
    fail("forbidden", actor.unit .. " is not assigned to incident " .. incident)
  end
end

local function incident_rooms(incident) return { "boards", "incident:" .. incident } end

--- An incident becomes known by the first event that names it.
local function begin(record, incident)
  record.incidentId = incident
  record.status = record.status or "pending"
  record.createdAt = record.createdAt or iso_time()
  record.updatedAt = iso_time()
  record.timestamps = record.timestamps or {}
end

local DETAILS = { "type", "address", "priority", "details", "location" }

--- Takes in what is new of an incident; tells the boards if nobody knew it.
local function learn(actor, incident, given)
  local record, before = board.change("incidents", incident.incidentId, function(record)
    local is_new = not record.incidentId
    for _, field in ipairs(DETAILS) do
      if incident[field] ~= nil and record[field] == nil then
        record[field], is_new = incident[field], true
      end
    end
    if not is_new then return false end
    begin(record, incident.incidentId)
    record.createdBy = record.createdBy or actor.id
  end)
  if before == nil then
    announce("boards", "incident:new", {
      incidentId = record.incidentId, type = record.type, address = record.address,
      priority = record.priority, details = record.details, location = record.location,
      status = record.status,
    }, given)
  end
  return record, before == nil
end

local function refuse_closed(incident)
  if incident and incident.closedAt then
    fail("conflict", "incident " .. incident.incidentId .. " is " .. incident.status)
  end
end

operations.by_event["incident:created"] = {
  roles = STAFF, subject = "incidentId",
  run = function(actor, data)
    local record, is_new = learn(actor, data, data)
    if not is_new and not actor.upstream then
      fail("conflict", "incident " .. data.incidentId .. " is known already",
           { field = "incidentId" })
    end
    return { incidentId = record.incidentId, status = record.status }
  end,
}

operations.by_event["assignment:sent"] = {
  roles = STAFF, subject = "unitId",
  run = function(actor, data)
    refuse_closed(board.find("incidents", data.incident.incidentId))
    local incident = learn(actor, data.incident, {})
    for _, field in ipairs(DETAILS) do
      if data.incident[field] == nil then data.incident[field] = incident[field] end
    end
    local assignment, was_there = assignments.make(data, actor.id)
    return { assignmentId = assignment.assignmentId, unitId = assignment.unitId,
             incidentId = assignment.incidentId, state = assignment.state,
             duplicate = was_there or nil },
      not was_there and { assignmentId = assignment.assignmentId, unitId = assignment.unitId,
                          incident = assignment.incident, timestamp = assignment.sentAt }
  end,
}

-- A unit confirms; or another system tells of an assignment that it has made.
operations.by_event["assignment:received"] = {
  roles = { "crew", "dispatcher", "admin" }, subject = "assignmentId",
  run = function(actor, data)
    local known = board.find("assignments", data.assignmentId)
    local assignment, was_there
    if not known and actor.upstream and data.unitId and data.incident.incidentId then
      learn(actor, data.incident, {})
      assignment, was_there = assignments.make(data, actor.id, true)
    else
      if not known then fail("not_found", "no assignment " .. data.assignmentId) end
      identity.refuse_other_unit(actor, known.unitId)
      assignment, was_there = assignments.confirm(data.assignmentId, actor.id)
    end
    return { assignmentId = assignment.assignmentId, state = assignment.state,
             duplicate = was_there or nil },
      not was_there and { assignmentId = assignment.assignmentId, unitId = assignment.unitId,
                          incidentId = assignment.incidentId, confirmedBy = assignment.confirmedBy,
                          timestamp = assignment.confirmedAt }
  end,
}

operations.by_event["unit:location"] = {
  roles = CREW, subject = "unitId", frequent = true,
  run = function(actor, data)
    identity.refuse_other_unit(actor, data.unitId)
    -- The next one replaces it in seconds, so a power cut may have the last.
    local unit = board.change("units", data.unitId, function(record)
      record.unitId, record.location, record.heading, record.speed =
        data.unitId, data.location, data.heading, data.speed
      record.locatedAt, record.updatedAt = iso_time(), iso_time()
    end, { durable = false })
    local told = announce("everyone", "unit:location:updated", {
      unitId = unit.unitId, location = unit.location, heading = unit.heading, speed = unit.speed,
    }, data)
    return { unitId = unit.unitId }, told
  end,
}

operations.by_event["unit:status"] = {
  roles = CREW, subject = "unitId",
  run = function(actor, data)
    identity.refuse_other_unit(actor, data.unitId)
    refuse_unlisted(UNIT_STATUSES, data.status)
    local unit, before = board.change("units", data.unitId, function(record)
      record.unitId, record.status, record.incidentId = data.unitId, data.status, data.incidentId
      record.statusAt, record.updatedAt = iso_time(), iso_time()
    end)
    local told = announce("everyone", "unit:status:updated", {
      unitId = unit.unitId, status = unit.status, incidentId = unit.incidentId,
      previousStatus = before and before.status,
    }, data)
    return { unitId = unit.unitId, status = unit.status }, told
  end,
}

operations.by_event["incident:status"] = {
  roles = STAFF, subject = "incidentId",
  run = function(actor, data)
    refuse_unlisted(INCIDENT_STATUSES, data.status)
    local incident, before = board.change("incidents", data.incidentId, function(record)
      if record.status ~= data.status then refuse_closed(record) end
      begin(record, data.incidentId)
      record.status = data.status
      if board.is_closing(data.status) then record.closedAt = record.closedAt or iso_time() end
    end)
    local told = announce(incident_rooms(data.incidentId), "incident:status:updated", {
      incidentId = incident.incidentId, status = incident.status,
      previousStatus = before and before.status, userId = data.userId or actor.id,
    }, data)
    if incident.closedAt then assignments.close_all(incident.incidentId) end
    return { incidentId = incident.incidentId, status = incident.status }, told
  end,
}

--- Adds to one of an incident's tables, which may have so many entries.
local function add_to(record, name, key, value)
  local entries, n = record[name] or {}, 0
  for _ in pairs(entries) do n = n + 1 end
  if entries[key] == nil and n >= FIELDS then
    fail("busy", string.format("an incident has at most %d %s", FIELDS, name))
  end
  entries[key] = value
  record[name] = entries
end

operations.by_event["incident:timestamp"] = {
  roles = CREW, subject = "incidentId",
  run = function(actor, data)
    refuse_other_incident(actor, data.incidentId)
    board.change("incidents", data.incidentId, function(record)
      begin(record, data.incidentId)
      add_to(record, "timestamps", data.field, {
        timestamp = data.timestamp, location = data.location, source = data.source or "manual",
        by = actor.id,
      })
    end)
    local told = announce(incident_rooms(data.incidentId), "incident:timestamp:updated", {
      incidentId = data.incidentId, field = data.field, timestamp = data.timestamp,
      location = data.location, source = data.source or "manual",
    }, data)
    return { incidentId = data.incidentId, field = data.field, timestamp = data.timestamp }, told
  end,
}

-- The trigger of billing: with the incident, in one transaction, it goes into the outbox. A
-- patient's record (epcrId) of an incident is billed once.
operations.by_event["transport:completed"] = {
  roles = CREW, subject = "incidentId",
  run = function(actor, data)
    refuse_other_incident(actor, data.incidentId)
    local bill = {
      event = "transport:completed", incidentId = data.incidentId, epcrId = data.epcrId,
      transportType = data.transportType, patientName = data.patientName,
      destination = data.destination, billingData = data.billingData or {},
      timestamp = iso_time(), reportedBy = actor.id,
    }
    local message_id = billing.id(data.incidentId, data.epcrId)
    local _, before = board.change("incidents", data.incidentId, function(record)
      if (record.transports or {})[data.epcrId] then return false end
      begin(record, data.incidentId)
      add_to(record, "transports", data.epcrId, bill.timestamp)
    end, { also = function(store) outbox:add(store, message_id, bill) end })
    outbox:wake()
    local answer = { incidentId = data.incidentId, epcrId = data.epcrId }
    if before == false then
      answer.duplicate = true
      return answer
    end
    local told = announce("staff", "transport:completed", {
      incidentId = bill.incidentId, epcrId = bill.epcrId, transportType = bill.transportType,
      patientName = bill.patientName, destination = bill.destination,
      billingData = bill.billingData, timestamp = bill.timestamp,
    }, data)
    return answer, told
  end,
}

operations.by_event["metrics:updated"] = {
  roles = { "admin" },
  run = function(_, data)
    local count = 0
    for _ in pairs(data.metrics) do count = count + 1 end
    local told = announce("everyone", "metrics:updated", { metrics = data.metrics }, data)
    ns.state.metrics = told
    return { metricCount = count }, told
  end,
}

function operations.open(the_ns, the_outbox) ns, outbox = the_ns, the_outbox end

return operations
