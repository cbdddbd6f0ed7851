-- /gateway: requests to tools, and what comes back. The work is /workers'.
local ns = namespace "/gateway"

local schema = require "schema"
local events = require "lib.events"
local identity = require "lib.identity"
local mailbox = require "lib.mailbox"
local option = require "shared.option"
local rate = require "lib.rate"
local sending = require "lib.sending"
local throttle = require "lib.throttle"

-- How long a request's id is remembered, so that asking again does not do it again.
local ANSWERED_SECONDS = option.amount("requests.remember_hours", 24) * 3600

local id = identity.id
local tool = schema.string { min = 1, max = 100, pattern = "^[%w._-]+$" }
local request_id = schema.string { min = 1, max = 128 }

ns:emits("status_update", schema.named("StatusUpdate", schema.object {
  requestId = request_id, sessionId = schema.string(), toolId = tool,
  status = schema.string { description = "queued, processing, retrying, or a worker's own word" },
  progress = schema.optional(schema.number { min = 0, max = 100 }),
  message = schema.optional(schema.string()), timestamp = schema.string(),
}))
ns:emits("ai_response", schema.named("AIResponse", schema.object {
  requestId = request_id, sessionId = schema.string(), userId = id, toolId = tool,
  success = schema.boolean(), response = schema.optional(schema.any()),
  error = schema.optional(schema.object { code = schema.string(), message = schema.string() }),
  attempts = schema.integer(), durationMs = schema.integer(), timestamp = schema.string(),
}))

local function answered_key(session_id, id_of_request)
  return "answered:" .. session_id .. "/" .. id_of_request
end

local function refuse_strangers(socket, session_id)
  if session_id and session_id ~= socket.data.who.sessionId then
    fail("forbidden", "sessionId: is not this connection's session", { path = "$.sessionId" })
  end
end

events.on(ns, "ai_request", {
  schema.named("AIRequest", schema.object {
    toolId = tool, message = sending.content,
    requestId = request_id,
    sessionId = schema.optional(schema.string { description = "the connection's own, without it" }),
    parameters = schema.optional(schema.object {}),
  }),
  returns = schema.object { success = schema.enum { true }, requestId = request_id,
                            status = schema.enum { "accepted", "pending", "answered" } },
}, function(socket, request)
  local who = socket.data.who
  refuse_strangers(socket, request.sessionId)
  sending.refuse_unfit("message", request.message)
  sending.refuse_unfit("parameters", request.parameters)
  if ns.store:get(answered_key(who.sessionId, request.requestId)) then
    return { success = true, requestId = request.requestId, status = "answered" }
  end
  rate.refuse_over(ns.state, "requests", who.userId)
  local status, why, code = ask("/workers", "submit", {
    requestId = request.requestId, sessionId = who.sessionId, userId = who.userId,
    toolId = request.toolId, message = request.message, parameters = request.parameters,
  })
  if not status then fail(code or "unavailable", why) end
  return { success = true, requestId = request.requestId, status = status }
end)

events.on(ns, "ai_cancel", {
  schema.object { requestId = request_id, sessionId = schema.optional(schema.string()) },
  returns = schema.object { success = schema.enum { true }, requestId = request_id },
}, function(socket, data)
  refuse_strangers(socket, data.sessionId)
  local done, why, code = ask("/workers", "cancel", socket.data.who.sessionId, data.requestId)
  if not done then fail(code or "unavailable", why) end
  return { success = true, requestId = data.requestId }
end)

ns:on_server("progress", function(update) throttle.offer(ns, update) end)

--- An answer for a session, which gets it now or when it is back: once, however often it is given.
ns:serve("respond", function(response)
  throttle.forget(ns, response)
  local owner = identity.session_room(response.sessionId)
  local key = answered_key(response.sessionId, response.requestId)
  response.timestamp = iso_time()
  local done, why = ns.store:transaction(function(store)
    if store:get(key) then return true end
    mailbox.keep(store, owner, "ai_response", response, math.huge)
    events.stored(identity.keep_session(ns, response.sessionId, response.userId))
    return events.stored(store:set(key, true, { ttl = ANSWERED_SECONDS }))
  end)
  if not done then fail("unavailable", why) end
  mailbox.send(ns, owner)
  return true
end)

spawn(function() throttle.look_after(ns) end)
