-- What the tests share: people with tokens, requests with theirs, and refusals.
local schema = require "schema"

local support = {}

support.NSP, support.BASE = "/dispatch", "/api/socket-bridge"
support.INCIDENT = { incidentId = "INC-001", type = "Cardiac Arrest", address = "123 Main St",
                     priority = 1 }
support.HERE = { type = "Point", coordinates = { -74, 40.7 } }

-- A good payload of every event, who may and who may not.
support.EVENTS = {
  ["assignment:sent"] = { { unitId = "UNIT-5", incident = support.INCIDENT }, "dispatcher", "crew" },
  ["assignment:received"] = { { assignmentId = "A-1" }, "crew", "dashboard" },
  ["unit:location"] = { { unitId = "UNIT-5", location = support.HERE }, "crew", "dispatcher" },
  ["unit:status"] = { { unitId = "UNIT-5", status = "available" }, "crew", "dispatcher" },
  ["incident:created"] = { { incidentId = "INC-002" }, "dispatcher", "crew" },
  ["incident:status"] = { { incidentId = "INC-001", status = "enroute" }, "dispatcher", "crew" },
  ["incident:timestamp"] = { { incidentId = "INC-001", field = "onscene_at", timestamp = "2026-03-01T08:00:00Z" },
                             "crew", "dispatcher" },
  ["transport:completed"] = { { incidentId = "INC-001", epcrId = "E-1" }, "crew", "dispatcher" },
  ["metrics:updated"] = { { metrics = { active = 3 } }, "admin", "dispatcher" },
}

function support.user(role, fields)
  local user = { sub = role .. "-1", role = role }
  for name, value in pairs(fields or {}) do user[name] = value end
  return user
end

--- A client with a role; `fields` are more of its claims.
function support.join(role, fields)
  local client, refusal = connect(support.NSP, { user = support.user(role, fields) })
  if not client then error("refused: " .. refusal.message, 2) end
  return client
end

--- A crew whose token names its unit; it has not confirmed anything unless `answer` says so.
function support.crew(unit, answer)
  local client = support.join("crew", { sub = "crew of " .. unit, unitId = unit })
  client:on_call("assignment:received", function() return answer or false end)
  return client
end

--- A request by a role (nil: without a token); status and body.
function support.post(role, path, json)
  return request("POST", support.BASE .. path, {
    json = json, user = role and support.user(role) or nil,
  })
end

function support.get(role, path, query)
  return request("GET", support.BASE .. path, {
    query = query, user = role and support.user(role) or nil,
  })
end

--- An acknowledgement that refuses, for to_match.
function support.refusal(code, field)
  return { error = { code = code, message = schema.string { min = 1 },
                     data = field and { field = field } or nil } }
end

--- Sends an incident's assignment to UNIT-5 as a dispatcher; its answer.
function support.assign(dispatcher, fields)
  local payload = { unitId = "UNIT-5", incident = support.INCIDENT }
  for name, value in pairs(fields or {}) do payload[name] = value end
  return dispatcher:call("assignment:sent", payload)
end

--- The last event of a name that a client has got.
function support.last(client, event)
  local all = client:received(event)
  return all[#all]
end

return support
