-- Commuters that nobody sent: Poisson arrivals at every depot and along every route, following the
-- time of day. Off unless settings say otherwise; with a seed and a start_hour a run repeats
-- exactly: each source draws from a generator of its own, and its arrivals don't depend on ticks.
local geo = require "geo"
local schema = require "schema"
local option = require "shared.option"
local reservoir = require "lib.reservoir"

local spawner = {}

local MODULUS = 2147483647  -- Park and Miller's generator; products stay below 2^53
local HOUR, DAY_HOURS = 3600, 24  -- seconds; hours
local MAX_HOURS = 366 * DAY_HOURS  -- without an arrival there will be none
local MAX_A_TICK = 200  -- what one turn sends, whatever has piled up
local METRES_A_DEGREE = 111195

local ENABLED = option.of("spawner.enabled", schema.boolean(), false)
local SEED = option.of("spawner.seed", schema.integer(), 1)
local TICK_SECONDS = option.amount("spawner.tick_seconds", 1)
local TIME_SCALE = option.amount("spawner.time_scale", 1)
local START_HOUR = option.of("spawner.start_hour",
                             schema.optional(schema.number { min = 0, max = DAY_HOURS }))
local PROFILE = option.of("spawner.profile",
  schema.array(schema.number { min = 0 }, { min = DAY_HOURS, max = DAY_HOURS }), {
    0.1, 0.1, 0.1, 0.1, 0.2, 0.6, 1.4, 2.2, 2.0, 1.2, 0.9, 0.9,
    1.1, 1.1, 1.0, 1.2, 1.8, 2.2, 1.8, 1.1, 0.7, 0.5, 0.4, 0.2,
  })

local latitude = schema.number { min = -90, max = 90 }
local longitude = schema.number { min = -180, max = 180 }
local name = schema.string { min = 1, max = 64 }
local PLACES = {
  depot = schema.array(schema.object {
    id = name, lat = latitude, lon = longitude, per_hour = schema.number { min = 0 },
    route_ids = schema.default(schema.array(name), json.array {}),
    spread = schema.default(schema.number { min = 0 }, 5000),
  }),
  route = schema.array(schema.object {
    id = name, per_hour = schema.number { min = 0 },
    inbound = schema.default(schema.number { min = 0, max = 1 }, 0.5),
    path = schema.array(schema.array(schema.number(), { min = 2, max = 2 }), { min = 2 }),
  }),
}

--- The next number from [0, 1) of a source.
local function random(source)
  source.random = source.random * 48271 % MODULUS
  return (source.random - 1) / (MODULUS - 1)
end

local function seed_of(text)
  local seed = SEED % MODULUS
  for i = 1, #text do seed = (seed * 31 + text:byte(i) + 1) % MODULUS end
  return seed == 0 and 1 or seed
end

--- The seconds after the start at which the arrival after `from` comes: the rate is constant within
--- an hour, so the exponential's share is used up hour by hour. Nil if nobody ever comes.
local function next_arrival(source, per_hour, start_hour, from)
  local need, clock = -math.log(1 - random(source)), start_hour + from / HOUR
  for _ = 1, MAX_HOURS do
    local hour = math.floor(clock)
    local rate = per_hour * PROFILE[hour % DAY_HOURS + 1]
    local left = hour + 1 - clock
    if rate > 0 and need <= rate * left then return (clock + need / rate - start_hour) * HOUR end
    need, clock = need - rate * left, hour + 1
  end
end

--- A point within so many metres.
local function scatter(source, lat, lon, metres)
  local distance, angle = metres * math.sqrt(random(source)), 2 * math.pi * random(source)
  local north, east = distance * math.cos(angle), distance * math.sin(angle)
  local there = lon + east / (METRES_A_DEGREE * math.max(0.01, math.cos(math.rad(lat))))
  return {
    lat = math.max(-90, math.min(90, lat + north / METRES_A_DEGREE)),
    lon = (there + 180) % 360 - 180,
  }
end

--- The point `share` (0 to 1) of the way along a path of [lat, lon] pairs.
local function along(path, share)
  local total, lengths = 0, {}
  for i = 2, #path do
    lengths[i] = geo.distance(path[i - 1][1], path[i - 1][2], path[i][1], path[i][2])
    total = total + lengths[i]
  end
  local left = share * total
  for i = 2, #path do
    if left <= lengths[i] and lengths[i] > 0 then
      local part, a, b = left / lengths[i], path[i - 1], path[i]
      return a[1] + (b[1] - a[1]) * part, a[2] + (b[2] - a[2]) * part
    end
    left = left - lengths[i]
  end
  return path[#path][1], path[#path][2]
end

local make = {}

--- Of a depot {id, lat, lon, per_hour, route_ids, spread}: outbound, to somewhere within `spread`.
function make.depot(depot, source)
  local routes = depot.route_ids
  return {
    depot_id = depot.id,
    route_id = routes[math.floor(random(source) * #routes) + 1],
    direction = "outbound",
    current_location = { lat = depot.lat, lon = depot.lon },
    destination = scatter(source, depot.lat, depot.lon, depot.spread),
  }
end

--- Of a route {id, path, per_hour, inbound}: beside the path, to farther along it.
function make.route(route, source)
  local inbound = random(source) < route.inbound
  local from = random(source)
  local to = from + (1 - from) * random(source)
  if inbound then from, to = 1 - from, 1 - to end
  local lat, lon = along(route.path, from)
  local there_lat, there_lon = along(route.path, to)
  return {
    route_id = route.id,
    direction = inbound and "inbound" or "outbound",
    current_location = scatter(source, lat, lon, reservoir.WALKING_DISTANCE / 2),
    destination = { lat = there_lat, lon = there_lon },
  }
end

--- state.spawner = {started, start_hour, sources = {id -> {random, next, number}}}, so that a
--- reload goes on where the old scripts were.
local function state_of(ns, kind, places)
  local state = ns.state.spawner
  if not state then
    local date = os.date("*t")
    state = { started = now(), start_hour = START_HOUR or date.hour + date.min / 60, sources = {} }
    ns.state.spawner = state
  end
  for _, place in ipairs(places) do
    if not state.sources[place.id] then
      local source = { random = seed_of(kind .. place.id), number = 0 }
      source.next = next_arrival(source, place.per_hour, state.start_hour, 0)
      state.sources[place.id] = source
    end
  end
  return state
end

--- Starts the arrivals of a kind ("depot" or "route"): `arrive(commuter)` takes one in, and returns
--- false and why if it can't.
function spawner.start(ns, kind, arrive)
  if not ENABLED then return end
  local places = option.of("spawner." .. kind .. "s", PLACES[kind], json.array {})
  every(TICK_SECONDS, function()
    local state, left, turned_away = state_of(ns, kind, places), MAX_A_TICK, nil
    local time = (now() - state.started) * TIME_SCALE
    for _, place in ipairs(places) do
      local source = state.sources[place.id]
      while source.next and source.next <= time and left > 0 do
        source.number, left = source.number + 1, left - 1
        local commuter = make[kind](place, source)
        commuter.commuter_id = string.format("spawned-%s-%s-%d", kind, place.id, source.number)
        commuter.priority = reservoir.PRIORITY
        commuter.max_walking_distance = reservoir.WALKING_DISTANCE
        local ok, why = arrive(commuter)
        if not ok then turned_away = why end
        source.next = next_arrival(source, place.per_hour, state.start_hour, source.next)
      end
    end
    if turned_away then
      log.warn("spawned commuters are turned away", { why = tostring(turned_away) })
    end
  end)
end

return spawner
