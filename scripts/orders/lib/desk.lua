-- What is done with orders, whoever asks, over Socket.IO or HTTP: the record and the letters that
-- tell of it are written in one transaction, then everybody concerned hears.
local channels = require "lib.channels"
local drivers = require "lib.drivers"
local identity = require "lib.identity"
local mailbox = require "lib.mailbox"
local orders = require "lib.orders"
local subscriptions = require "lib.subscriptions"
local option = require "shared.option"

local desk = {}

local SEARCHED = 500  -- orders that are looked through for a driver
local ACTIVE_ORDERS = option.count("orders.active_limit", 100, option.PAGE)

local function with_order(ns, id, fn)
  local result
  local _, why = ns:lock("order:" .. id, function() result = fn() end)
  if result == nil then fail("busy", why) end
  return result
end

--- To all parties and to who else watches.
local function status_letters(ns, order, previous)
  local data = {
    orderId = order.id, orderNumber = order.orderNumber, status = order.status,
    previousStatus = previous, timestamp = order.updatedAt,
  }
  local parties, letters = orders.parties(order), {}
  for _, kind in ipairs { "customer", "merchant", "driver" } do
    if parties[kind] then
      letters[#letters + 1] = { to = parties[kind], event = "order:statusChanged", data = data }
    end
  end
  for _, party in ipairs(subscriptions.watchers(ns, order)) do
    letters[#letters + 1] = { to = party, event = "order:statusChanged", data = data }
  end
  return letters
end

local function offer_of(order, metres)
  return {
    orderId = order.id, orderNumber = order.orderNumber, merchantId = order.merchantId,
    pickup = order.pickup, dropoff = order.dropoff, total = order.total,
    distanceMetres = metres, timestamp = iso_time(),
  }
end

--- Tells drivers nearby of an order that nobody has yet.
local function offer(ns, order)
  if not order.pickup then return end
  local ids, metres = drivers.near(ns, order.pickup)
  for i, id in ipairs(ids) do
    ns:to("driver:" .. id):emit("order:available", offer_of(order, metres[i]))
  end
end

--- Whose order a new one is: users make only their own.
local function check_owner(fields, user)
  for _, kind in ipairs { "customer", "merchant" } do
    local field = kind .. "Id"
    fields[field] = identity.id(fields[field])
    if user.userType == kind then
      if fields[field] and fields[field] ~= user.id then
        fail("forbidden", field .. " is not you")
      end
      fields[field] = user.id
    elseif not fields[field] then
      fail("invalid", field .. " is required", { path = field })
    end
  end
end

--- Orders that nobody has yet within the radius of where the driver is, nearest first.
function desk.available(ns, driver_id)
  local driver = drivers.find(ns, driver_id)
  if not driver.position then fail("conflict", "your position is not known yet") end
  local found = {}
  for _, order in ipairs(orders.open(ns, SEARCHED)) do
    local metres = order.pickup and drivers.way(driver.position, order.pickup)
    if metres and metres <= drivers.RADIUS then
      found[#found + 1] = { order = order, metres = metres }
    end
  end
  table.sort(found, function(a, b) return a.metres < b.metres end)
  for i, each in ipairs(found) do found[i] = offer_of(each.order, each.metres) end
  return found
end

--- A new order; the merchant hears of it, and drivers nearby.
function desk.create(ns, fields, user)
  check_owner(fields, user)
  local customer = "customer:" .. fields.customerId
  if #orders.active(ns, customer, ACTIVE_ORDERS) >= ACTIVE_ORDERS then
    fail("busy", "so many orders of one customer are under way already")
  end
  fields.id = identity.id(fields.id) or uuid()
  return with_order(ns, fields.id, function()
    local letter = { to = "merchant:" .. fields.merchantId, event = "order:created" }
    local order = mailbox.post(ns, { letter }, function(store)
      local order = orders.make(store, fields, user)
      letter.data = orders.view(order)
      return order
    end)
    offer(ns, order)
    return order
  end)
end

function desk.move(ns, id, status, user)
  return with_order(ns, id, function()
    local order = orders.require(ns.store, id, user)
    local previous = orders.move(order, status, user)
    mailbox.post(ns, status_letters(ns, order, previous), function(store)
      orders.write(store, order)
    end)
    if orders.has_ended(order) then subscriptions.close(ns, order) end
    return order
  end)
end

--- Gives the order to a driver, or without one to the nearest that is here.
function desk.assign(ns, id, driver_id, user)
  return with_order(ns, id, function()
    local order = orders.find(ns.store, id)
    if user.userType ~= "driver" and not orders.is_party(order, user) then
      fail("forbidden", "not your order")
    end
    if not driver_id then
      if not order.pickup then fail("invalid", "driverId is required", { path = "driverId" }) end
      driver_id = drivers.near(ns, order.pickup)[1]
      if not driver_id then fail("conflict", "no driver is near") end
    end
    local before = orders.parties(order).driver
    local previous = orders.assign(order, driver_id, user)
    local card = drivers.card(drivers.find(ns, driver_id))
    local letters = {}
    if previous ~= order.status then letters = status_letters(ns, order, previous) end
    local driver = orders.parties(order).driver
    local view = orders.view(order)
    view.timestamp = order.updatedAt
    letters[#letters + 1] = { to = driver, event = "order:assigned", data = view }
    letters[#letters + 1] = {
      to = orders.parties(order).customer, event = "driver:assigned",
      data = { orderId = order.id, orderNumber = order.orderNumber, driver = card,
               timestamp = order.updatedAt },
    }
    if before and before ~= driver then
      letters[#letters + 1] = { to = before, event = "notification", data = {
        id = uuid(), type = "order:unassigned", title = "Order " .. order.orderNumber,
        message = "The order went to another driver", data = { orderId = order.id },
        timestamp = order.updatedAt,
      } }
    end
    mailbox.post(ns, letters, function(store)
      if before and before ~= driver then orders.take_from(store, order, before) end
      orders.write(store, order)
    end)
    if before and before ~= driver then subscriptions.leave(ns, order, before) end
    return order
  end)
end

--- A notification for a party, which waits for who is away, and goes to the channels that the party
--- wants. Its id; nil if the party wants none of this type.
function desk.notify(ns, party, fields)
  local wishes, kind = channels.wishes(ns, party), fields.type or "general"
  if channels.is_muted(wishes, kind) then return nil end
  local data = {
    id = uuid(), type = kind, title = fields.title, message = fields.message, data = fields.data,
    timestamp = iso_time(),
  }
  mailbox.post(ns, { { to = party, event = "notification", data = data } }, function(store)
    channels.add(store, party, data, wishes)
  end)
  channels.wake()
  return data.id
end

return desk
