-- Drivers: who they are, where they were last, and who of those that are here is near a place.
-- In the store: driver:<id> {id, name, phone, rating, vehicleType, available, position, seenAt}.
local geo = require "geo"
local option = require "shared.option"
local schema = require "schema"

local drivers = {}

local INTERVAL = option.amount("location.interval_seconds", 15)
local DISTANCE = option.amount("location.distance_metres", 100)
drivers.RADIUS = option.amount("available.radius_metres", 5000)
local STALE = option.amount("available.position_minutes", 30) * 60
local MOST = option.count("available.drivers", 50)
local SPEED = option.of("eta.speed_kmh", schema.number { min = 1 }, 25) / 3.6
local DETOUR = option.of("eta.detour", schema.number { min = 1 }, 1.3)

-- Where the drivers are that are connected. An index does not outlive a load of the code, and the
-- process: it is made again of the store, when they connect or when it is first asked.
local index

local function key_of(id) return "driver:" .. id end

--- What is known of the driver; a new one is available.
function drivers.find(ns, id)
  return ns.store:get(key_of(id)) or { id = id, available = true }
end

local function place_of(driver)
  local at = driver.position
  if driver.available and at and now() - at.at <= STALE then return at end
end

local function note(driver)
  if not index then return end
  local at = place_of(driver)
  if at then index:set(driver.id, at.latitude, at.longitude) else index:remove(driver.id) end
end

local function ready(ns)
  if index then return end
  index = geo.index(math.max(100, drivers.RADIUS / 2))
  for _, socket in ipairs(ns:to("drivers"):fetch()) do
    note(drivers.find(ns, socket.data.user.id))
  end
end

--- Changes a driver's record by `change(driver)`, which returns false to leave it. The record.
local function update(ns, id, durable, change)
  local driver
  local _, why = ns:lock(key_of(id), function()
    local found = drivers.find(ns, id)
    if change(found) ~= false then
      local ok, problem = ns.store:set(key_of(id), found, { durable = durable })
      if not ok then fail("unavailable", problem) end
    end
    driver = found
  end)
  if not driver then fail("busy", why) end
  if drivers.is_here(ns, id) then note(driver) end
  return driver
end

function drivers.is_here(ns, id) return ns:to("driver:" .. id):count() > 0 end

--- Takes in `name`, `phone`, `rating`, `vehicleType` and `available`, as far as they are given.
function drivers.describe(ns, id, fields)
  ready(ns)
  return update(ns, id, true, function(driver)
    for name, value in pairs(fields) do driver[name] = value end
  end)
end

function drivers.arrive(ns, id)
  ready(ns)
  update(ns, id, false, function(driver) driver.seenAt = iso_time() end)
end

--- The last of the driver's clients has gone.
function drivers.leave(ns, id)
  if index and not drivers.is_here(ns, id) then index:remove(id) end
end

--- Takes in where the driver is. Nil if it is too soon and too near the last place: not told on.
function drivers.move(ns, id, place)
  ready(ns)
  local taken
  update(ns, id, false, function(driver)
    local last = driver.position
    local soon = last and now() - last.at < INTERVAL
    if soon and geo.distance(last.latitude, last.longitude, place.latitude, place.longitude)
        < DISTANCE then
      return false
    end
    driver.position = {
      latitude = place.latitude, longitude = place.longitude, heading = place.heading,
      speed = place.speed, at = now(),
    }
    driver.seenAt = iso_time()
    taken = driver.position
  end)
  return taken
end

--- Those near a place that could take an order: ids, and the metres to each, nearest first.
function drivers.near(ns, place)
  ready(ns)
  local ids, metres = index:near(place.latitude, place.longitude, drivers.RADIUS, MOST)
  local found, distances = {}, {}
  for i, id in ipairs(ids) do
    -- A position grows old without an event.
    if place_of(drivers.find(ns, id)) then
      found[#found + 1], distances[#distances + 1] = id, math.floor(metres[i] + 0.5)
    end
  end
  return found, distances
end

--- Metres from here to there, and seconds that it takes by road, about.
function drivers.way(from, to)
  local metres = geo.distance(from.latitude, from.longitude, to.latitude, to.longitude)
  return math.floor(metres + 0.5), math.floor(metres * DETOUR / SPEED + 0.5)
end

--- What parties of their orders may see.
function drivers.card(driver)
  return {
    id = driver.id, name = driver.name, phone = driver.phone, rating = driver.rating,
    vehicleType = driver.vehicleType,
  }
end

return drivers
