-- A town to look at: drivers take orders through their states, so that public/ shows something at
-- once. Loaded by `moonwire run --demo` only. Whoever opens the page is customer:demo,
-- driver:demo, and a shop.
local ns = namespace "/events"

local desk = require "lib.desk"
local drivers = require "lib.drivers"
local orders = require "lib.orders"
local tracking = require "lib.tracking"
local geo = require "geo"
local jwt = require "plugin.jwt"

local TICK_SECONDS, METRES_A_TICK = 1, 45  -- a time-lapse
local PAUSE_TICKS = 3                      -- that handing over takes
local OTHERS = 3                           -- orders of other customers under way
local TOKEN_SECONDS = 3600
local OFFICE = { id = "demo-office", userType = "admin", party = "admin:demo-office" }

-- Streets run north and east, so many degrees apart; everything is at a corner.
local CENTRE, STREET = { latitude = 52.5200, longitude = 13.4050 }, { 0.0018, 0.0030 }
local function corner(north, east)
  return { latitude = CENTRE.latitude + north * STREET[1],
           longitude = CENTRE.longitude + east * STREET[2] }
end
local MERCHANTS = {
  { id = "laundry", name = "Blue Laundry", at = corner(2, -3) },
  { id = "bakery", name = "Corner Bakery", at = corner(-3, 2) },
  { id = "books", name = "Old Books", at = corner(1, 4) },
}
local CREW = {
  { id = "ada", name = "Ada", rating = 4.9, vehicleType = "cargo bike", phone = "030 110" },
  { id = "ben", name = "Ben", rating = 4.7, vehicleType = "scooter", phone = "030 111" },
  { id = "cleo", name = "Cleo", rating = 4.8, vehicleType = "van", phone = "030 112" },
  { id = "dan", name = "Dan", rating = 4.6, vehicleType = "cargo bike", phone = "030 113" },
}

local function random_corner() return corner(math.random(-5, 5), math.random(-6, 6)) end

--- The next place on the way along the streets: east or west first.
local function step(from, to)
  local left = METRES_A_TICK
  local place = { latitude = from.latitude, longitude = from.longitude }
  for _, axis in ipairs { "longitude", "latitude" } do
    local there = { latitude = place.latitude, longitude = place.longitude }
    there[axis] = to[axis]
    local metres = geo.distance(place.latitude, place.longitude, there.latitude, there.longitude)
    local share = metres > 0 and math.min(1, left / metres) or 1
    place[axis] = place[axis] + (there[axis] - place[axis]) * share
    left = left - metres * share
  end
  return place, left > 0
end

local function order_for(customer, home)
  local merchant = MERCHANTS[math.random(#MERCHANTS)]
  return desk.create(ns, {
    customerId = customer, merchantId = merchant.id, total = math.random(80, 600) / 10,
    pickup = { latitude = merchant.at.latitude, longitude = merchant.at.longitude,
               address = merchant.name },
    dropoff = { latitude = home.latitude, longitude = home.longitude, address = "Home" },
  }, OFFICE)
end

--- One tick of a driver: waits, drives to where the order is or goes, and says what was done.
local function go_on(driver)
  local order = orders.active(ns, "driver:" .. driver.id, 1)[1]
  if not order then return false end
  if driver.pause > 0 then
    driver.pause = driver.pause - 1
    return true
  end
  local under_way = orders.is_under_way(order)
  local target = under_way and order.dropoff or order.pickup
  local arrived
  driver.at, arrived = step(driver.at, target)
  tracking.locate(ns, driver.id, driver.at)
  if arrived then
    driver.pause = PAUSE_TICKS
    desk.move(ns, order.id, under_way and "DELIVERED" or "PICKED_UP", OFFICE)
  elseif order.status == "PICKED_UP" then
    desk.move(ns, order.id, "IN_TRANSIT", OFFICE)
  end
  return true
end

--- What was under way when the process ended goes on.
local function begin()
  local crew = {}
  for i, each in ipairs(CREW) do
    local known = drivers.describe(ns, each.id, {
      name = each.name, rating = each.rating, vehicleType = each.vehicleType, phone = each.phone,
    })
    crew[i] = { id = each.id, pause = 0, at = known.position or random_corner() }
  end
  drivers.describe(ns, "demo", { name = "You", rating = 5, vehicleType = "bike" })
  return crew
end

--- Orders that no driver has are given away; those of the page's own customer wait for its driver.
local function tend(crew)
  local busy, waiting, demo_has = 0, {}, false
  for _, order in ipairs(orders.active(ns, "all")) do
    if order.customerId == "demo" then demo_has = true else busy = busy + 1 end
    local visitors = order.history[1].by == "customer:demo"
    if not order.pickupDriverId and not visitors then waiting[#waiting + 1] = order end
  end
  if not demo_has then order_for("demo", corner(0, 0)) end
  if busy < OTHERS then order_for("customer-" .. math.random(20), random_corner()) end
  for _, driver in ipairs(crew) do
    if not go_on(driver) and waiting[1] then
      desk.assign(ns, table.remove(waiting, 1).id, driver.id, OFFICE)
    end
  end
end

spawn(function()
  local crew = begin()
  while true do
    -- Somebody else may have moved an order meanwhile: the next tick sees how it is.
    local ok, problem = pcall(tend, crew)
    if not ok and type(problem) ~= "table" then error(problem, 0) end
    sleep(TICK_SECONDS)
  end
end)

local VISITORS = { customer = "demo", driver = "demo", merchant = MERCHANTS[1].id }

--- Lets the page in, as customer:demo, driver:demo or the first shop.
route("GET", "/demo/orders/token/:type", function(request)
  local kind = request.params.type
  local id = VISITORS[kind] or fail("not_found", "no such user")
  return 200, { token = jwt.sign({ sub = id, userType = kind }, TOKEN_SECONDS) }
end)

--- What the page draws beneath.
route("GET", "/demo/orders/town", function()
  return 200, { centre = CENTRE, street = { latitude = STREET[1], longitude = STREET[2] },
                merchants = MERCHANTS }
end)
