-- A city to look at: vehicles drive their routes, commuters come, ride and leave, so that public/
-- shows something at once. Loaded by `moonwire run --demo` only. It speaks to the app in messages,
-- as services do.
local ns = namespace "/transit-demo"

local geo = require "geo"
local envelope = require "lib.envelope"

local TICK_SECONDS = 1
local METRES_A_TICK = 90      -- a time-lapse
local STOP_TICKS = 2          -- that boarding takes
local REACH = 150             -- metres from which commuters walk to a vehicle
local VEHICLES_A_ROUTE, CAPACITY = 3, 12
local CROWD, ARRIVALS = 80, 6 -- who waits along the routes; who comes in a tick, at most
local QUEUE = 14              -- who waits at a depot
local EARLY_BIRDS = 6         -- ticks' worth of commuters who are there at the start
local METRES_A_DEGREE = 111195

local DEPOTS = {
  { id = "HARBOUR", lat = 40.7040, lon = -74.0130 },
  { id = "STATION", lat = 40.7520, lon = -73.9990 },
  { id = "AIRPORT", lat = 40.7420, lon = -73.9430 },
}
-- Each begins at its depot.
local ROUTES = {
  { id = "1A", depot = "HARBOUR", path = {
    { 40.7040, -74.0130 }, { 40.7110, -74.0060 }, { 40.7195, -73.9985 }, { 40.7300, -73.9920 },
    { 40.7385, -73.9900 }, { 40.7465, -73.9830 }, { 40.7560, -73.9760 },
  } },
  { id = "2B", depot = "STATION", path = {
    { 40.7520, -73.9990 }, { 40.7455, -73.9940 }, { 40.7385, -73.9900 }, { 40.7330, -73.9780 },
    { 40.7250, -73.9690 }, { 40.7170, -73.9620 }, { 40.7080, -73.9560 },
  } },
  { id = "3C", depot = "AIRPORT", path = {
    { 40.7420, -73.9430 }, { 40.7385, -73.9560 }, { 40.7330, -73.9780 }, { 40.7300, -73.9920 },
    { 40.7270, -74.0040 }, { 40.7180, -74.0110 },
  } },
  { id = "4D", depot = "HARBOUR", path = {
    { 40.7040, -74.0130 }, { 40.7070, -73.9960 }, { 40.7110, -73.9800 }, { 40.7170, -73.9620 },
    { 40.7260, -73.9520 }, { 40.7420, -73.9430 },
  } },
}

for _, route in ipairs(ROUTES) do
  local path = route.path
  route.starts, route.length = { 0 }, 0  -- metres from the depot at which each point lies
  for i = 2, #path do
    route.length = route.length + geo.distance(path[i - 1][1], path[i - 1][2], path[i][1], path[i][2])
    route.starts[i] = route.length
  end
end

--- The point so many metres along a route, and the heading there.
local function at(route, metres)
  local i = 2
  while i < #route.path and route.starts[i] < metres do i = i + 1 end
  local a, b = route.path[i - 1], route.path[i]
  local share = (metres - route.starts[i - 1]) / (route.starts[i] - route.starts[i - 1])
  local east = (b[2] - a[2]) * math.cos(math.rad(a[1]))
  return { lat = a[1] + (b[1] - a[1]) * share, lon = a[2] + (b[2] - a[2]) * share },
    math.deg(math.atan2(east, b[1] - a[1])) % 360
end

local function nearby(point, metres)
  local angle, distance = 2 * math.pi * math.random(), metres * math.sqrt(math.random())
  return {
    lat = point.lat + distance * math.cos(angle) / METRES_A_DEGREE,
    lon = point.lon + distance * math.sin(angle) / METRES_A_DEGREE / math.cos(math.rad(point.lat)),
  }
end

--- Sends a message to one of the app's namespaces; returns the data of its answer, if it is one, or
--- nil if it was refused.
local function say(nsp, event, data)
  local answer = ask(nsp, "message", envelope.make(event, data, { source = "demo" }))
  if not answer or answer.error then return nil end
  return answer.data or answer
end

local function report(vehicle, route)
  local position, heading = at(route, vehicle.metres)
  if vehicle.way < 0 then heading = (heading + 180) % 360 end
  say("/vehicle-events", "vehicle:position_update",
      { vehicle_id = vehicle.id, route_id = route.id, position = position, heading = heading })
  return position
end

local function set_status(vehicle, status)
  say("/vehicle-events", "vehicle:status_change", { vehicle_id = vehicle.id, status = status })
end

local function let_off(vehicle, position, is_end)
  local staying, count = {}, 0
  for _, rider in ipairs(vehicle.riders) do
    local to = rider.destination
    if is_end or geo.distance(position.lat, position.lon, to.lat, to.lon) <= REACH then
      count = count + 1
      say("/route-reservoir", "commuter:dropped_off",
          { commuter_id = rider.id, vehicle_id = vehicle.id })
    else
      staying[#staying + 1] = rider
    end
  end
  vehicle.riders = staying
  return count
end

local function take_on(vehicle, nsp, query)
  query.vehicle_id, query.seats = vehicle.id, CAPACITY - #vehicle.riders
  if query.seats == 0 then return 0 end
  local found, count = say(nsp, "vehicle:query_commuters", query), 0
  for _, commuter in ipairs(found and found.commuters or {}) do
    local boarding = { commuter_id = commuter.commuter_id, vehicle_id = vehicle.id }
    if say(nsp, "commuter:picked_up", boarding) then
      count = count + 1
      table.insert(vehicle.riders,
                   { id = commuter.commuter_id, destination = commuter.destination })
    end
  end
  return count
end

--- One tick of a vehicle: it stands for a while, or drives on and sees who leaves and who waits.
local function go_on(vehicle)
  local route = ROUTES[vehicle.route]
  if vehicle.standing > 0 then
    vehicle.standing = vehicle.standing - 1
    if vehicle.standing == 0 then set_status(vehicle, "driving") end
    return
  end
  vehicle.metres = math.max(0, math.min(route.length,
                                        vehicle.metres + vehicle.way * METRES_A_TICK))
  local is_end = vehicle.metres == 0 or vehicle.metres == route.length
  if is_end then vehicle.way = vehicle.metres == 0 and 1 or -1 end
  local position = report(vehicle, route)
  local moved = let_off(vehicle, position, is_end)
  if vehicle.metres == 0 then
    moved = moved + take_on(vehicle, "/depot-reservoir",
                            { depot_id = route.depot, route_id = route.id })
  end
  moved = moved + take_on(vehicle, "/route-reservoir", {
    position = position, radius = REACH, route_id = route.id,
    direction = vehicle.way > 0 and "outbound" or "inbound",
  })
  if moved == 0 and not is_end then return end
  vehicle.standing = STOP_TICKS
  set_status(vehicle, "boarding")
  say("/vehicle-events", "vehicle:capacity_update",
      { vehicle_id = vehicle.id, capacity = CAPACITY, available_seats = CAPACITY - #vehicle.riders })
end

local function spawn_commuter(state, nsp, route, from, to, depot)
  state.number = state.number + 1
  local origin = at(route, from)
  say(nsp, "commuter:spawned", {
    commuter_id = "demo-" .. state.number, depot_id = depot, route_id = route.id,
    direction = to > from and "outbound" or "inbound",
    current_location = depot and origin or nearby(origin, REACH * 0.8),
    destination = at(route, to),
  })
end

local function commuters_come(state, count)
  for _ = 1, count do
    local route = ROUTES[math.random(#ROUTES)]
    local from, to = math.random() * route.length, math.random() * route.length
    local figures = ask("/route-reservoir", "figures")
    if figures and figures.waiting < CROWD then
      spawn_commuter(state, "/route-reservoir", route, from, to)
    end
    figures = ask("/depot-reservoir", "figures")
    if figures and figures.waiting < QUEUE * #DEPOTS then
      spawn_commuter(state, "/depot-reservoir", route, 0, to, route.depot)
    end
  end
end

local function begin(state)
  state.number, state.vehicles = 0, {}
  for i, route in ipairs(ROUTES) do
    for n = 1, VEHICLES_A_ROUTE do
      table.insert(state.vehicles, {
        id = string.format("%s-%d", route.id, n), route = i, riders = {}, standing = 1,
        metres = route.length * (n - 1) / VEHICLES_A_ROUTE, way = n % 2 == 0 and -1 or 1,
      })
    end
  end
  for _, vehicle in ipairs(state.vehicles) do
    report(vehicle, ROUTES[vehicle.route])
    set_status(vehicle, "boarding")
  end
  commuters_come(state, EARLY_BIRDS * ARRIVALS)
end

spawn(function()
  local state = ns.state
  if not state.vehicles then begin(state) end
  while true do
    commuters_come(state, math.random(0, ARRIVALS))
    for _, vehicle in ipairs(state.vehicles) do go_on(vehicle) end
    sleep(TICK_SECONDS)
  end
end)

--- What the page draws beneath.
route("GET", "/demo/transit/city", function()
  local lines = {}
  for i, line in ipairs(ROUTES) do lines[i] = { id = line.id, path = line.path } end
  return 200, { depots = DEPOTS, routes = lines }
end)
