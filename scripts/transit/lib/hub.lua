-- What the four namespaces have in common: who comes and goes, checked messages in and out,
-- routing, refusals and counters.
local schema = require "schema"
local envelope = require "lib.envelope"
local identity = require "lib.identity"

local MONITORS = "/system-events"

local refusal_schema = schema.named("Refusal", schema.object {
  code = schema.string(), message = schema.string(),
  field = schema.nullable(schema.string { description = "what is to blame, if one field is" }),
})
local REFUSAL = envelope.of("system:error", refusal_schema)
local REFUSED = schema.named("ErrorAnswer", schema.object { error = refusal_schema })
local PASSED_ON = schema.named("PassedOn", schema.object {
  ok = schema.enum { true }, id = envelope.id,
  recipients = schema.optional(schema.integer { min = 0, description = "if it had a target" }),
})

local hub = {}
hub.__index = hub

--- Wires a namespace up; `figures()` adds to what the health check reports of it.
function hub.open(ns, figures)
  local self = setmetatable({ ns = ns, events = {} }, hub)
  if ns.name ~= MONITORS then ns:emits("system:error", REFUSAL) end

  ns:use(identity.admit)
  ns:on_connect(function(socket)
    identity.join(socket)
    self:count("connections")
    self:announce("system:service_connected", socket, {})
  end)
  ns:on_disconnect(function(socket, reason)
    self:count("disconnections")
    local since = socket.data.service.since
    self:announce("system:service_disconnected", socket,
                  { reason = reason, connected_seconds = now() - since })
  end)
  ns:on_any(function(socket, event, message)
    self:count("received")
    if not self.events[event] then self:refuse_unknown(socket, event, message) end
  end)
  -- Other namespaces' scripts speak as services do: a message, checked and routed like a client's.
  -- What comes back is the acknowledgement.
  local insider = {
    id = "moonwire", data = {}, emit = function() end, broadcast = function() return ns end,
  }
  ns:serve("message", function(message)
    self:count("received")
    local take = self.events[message.type]
    if not take then return self:refuse_unknown(insider, message.type, message) end
    return take(insider, message)
  end)
  ns:serve("figures", function()
    local counters = self:counters()
    local report = {
      connections = counters.connections - counters.disconnections,
      received = counters.received, sent = counters.sent, refused = counters.refused,
    }
    for name, value in pairs(figures and figures() or {}) do report[name] = value end
    return report
  end)
  return self
end

function hub:counters()
  local state = self.ns.state
  if not state.counters then
    state.counters = { connections = 0, disconnections = 0, received = 0, sent = 0, refused = 0 }
  end
  return state.counters
end

function hub:count(what)
  local counters = self:counters()
  counters[what] = counters[what] + 1
end

--- Tells the monitors that a service came or went.
function hub:announce(event, socket, data)
  local service = socket.data.service
  data.service_type, data.service_id = service.type, service.id
  data.socket_id, data.namespace = socket.id, self.ns.name
  namespace_of(MONITORS):except(socket.id):emit(event, envelope.make(event, data))
end

--- Handles an inbound event: `handler(socket, message)` is called with a message that holds; what
--- it returns is the acknowledgement. fail(code, message, {field = …}) in it refuses the message.
--- For clients' types `terms` may say what else than the message goes out (`sends`, its data), and
--- what besides that it is passed on is acknowledged (`answer`, a message).
function hub:on(event, data, handler, terms)
  local message_schema, answers = envelope.of(event, data), { PASSED_ON, REFUSED }
  if terms and terms.answer then table.insert(answers, 1, terms.answer) end
  -- What comes in is passed on.
  self.ns:emits(event, terms and terms.sends and envelope.of(event, terms.sends) or message_schema)
  local function take(socket, message)
    local checked, problem = schema.check(message_schema, message)
    if not checked then
      local field = problem.path:gsub("^%$%.?", "")
      if field == "" then field = "message" end
      return self:refuse(socket, event, message, {
        code = "invalid", message = field .. " " .. problem.message, field = field,
      })
    end
    local ok, answer = pcall(handler, socket, checked)
    if ok then return answer end
    if type(answer) ~= "table" or not answer.code then error(answer, 0) end
    local refusal = { code = answer.code, message = answer.message }
    for key, value in pairs(answer.data or {}) do refusal[key] = value end
    return self:refuse(socket, event, checked, refusal)
  end
  self.events[event] = take
  self.ns:on(event, {
    message_schema, returns = schema.one_of(answers), check = false,  -- but here, in its own words
  }, take)
end

--- An event that is only passed on.
function hub:pass(event, data, terms)
  self:on(event, data, function(socket, message) return self:relay(socket, message) end, terms)
end

function hub:refuse_unknown(socket, event, message)
  return self:refuse(socket, event, message, {
    code = "unknown_event", message = "no event '" .. event .. "' here", field = "type",
  })
end

--- Tells the sender what was wrong; the result is for the acknowledgement.
function hub:refuse(socket, event, message, refusal)
  self:count("refused")
  if refusal.field == nil then refusal.field = null end
  self:send(socket, "system:error", refusal,
            { target = socket.id, correlationId = envelope.correlation(message),
              metadata = { event = event } })
  return { error = refusal }
end

--- Sends a message of the broker's to a socket or any other chain; returns it.
function hub:send(to, event, data, fields)
  local message = envelope.make(event, data, fields)
  self:count("sent")
  to:emit(event, message)
  return message
end

--- Answers a request: the answer goes to the asker only and carries its correlationId. Returned for
--- the acknowledgement, too.
function hub:reply(socket, request, event, data)
  return self:send(socket, event, data,
                   { target = socket.id, correlationId = envelope.correlation(request) })
end

function hub:is_addressed(message) return envelope.value(message.target) ~= nil end

--- Passes a client's message on: to its targets, or to everyone else in the namespace.
function hub:relay(socket, message)
  local target = envelope.value(message.target)
  if not target then
    socket:broadcast():emit(message.type, message)
    return { ok = true, id = message.id }
  end
  local audience = self.ns:to(identity.rooms_of(target))
  audience:emit(message.type, message)
  return { ok = true, id = message.id, recipients = audience:count() }
end

return hub
