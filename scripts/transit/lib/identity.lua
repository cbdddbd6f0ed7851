-- Who a socket is: `auth: {service_type, service_id, rooms}`, and the rooms by which it is reached.
local schema = require "schema"
local envelope = require "lib.envelope"

local identity = {}

local maybe = envelope.maybe
local AUTH = schema.object {
  service_type = maybe(schema.string { min = 1, max = 64, pattern = "^[%w._-]+$" }),
  service_id = maybe(schema.string { min = 1, max = 128, pattern = "^[%w._:@/-]+$" }),
  -- Never "service:" or "instance:": those say who one is, and are the broker's to give.
  rooms = maybe(schema.array(
    schema.string { max = 140, pattern = "^[drvz]%l+:." }, { max = 32 })),
}
local KINDS = { depot = true, route = true, vehicle = true, zone = true }

--- Middleware: notes who the socket says it is. A client that says nothing is a service "unknown".
function identity.admit(socket)
  local auth, problem = schema.check(AUTH, socket.handshake.auth)
  if not auth then
    local field = problem.path:gsub("^%$%.?", "auth.")
    fail("invalid", field .. " " .. problem.message, { field = field })
  end
  local rooms = envelope.value(auth.rooms) or {}
  for i, room in ipairs(rooms) do
    if not KINDS[room:match("^%l+")] then
      local field = string.format("auth.rooms[%d]", i - 1)
      fail("invalid", field .. " must be a depot:, route:, vehicle: or zone: room",
           { field = field })
    end
  end
  socket.data.service = {
    type = envelope.value(auth.service_type) or "unknown",
    id = envelope.value(auth.service_id) or socket.id,
    rooms = rooms,
    since = now(),
  }
end

--- Joins the rooms by which others reach this socket.
function identity.join(socket)
  local service = socket.data.service
  socket:join("service:" .. service.type, "instance:" .. service.id)
  for _, room in ipairs(service.rooms) do socket:join(room) end
end

--- The rooms that a target (a string or a list) means: a room, a socket's id or a service's id.
function identity.rooms_of(target)
  if type(target) == "string" then target = { target } end
  local rooms = {}
  for _, name in ipairs(target) do
    rooms[#rooms + 1] = name
    if not name:find("^service:") then rooms[#rooms + 1] = "instance:" .. name end
  end
  return rooms
end

return identity
