-- /gateway: who comes and goes, and how they want their events.
local ns = namespace "/gateway"

local schema = require "schema"
local announcements = require "lib.announcements"
local events = require "lib.events"
local identity = require "lib.identity"
local mailbox = require "lib.mailbox"
local option = require "shared.option"
local outlet = require "lib.outlet"
local presence = require "lib.presence"
local rooms = require "lib.rooms"
local stats = require "lib.stats"

local REQUIRE_TOKEN = option.of("auth.require_token", schema.one_of {
  schema.boolean(), schema.enum { "true", "false" } }, false)
REQUIRE_TOKEN = REQUIRE_TOKEN == true or REQUIRE_TOKEN == "true"
local RETRY_SECONDS = option.amount("mailbox.retry_seconds", 30)

ns:require_auth { optional = not REQUIRE_TOKEN }
ns:use(function(socket)
  identity.admit(ns, socket)
  socket.data.rooms_at_first = rooms.of_user(ns.store, socket.data.who.userId)
end)

--- Out of rooms that it was put out of while it was away.
local function leave_lost_rooms(socket)
  local still = {}
  for _, room_id in ipairs(rooms.of_user(ns.store, socket.data.who.userId)) do
    still[rooms.name(room_id)] = true
  end
  for _, room in ipairs(socket.rooms) do
    if room:sub(1, 5) == "room:" and not still[room] then socket:leave(room) end
  end
end

local figure = schema.integer { min = 0 }
ns:emits("connected", schema.named("Connected", schema.object {
  userId = identity.id, sessionId = schema.string(), socketId = schema.string(),
  rooms = schema.array(schema.string()), waiting = figure, timestamp = schema.string(),
}))
ns:emits("batch", schema.object {
  events = schema.array(schema.object { event = schema.string(), data = schema.any() }),
})

local function wish(socket)
  local auth = socket.handshake.auth
  if auth.filters or auth.batch then
    outlet.set_wishes(ns, socket, auth.filters, auth.batch and {
      ms = auth.batch.ms, max = auth.batch.max or 50 })
  end
end

ns:on_connect(function(socket)
  local who = socket.data.who
  local user, session = identity.user_room(who.userId), identity.session_room(who.sessionId)
  presence.add(ns.state, socket)
  stats.connected(ns.state, ns.state.socket_count)
  if socket.recovered then
    leave_lost_rooms(socket)
  else
    local member_of = socket.data.rooms_at_first
    socket.data.rooms_at_first = nil
    socket:join(user, session)
    for _, room_id in ipairs(member_of) do socket:join(rooms.name(room_id)) end
    wish(socket)
    outlet.to_socket(ns, socket, "connected", {
      userId = who.userId, sessionId = who.sessionId, socketId = socket.id,
      rooms = json.array(member_of), waiting = mailbox.waiting(ns, user), timestamp = iso_time(),
    })
    announcements.catch_up(ns, socket)
  end
  log.debug("connected", { user = who.userId, session = who.sessionId, socket = socket.id })
  gather(function() mailbox.deliver(ns, user) end, function() mailbox.deliver(ns, session) end)
end)

ns:on_disconnect(function(socket, reason)
  presence.remove(ns.state, socket)
  outlet.forget(ns, socket)
  identity.keep_session(ns, socket.data.who.sessionId, socket.data.who.userId)
  log.debug("disconnected", { user = socket.data.who.userId, socket = socket.id, reason = reason })
end)

events.refuse_others(ns)

local DONE = schema.named("Done", schema.object { success = schema.enum { true } })

events.on(ns, "set_filters", { outlet.filters, returns = DONE }, function(socket, filters)
  outlet.set_wishes(ns, socket, filters, nil)
  return { success = true }
end)

events.on(ns, "set_batching", { outlet.batching, returns = DONE }, function(socket, batch)
  outlet.set_wishes(ns, socket, nil, batch)
  return { success = true }
end)

events.on(ns, "refresh_token", {
  schema.object { token = schema.string { min = 1 } },
  returns = schema.object { success = schema.enum { true }, expiresAt = schema.any() },
}, function(socket, data)
  if not socket.data.user.sub then
    fail("forbidden", "this connection came without a token; come again with it")
  end
  local claims, why, code = socket:refresh(data.token)
  if not claims then fail(code or "unauthorized", why) end
  return { success = true, expiresAt = claims.exp and iso_time(claims.exp) or null }
end)

spawn(function() outlet.look_after(ns) end)
every(RETRY_SECONDS, function() mailbox.retry(ns) end)
every(identity.SESSION_TURN, function()
  for session_id, user_id in pairs(presence.sessions(ns.state)) do
    identity.keep_session(ns, session_id, user_id)
  end
end)
spawn(function() mailbox.retry(ns) end)  -- what a reload interrupted
if not REQUIRE_TOKEN then
  spawn(function()
    if ns.state.warned then return end
    ns.state.warned = true
    log.warn("users without a token are taken at their word (settings.auth.require_token)")
  end)
end
