-- Where drivers are with the orders that they carry, and when they will be there: told as it comes in,
-- and as it was last to who comes later.
local drivers = require "lib.drivers"
local orders = require "lib.orders"

local tracking = {}

--- Where a driver is with an order: to the shop at first, then to the customer. Without one, the driver
--- alone.
local function location(driver_id, at, order, ids)
  local data = {
    driverId = driver_id, latitude = at.latitude, longitude = at.longitude, heading = at.heading,
    speed = at.speed, timestamp = iso_time(at.at), orderIds = ids,
  }
  if order then
    data.orderId, data.orderNumber = order.id, order.orderNumber
    local goal = orders.is_under_way(order) and order.dropoff or order.pickup
    if goal then data.distanceMetres, data.etaSeconds = drivers.way(at, goal) end
  end
  return data
end

--- Takes in where a driver is, and tells those whose orders they have. {accepted, reason, orders}
function tracking.locate(ns, driver_id, place)
  local at = drivers.move(ns, driver_id, place)
  if not at then return { accepted = false, reason = "too soon and too near", orders = 0 } end
  local party, ids = "driver:" .. driver_id, json.array {}
  for _, order in ipairs(orders.active(ns, party)) do
    ids[#ids + 1] = order.id
    ns:to { "order:" .. order.id, orders.parties(order).customer }:except(party)
      :emit("driver:locationUpdate", location(driver_id, at, order))
  end
  ns:to(party):emit("driver:locationUpdate", location(driver_id, at, nil, ids))
  return { accepted = true, orders = #ids }
end

--- What an order's parties may know of its driver: {driver, location}; nil if it has none.
function tracking.of(ns, order)
  if not order.pickupDriverId then return nil end
  local driver = drivers.find(ns, order.pickupDriverId)
  local at = not orders.has_ended(order) and driver.position
  return {
    driver = drivers.card(driver), location = at and location(driver.id, at, order) or nil,
  }
end

--- Tells a client where the order's driver was last, if that is known.
function tracking.catch_up(ns, socket, order)
  local known = tracking.of(ns, order)
  if known and known.location then socket:emit("driver:locationUpdate", known.location) end
end

return tracking
