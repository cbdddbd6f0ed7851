-- HTTP under /api/socket-bridge: the document's paths, and what operators ask.
local assignments = require "lib.assignments"
local board = require "lib.board"
local clients = require "lib.clients"
local events = require "lib.events"
local hub = require "lib.hub"
local identity = require "lib.identity"
local paging = require "shared.paging"
local roles = require "shared.roles"

local api = {}

local BASE = "/api/socket-bridge"

--- Who asks, with one of these roles; refusals are in the audit log.
local function actor_of(request, wanted)
  local actor = identity.nobody()
  local ok, problem = pcall(function()
    actor = identity.of(identity.bearer(request))
    roles.require(actor, wanted)
  end)
  if ok then return actor end
  hub.note(actor, request.method .. " " .. request.path,
           type(problem) == "table" and problem.code or "internal", request.address)
  error(problem, 0)
end

local function serve(method, path, wanted, fn)
  route(method, BASE .. path, function(request)
    local actor = actor_of(request, wanted)
    return 200, fn(request, actor)
  end)
end

local NAMES = {
  unitId = "unit_id", incidentId = "incident_id", assignmentId = "assignment_id",
  epcrId = "epcr_id", metricCount = "metric_count",
}

--- A path that does what an event does; `message(answer)` is for people.
local function serve_event(path, event, wanted, message)
  serve("POST", path, wanted, function(request, actor)
    if type(request.json) ~= "table" then
      fail("invalid", "body must be a JSON object", { path = "$", field = "body" })
    end
    local answer = hub.perform(event, actor, request.json, "rest")
    local body = { message = message(answer) }
    for name, value in pairs(answer) do body[NAMES[name] or name] = value end
    return body
  end)
end

--- {mean_ms, longest_ms, processed, refused} of events since the start.
local function processing()
  local figures = hub.figures()
  local function ms(seconds) return math.floor(seconds * 1e5 + 0.5) / 100 end
  return {
    mean_ms = figures.processed > 0 and ms(figures.total / figures.processed) or 0,
    longest_ms = ms(figures.longest), processed = figures.processed, refused = figures.refused,
  }
end

--- What anybody may know.
local function health(bridge, outbox, target)
  local status, waiting = bridge:status(), outbox:status()
  local enabled = status.state ~= "disabled"
  local is_well = (not enabled or status.connected) and waiting.set_aside == 0
    and (waiting.attempt == 0 or target == "none")
  return {
    status = is_well and "healthy" or "degraded",
    bridge = {
      state = status.state, connected = status.connected or false,
      uptime_percent = status.uptime_percent, uptime_seconds = status.uptime_seconds,
      connection_attempts = status.attempts, reconnections = status.reconnections,
      queued = status.queued, failed_emissions = status.failed_emissions,
    },
    event_processing = processing(),
    hub = {
      connections = clients.figures(), units = board.count("units"),
      incidents = board.count("incidents"), assignments = assignments.figures(),
    },
    billing = { target = target, waiting = waiting.waiting, set_aside = waiting.set_aside,
                delivered = waiting.delivered, oldest_at = waiting.oldest_at },
    timestamp = iso_time(),
  }
end

--- Of all records that hold, those with the first `most` keys after `after`.
local function first(all, after, most, holds)
  local keys = {}
  for id, record in pairs(all) do
    local is_early = #keys < most or id < keys[#keys]
    if is_early and (not after or id > after) and holds(record) then
      local at = #keys + 1
      while at > 1 and keys[at - 1] > id do at = at - 1 end
      table.insert(keys, at, id)
      keys[most + 1] = nil
    end
  end
  local chosen = {}
  for _, id in ipairs(keys) do chosen[id] = all[id] end
  return chosen
end

local function any() return true end

--- A path with the records of a kind, by pages; `holds(query)` makes of the query what is wanted.
local function list(path, kind, wanted, holds)
  serve("GET", path, wanted, function(request)
    local page = paging.of(request.query, { by = "key" })
    local chosen = first(board.all(kind), page.after, page.limit + 1,
                         holds and holds(request.query) or any)
    return paging.table(chosen, page, function(_, record) return record end)
  end)
end

local STAFF, BOARDS = { "dispatcher", "admin" }, { "dispatcher", "admin", "dashboard" }

function api.open(bridge, outbox, target)
  route("GET", BASE .. "/health", function() return 200, health(bridge, outbox, target) end)

  serve_event("/assignments/send", "assignment:sent", STAFF, function(answer)
    return "Assignment sent to unit " .. (answer.unitId or "as before")
  end)
  serve_event("/units/location", "unit:location", { "crew", "admin" },
              function() return "Location updated" end)
  serve_event("/units/status", "unit:status", { "crew", "admin" },
              function() return "Status updated" end)
  serve_event("/incidents/status", "incident:status", STAFF,
              function() return "Incident updated" end)
  serve_event("/incidents/timestamp", "incident:timestamp", { "crew", "admin" },
              function() return "Timestamp recorded" end)
  serve_event("/transport/completed", "transport:completed", { "crew", "admin" },
              function() return "Transport completion noted for billing" end)
  serve_event("/metrics/broadcast", "metrics:updated", { "admin" },
              function() return "Metrics broadcast" end)

  serve("POST", "/reconnect", { "admin" }, function(_, actor)
    if not bridge.link then fail("unavailable", "there is no bridge: bridge.url is not set") end
    bridge.link:reconnect()
    hub.note(actor, "reconnect", "done")
    return { success = true, message = "The bridge connects anew", status = bridge:status() }
  end)
  serve("GET", "/status", { "admin" }, function()
    return { bridge = bridge:status(), billing = outbox:status(), processing = processing(),
             timestamp = iso_time() }
  end)
  serve("POST", "/billing/retry", { "admin" }, function(_, actor)
    local moved, why = outbox:retry()
    if not moved then fail("unavailable", why) end
    hub.note(actor, "billing/retry", "done")
    return { success = true, moved = moved }
  end)
  serve("GET", "/audit", { "admin" }, function(request)
    local query = {}
    for name, value in pairs(request.query) do query[name] = value end
    local log_of = query.log == "positions" and hub.positions or hub.audit
    query.log = nil
    return log_of:query(query)
  end)

  list("/units", "units", { "dispatcher", "admin", "dashboard", "crew" })
  list("/incidents", "incidents", BOARDS, function(query)
    return query.open == "true" and function(incident) return not incident.closedAt end
  end)
  list("/assignments", "assignments", STAFF, function(query)
    return query.state and function(assignment) return assignment.state == query.state end
  end)
end

return api
