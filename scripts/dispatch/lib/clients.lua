-- Those who connect: who they are by their token, which rooms they hear, and that they go when
-- their token ends. Rooms: everyone (with a role), boards (incidents: dispatchers,
-- dashboards, services), staff (assignments and billing, too: dispatchers, admins, services),
-- unit:<id>, incident:<id> (the crews that are assigned); unauthenticated, which hears nothing.
local assignments = require "lib.assignments"
local hub = require "lib.hub"
local identity = require "lib.identity"
local option = require "shared.option"
local roles = require "shared.roles"
local schema = require "schema"

local clients = {}

local GRACE_SECONDS = option.amount("auth.grace_seconds", 10)
local UNITS_A_SOCKET = 50
local UNITS = { "crew", "dispatcher", "admin" }  -- who may hear a unit's assignments
local NEVER = 253402300799  -- for a token without an end: the last second of the year 9999
local token_payload = schema.object { token = schema.string { min = 1, max = 8192 } }
local unit_id = schema.string { min = 1, max = 128 }

local ns

--- Runs `fn(...)`; what it fails with goes on, and into the audit log.
local function noted(actor, what, fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result end
  hub.note(actor, what, type(result) == "table" and result.code or "internal", nil,
           type(result) == "table" and result.message or nil)
  error(result, 0)
end

local function join_unit(socket, unit)
  socket:join("unit:" .. unit)
  assignments.welcome(socket, unit)
end

--- In the rooms that its actor may hear.
local function let_in(socket)
  local actor = socket.data.actor
  local has_role = #actor.roles > 0
  if has_role then socket:join("everyone") end
  if roles.has(actor, { "dispatcher", "admin" }) then socket:join("staff") end
  if roles.has(actor, { "dispatcher", "admin", "dashboard" }) then socket:join("boards") end
  socket:refresh(actor.expires or NEVER)
  socket:emit("authenticated", {
    success = true, source = actor.source, roles = json.array(actor.roles), unit = actor.unit,
    userId = actor.id,
  })
  -- Before anything that waits: newer ones come by the room.
  if has_role and ns.state.metrics then socket:emit("metrics:updated", ns.state.metrics) end
  hub.note(actor, "connected", "done", socket.id)
  if actor.unit and roles.has(actor, UNITS) then join_unit(socket, actor.unit) end
end

--- Connections by their source: {total, bridge, client, unauthenticated}.
function clients.figures()
  local state = ns.state
  if not state.connections then
    state.connections = { total = 0, bridge = 0, client = 0, unauthenticated = 0 }
  end
  return state.connections
end

local function count(source, by)
  local figures = clients.figures()
  figures.total, figures[source] = figures.total + by, figures[source] + by
end

--- Those who have not said for too long who they are.
local function put_out_late()
  for _, socket in ipairs(ns:to("unauthenticated"):fetch()) do
    if now() >= socket.data.put_out_at then socket:disconnect() end
  end
end

local function take(socket, actor)
  socket.data.actor = actor
  socket.data.user = { id = actor.id, roles = actor.roles }
end

function clients.open(the_ns)
  ns = the_ns

  ns:use(function(socket)
    local token = socket.handshake.auth.token or socket.handshake.query.token
    if token == nil or token == null or token == "" then
      if GRACE_SECONDS > 0 then
        socket.data.actor = identity.nobody()
        return
      end
      token = nil
    end
    take(socket, noted(identity.nobody(), "connect", identity.of, token))
  end)

  ns:on_connect(function(socket)
    local actor = socket.data.actor
    count(actor.source, 1)
    if actor.source ~= "unauthenticated" then return let_in(socket) end
    hub.note(actor, "connected", "unauthorized", socket.id)
    socket.data.put_out_at = now() + GRACE_SECONDS
    socket:join("unauthenticated")
  end)
  -- Not by a timer for each: those end with a reload.
  every(1, put_out_late)

  ns:on_disconnect(function(socket, reason)
    count(socket.data.actor.source, -1)
    hub.note(socket.data.actor, "disconnected", "done", socket.id, reason)
  end)

  -- The handshake after the connection; and a newer token for one that ends.
  ns:on("fastapi:authenticate", { token_payload }, function(socket, given)
    local before = socket.data.actor
    local actor = noted(before, "fastapi:authenticate", function()
      local found = identity.of(given.token)
      if before.source ~= "unauthenticated" and found.id ~= before.id then
        fail("forbidden", "the token is of somebody else")
      end
      return found
    end)
    if not socket.connected then return end
    -- The newer token may be of another role, or unit.
    for _, room in ipairs(socket.rooms) do
      if room ~= socket.id then socket:leave(room) end
    end
    count(before.source, -1)
    count(actor.source, 1)
    take(socket, actor)
    let_in(socket)
    return { success = true, source = actor.source }
  end)

  ns:on("join:unit", { unit_id }, function(socket, unit)
    local actor = socket.data.actor
    return noted(actor, "join:unit", function()
      if actor.source == "unauthenticated" then fail("unauthorized", "no token") end
      roles.require(actor, UNITS)
      identity.refuse_other_unit(actor, unit)
      if #socket.rooms >= UNITS_A_SOCKET then
        fail("busy", string.format("a socket may be in %d rooms", UNITS_A_SOCKET))
      end
      join_unit(socket, unit)
      return { success = true, room = "unit:" .. unit }
    end)
  end)

  ns:on("leave:unit", { unit_id }, function(socket, unit)
    socket:leave("unit:" .. unit)
    assignments.dismiss(socket, unit)
    return { success = true }
  end)
end

return clients
