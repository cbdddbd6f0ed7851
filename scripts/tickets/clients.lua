-- Who is connected, and the rooms they join to hear of what concerns them.
local ns = namespace "/tickets"

local schema = require "schema"
local contract = require "lib.contract"
local forecast = require "lib.forecast"
local office = require("lib.office").open(ns)
local register = require "lib.register"
local services = require "lib.services"
local staff = require "lib.staff"
local option = require "shared.option"

local ERRORS_A_MINUTE = option.count("tickets.client_errors_per_minute", 10)

ns:require_auth { optional = true }

local count = contract.count
local maybe = function(kind) return schema.optional(schema.nullable(kind)) end
local refused = schema.named("Refused", schema.object {
  success = schema.enum { false }, error = schema.string(),
})
local joined = schema.named("Joined", schema.object {
  success = schema.enum { true }, room = contract.room,
})

ns:emits("connected", schema.named("Connected", schema.object {
  socketId = schema.string(), clientId = schema.integer { min = 1 },
  connectedAt = contract.time, totalConnected = count,
}))
ns:emits("staffConnectionUpdate", schema.named("StaffConnectionUpdate", schema.object {
  action = schema.enum { "connected", "disconnected" }, clientId = count,
  timestamp = contract.time, totalConnected = count,
}))
ns:emits("queueUserJoined", schema.named("QueueUserJoined", schema.object {
  serviceType = contract.service_type, clientId = count, timestamp = contract.time,
}))
ns:emits("error", schema.named("RefusedEvent", schema.object {
  event = schema.optional(schema.string()), code = schema.string(), message = schema.string(),
  data = schema.optional(schema.any()),
}))

local function tell_staff(action, client)
  ns:to("dashboard"):emit("staffConnectionUpdate", {
    action = action, clientId = client.clientId, timestamp = iso_time(),
    totalConnected = register.count(ns.state),
  })
end

ns:on_connect(function(socket)
  local client = register.add(ns.state, socket)
  log.info("socket connected", { client = client.clientId, socket = socket.id,
                                 total = register.count(ns.state) })
  socket:emit("connected", {
    socketId = socket.id, clientId = client.clientId, connectedAt = client.connectedAt,
    totalConnected = register.count(ns.state),
  })
  if register.is_in(client, "dashboard") then tell_staff("connected", client) end
end)

ns:on_disconnect(function(socket, reason)
  local client = register.remove(ns.state, socket)
  if not client then return end
  log.info("socket disconnected", { client = client.clientId, socket = socket.id, reason = reason,
                                    remaining = register.count(ns.state) })
  if register.is_in(client, "dashboard") then tell_staff("disconnected", client) end
end)

--- Handles an event. `handler(socket, data, client)` returns the acknowledgement; what fails is
--- {success = false, error}, and an `error` event for those who asked for no acknowledgement.
local function on(event, fields, returns, handler)
  local kind = schema.object(fields)
  ns:on(event, { kind, returns = schema.one_of { returns, refused }, check = false },
        function(socket, data)
    local ok, answer = pcall(function()
      local checked, problem = schema.check(kind, data)
      if problem then
        local field = problem.path:gsub("^%$%.?", "")
        fail("invalid", (field == "" and event or field) .. " " .. problem.message)
      end
      return handler(socket, checked, register.of(ns.state, socket))
    end)
    if ok then return answer end
    if type(answer) ~= "table" or not answer.code then error(answer, 0) end
    socket:emit("error", { event = event, code = answer.code, message = answer.message })
    return { success = false, error = answer.message }
  end)
end

--- Joins a room; whether the client is new in it.
local function join(socket, client, room)
  local is_new = register.join(client, room)
  if is_new then
    socket:join(room)
    log.info("joined", { client = client.clientId, room = room, total = ns:to(room):count() })
  end
  return is_new
end

on("joinDashboard", {
  userRole = maybe(contract.role), userId = maybe(contract.user_id),
}, joined, function(socket, data, client)
  local user = socket.data.user
  staff.require(user, data.userRole ~= null and data.userRole or nil)
  local is_new = join(socket, client, "dashboard")
  client.userRole = user and staff.role_of(user) or data.userRole
  client.userId = user and user.sub or data.userId
  if is_new then tell_staff("connected", client) end
  socket:emit("loadBalancingMetrics",
              forecast.metrics(office.ledger:records(), register.count(ns.state)))
  return { success = true, room = "dashboard" }
end)

on("joinServiceQueue", { serviceType = contract.service_type }, joined,
   function(socket, data, client)
  services.refuse_unknown(data.serviceType)
  local room = "service-" .. data.serviceType
  if join(socket, client, room) then
    socket:to(room):emit("queueUserJoined", {
      serviceType = data.serviceType, clientId = client.clientId, timestamp = iso_time(),
    })
  end
  client.serviceType = data.serviceType
  return { success = true, room = room }
end)

on("joinCounter", { counterId = contract.counter_id }, joined, function(socket, data, client)
  staff.require_if_said(socket.data.user)
  local room = "counter-" .. data.counterId
  join(socket, client, room)
  client.counterId = data.counterId
  return { success = true, room = room }
end)

on("joinUserRoom", { userId = contract.user_id }, joined, function(socket, data, client)
  staff.require_self(socket.data.user, data.userId)
  local room = "user-" .. data.userId
  join(socket, client, room)
  client.userId = client.userId or data.userId
  return { success = true, room = room }
end)

on("leaveRoom", { room = contract.room }, joined, function(socket, data, client)
  if register.leave(client, data.room) then
    socket:leave(data.room)
    if data.room == "dashboard" then tell_staff("disconnected", client) end
  end
  return { success = true, room = data.room }
end)

ns:on("ping", { returns = schema.enum { "pong" } }, function() return "pong" end)

local noted = schema.named("Noted", schema.object { success = schema.enum { true } })

on("clientInfo", {
  userAgent = maybe(schema.string { max = 512 }), language = maybe(schema.string { max = 64 }),
  timezone = maybe(schema.string { max = 64 }),
}, noted, function(_, data, client)
  for _, field in ipairs { "userAgent", "language", "timezone" } do
    if data[field] ~= nil then client[field] = data[field] end
  end
  return { success = true }
end)

on("clientError", {
  message = schema.string { min = 1, max = 2000 }, stack = maybe(schema.string { max = 20000 }),
}, noted, function(_, data, client)
  local minute = math.floor(now() / 60)
  if client.minute ~= minute then client.minute, client.errors = minute, 0 end
  client.errors = client.errors + 1
  if client.errors > ERRORS_A_MINUTE then
    fail("rate_limited", string.format("%d errors a minute are logged, not more", ERRORS_A_MINUTE))
  end
  log.warn("a client reports an error", {
    client = client.clientId, error = data.message,
    stack = data.stack ~= null and data.stack or nil,
  })
  return { success = true }
end)
