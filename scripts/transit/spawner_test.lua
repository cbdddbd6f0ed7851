local geo = require "geo"
local schema = require "schema"
local support = require "support_test"

local DEPOT = { id = "D1", lat = 40.7, lon = -74, per_hour = 60, route_ids = { "1A", "2B" },
                spread = 1000 }
local ROUTE = { id = "1A", per_hour = 120, inbound = 0.25,
                path = { { 40.70, -74.00 }, { 40.72, -74.00 }, { 40.74, -74.00 } } }
local FLAT = {}
for i = 1, 24 do FLAT[i] = 1 end

--- Who arrives within so many hours, as announced to everyone.
local function arrivals(nsp, hours, overrides)
  local all = { ["spawner.enabled"] = true, ["spawner.start_hour"] = 8, ["spawner.profile"] = FLAT,
                ["spawner.depots"] = { DEPOT }, ["spawner.routes"] = { ROUTE } }
  for name, value in pairs(overrides or {}) do all[name] = value end
  settings(all)
  local watcher = support.join(nsp, "dashboard", "wall")
  advance(hours * 3600)
  local found = {}
  for i, message in ipairs(watcher:received("commuter:spawned")) do found[i] = message.data end
  return found
end

describe("the spawner", function()
  it("is off unless settings say so", function()
    expect(arrivals("/depot-reservoir", 3, { ["spawner.enabled"] = false })).to_equal {}
  end)

  it("sends commuters to depots, to somewhere around", function()
    local found = arrivals("/depot-reservoir", 3)
    local n = #found
    expect(n > 130 and n < 230).to_equal(true)  -- 180 on average
    local routes, farthest = {}, 0
    for i, commuter in ipairs(found) do
      expect(commuter).to_match {
        commuter_id = "spawned-depot-D1-" .. i, depot_id = "D1", direction = "outbound",
        current_location = { lat = 40.7, lon = -74 }, priority = 1, max_walking_distance = 500,
      }
      routes[commuter.route_id] = true
      local to = commuter.destination
      farthest = math.max(farthest, geo.distance(40.7, -74, to.lat, to.lon))
    end
    expect(routes).to_equal { ["1A"] = true, ["2B"] = true }
    expect(farthest <= 1001 and farthest > 500).to_equal(true)
    local driver = support.join("/depot-reservoir", "vehicle-driver", "bus-1")
    local answer = support.send(driver, "vehicle:query_commuters",
                                { vehicle_id = "bus-1", depot_id = "D1", seats = 200 })
    expect(answer.data.count).to_equal(math.min(200, n))
  end)

  it("sends commuters along routes, a share of them inbound", function()
    local found = arrivals("/route-reservoir", 3)
    local n, inbound = #found, 0
    expect(n > 280 and n < 440).to_equal(true)  -- 360 on average
    for i, commuter in ipairs(found) do
      expect(commuter).to_match { commuter_id = "spawned-route-1A-" .. i, route_id = "1A" }
      local from, to = commuter.current_location, commuter.destination
      expect(math.abs(from.lon + 74) < 0.004).to_equal(true)  -- 250 m beside the path
      expect(to.lon).to_be_near(-74)
      expect(to.lat >= 40.7 - 1e-9 and to.lat <= 40.74 + 1e-9).to_equal(true)
      local north = to.lat - from.lat
      if commuter.direction == "inbound" then
        inbound = inbound + 1
        expect(north < 0.004).to_equal(true)
      else
        expect(north > -0.004).to_equal(true)
      end
    end
    expect(inbound / n > 0.15 and inbound / n < 0.35).to_equal(true)
  end)

  it("follows the hours of the day", function()
    local profile = {}
    for i = 1, 24 do profile[i] = i == 10 and 1 or 0 end  -- from 9 to 10
    local found = arrivals("/depot-reservoir", 1, { ["spawner.profile"] = profile })
    expect(found).to_equal {}
    advance(3600)
    local figures = ask("/depot-reservoir", "figures")
    expect(figures.waiting > 30).to_equal(true)
    advance(3600)
    expect(ask("/depot-reservoir", "figures").waiting).to_equal(figures.waiting)
  end)

  it("makes an hour pass in a minute if asked to", function()
    local found = arrivals("/depot-reservoir", 3 / 60, { ["spawner.time_scale"] = 60 })
    expect(#found > 130 and #found < 230).to_equal(true)
  end)

  it("sends only so many in one go", function()
    local crowd = { id = "D1", lat = 40.7, lon = -74, per_hour = 3600 * 1000 }
    local found = arrivals("/depot-reservoir", 3 / 3600,
                           { ["spawner.depots"] = { crowd }, ["spawner.profile"] = FLAT })
    expect(#found).to_equal(400)  -- the first look notes when it began
  end)

  it("says whom it turned away", function()
    local found = arrivals("/depot-reservoir", 1, { ["depot.queue_limit"] = 5 })
    expect(#found).to_equal(5)
    expect(logs()).to_contain(schema.object {
      level = schema.enum { "warn" },
      message = schema.enum { "spawned commuters are turned away" },
      fields = schema.object { why = schema.string { pattern = "^queue_full" } },
    })
    local route = support.join("/route-reservoir", "dashboard")
    advance(60)
    expect(#route:received("commuter:spawned") > 0).to_equal(true)
  end)

  it("refuses places that are none", function()
    settings { ["spawner.enabled"] = true, ["spawner.depots"] = { { id = "D1", lat = 99, lon = 0,
                                                                    per_hour = 1 } } }
    expect(function() connect("/depot-reservoir") end).to_error("settings.spawner.depots")
  end)
end)

describe("the spawner's seed", function()
  local times = {}
  for run, seed in ipairs { 5, 5, 6 } do
    it("makes a run repeat exactly (" .. run .. ")", function()
      times[run] = {}
      for i, commuter in ipairs(arrivals("/route-reservoir", 1, { ["spawner.seed"] = seed })) do
        times[run][i] = commuter.current_location
      end
      if run == 2 then expect(times[2]).to_equal(times[1]) end
      if run == 3 then expect(times[3]).never.to_equal(times[1]) end
    end)
  end
end)
