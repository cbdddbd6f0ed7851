-- Who a socket is. `auth: {userId, sessionId}`, or a token, whose `sub` is the user; further
-- `acks`, `filters` and `batch` say how it wants its events. A session belongs to the user who
-- first had it.
local schema = require "schema"
local events = require "lib.events"
local mailbox = require "lib.mailbox"
local option = require "shared.option"
local outlet = require "lib.outlet"

local identity = {}

local SESSION_SECONDS = option.amount("sessions.keep_hours", 24) * 3600

identity.id = schema.string { min = 1, max = 128, pattern = "^[%w._:@|+-]+$",
                              description = "letters, digits, . _ : @ | + -" }

local id = identity.id
local AUTH = schema.object {
  userId = schema.optional(id), sessionId = schema.optional(id),
  acks = schema.optional(schema.boolean()),
  filters = schema.optional(outlet.filters), batch = schema.optional(outlet.batching),
}

local function refuse(field, what)
  fail("invalid", "auth." .. field .. ": " .. what, { path = "$." .. field })
end

--- A token's user and session.
local function from_claims(claims, auth)
  local user_id = claims.sub
  if schema.check(id, user_id) == nil then
    fail("unauthorized", "the token's sub is no user")
  end
  if auth.userId and auth.userId ~= user_id then
    fail("forbidden", "the token is of another user than auth.userId")
  end
  local session = auth.sessionId or claims.sid
  return user_id, schema.check(id, session)
end

local function session_key(session_id) return "session:" .. session_id end

--- The session stays the user's for a while from now on; for as long as answers may wait for it, if
--- some do: they are not for whoever has it next.
function identity.keep_session(ns, session_id, user_id)
  local waits = mailbox.waiting(ns, identity.session_room(session_id)) > 0
  return ns.store:set(session_key(session_id), user_id, {
    ttl = waits and math.max(SESSION_SECONDS, mailbox.KEEP_SECONDS) or SESSION_SECONDS,
    durable = false,
  })
end

--- The session becomes the user's, if it is nobody else's.
local function take_session(ns, session_id, user_id)
  local owner, why = ns.store:transaction(function(store)
    local owner = store:get(session_key(session_id)) or user_id
    if owner == user_id then events.stored(identity.keep_session(ns, session_id, user_id)) end
    return owner
  end, { durable = false })
  if not owner then fail("unavailable", why) end
  if owner ~= user_id then fail("forbidden", "the session is another user's") end
end

--- How often the sessions of those who are connected are to be kept.
identity.SESSION_TURN = math.max(1, math.min(3600, SESSION_SECONDS / 4))

--- Middleware: leaves socket.data.who = {userId, sessionId}.
function identity.admit(ns, socket)
  local auth, problem = schema.check(AUTH, socket.handshake.auth)
  if problem then refuse(problem.path:gsub("^%$%.?", ""), problem.message) end
  local claims = socket.data.user
  local user_id, session_id
  if claims then
    user_id, session_id = from_claims(claims, auth)
    session_id = session_id or socket.id
  else
    for _, field in ipairs { "userId", "sessionId" } do
      if not auth[field] then
        fail("unauthorized", "auth." .. field .. " is missing", { path = "$." .. field })
      end
    end
    user_id, session_id = auth.userId, auth.sessionId
    socket.data.user = { id = user_id }
  end
  take_session(ns, session_id, user_id)
  socket.data.who = { userId = user_id, sessionId = session_id }
  socket.data.acks = auth.acks or nil
end

function identity.user_room(user_id) return "user:" .. user_id end

function identity.session_room(session_id) return "session:" .. session_id end

return identity
