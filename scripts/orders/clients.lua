-- /events: who connects, what clients send, and what they are sent.
local ns = namespace "/events"

local drivers = require "lib.drivers"
local figures = require "lib.figures"
local forms = require "lib.forms"
local identity = require "lib.identity"
local mailbox = require "lib.mailbox"
local orders = require "lib.orders"
local subscriptions = require "lib.subscriptions"
local tracking = require "lib.tracking"
local schema = require "schema"

local NEVER = 253402300799  -- for a token without an end: the last second of the year 9999

-- Who brings no good token is told so by an event and put out, as the document has it: so nobody is
-- refused here, and who is nobody gets no further than ns:use_event.
ns:use(function(socket)
  local user, problem = identity.verify(identity.token(socket.handshake))
  socket.data.user, socket.data.refused = user, problem
end)

ns:on_connect(function(socket)
  local user = socket.data.user
  if not user then
    socket:emit("error", { message = socket.data.refused })
    socket:disconnect()
    return figures.refuse(ns, socket, socket.data.refused)
  end
  if user.exp and not socket:refresh(user.exp) then return end
  figures.arrive(ns, socket)
  mailbox.open(ns, user.party, socket, function()
    socket:join("users", user.userType .. "s")
    if user.userType == "driver" then drivers.arrive(ns, user.id) end
    if socket.recovered then return end
    local watched = subscriptions.restore(ns, socket)
    socket:emit("connected", { userId = user.id, userType = user.userType })
    if user.userType == "customer" then watched = orders.active(ns, user.party) end
    for _, order in ipairs(watched) do tracking.catch_up(ns, socket, order) end
  end)
end)

ns:on_disconnect(function(socket)
  local user = socket.data.user
  if not user then return end
  mailbox.close(socket)
  figures.leave(ns, socket)
  if user.userType == "driver" then drivers.leave(ns, user.id) end
end)

ns:use_event(function(socket)
  if not socket.data.user then fail("unauthorized", socket.data.refused) end
  figures.count(ns, "eventsReceived")
end)

-- The order's id alone, or {orderId}.
local which = schema.one_of { orders.ID, schema.object { orderId = orders.ID } }
local joined = schema.object { success = schema.boolean(), room = schema.string() }

local function id_of(value)
  if type(value) == "table" then value = value.orderId end
  return identity.id(value)
end

ns:on("subscribeToOrder", { which, returns = joined, description = "Joins an order's room." },
      function(socket, order)
  local id = id_of(order)
  local done, room = pcall(subscriptions.add, ns, socket, id)
  if done then return { success = true, room = room } end
  if type(room) == "table" and room.code == "forbidden" then
    figures.suspect(ns, "not_a_party", socket.data.user, socket.handshake.address,
                    "subscribeToOrder " .. id)
  end
  error(room, 0)
end)

ns:on("unsubscribeFromOrder", { which, returns = joined, description = "Leaves it." },
      function(socket, order)
  return { success = true, room = subscriptions.remove(ns, socket, id_of(order)) }
end)

ns:on("driverLocationUpdate", { forms.REPORT, returns = forms.REPORTED,
      description = "Where a driver is; told to the parties of all their orders." },
      function(socket, report)
  local user = socket.data.user
  local function refuse(message)
    figures.suspect(ns, "not_the_driver", user, socket.handshake.address, "driverLocationUpdate")
    fail("forbidden", message)
  end
  if user.userType ~= "driver" then refuse("Unauthorized") end
  local driver_id = report.driverId
  if driver_id and driver_id ~= null and identity.id(driver_id) ~= user.id then
    refuse("driverId is not yours")
  end
  if report.orderId and report.orderId ~= null then
    local order = orders.find(ns.store, identity.id(report.orderId))
    if order.pickupDriverId ~= user.id then refuse("not your order") end
  end
  local done = tracking.locate(ns, user.id, forms.place(report))
  return { success = true, accepted = done.accepted, reason = done.reason, orders = done.orders }
end)

ns:on("auth:refresh", { schema.object { token = schema.string { min = 1, max = 16384 } },
      returns = schema.object { success = schema.boolean(), expiresAt = schema.any() },
      description = "A newer token of the same user, for the one that expires." },
      function(socket, given)
  local before = socket.data.user
  local user, problem = identity.verify(given.token)
  if user and user.party ~= before.party then user, problem = nil, "the token is another's" end
  if not user then
    figures.refuse(ns, socket, problem)
    fail("unauthorized", problem)
  end
  if not socket:refresh(user.exp or NEVER) then fail("unauthorized", "the token has expired") end
  socket.data.user = user
  return { success = true, expiresAt = user.exp and iso_time(user.exp) or null }
end)

ns:emits("connected", schema.object { userId = schema.string(), userType = schema.string() })
ns:emits("error", schema.object { message = schema.string() })
for event, form in pairs(forms.EVENTS) do ns:emits(event, form) end

figures.watch(ns)
after(0, function() mailbox.resume(ns) end)
