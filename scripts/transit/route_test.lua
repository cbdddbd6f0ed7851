local geo = require "geo"
local schema = require "schema"
local support = require "support_test"

local NSP = "/route-reservoir"
local LAT, LON = 40.7128, -74.0060
local METRE = 1 / 111195  -- of latitude, in degrees

local vehicle, passenger

--- A place so many metres north.
local function north(metres) return { lat = LAT + metres * METRE, lon = LON } end

local function spawn_commuter(id, metres, fields)
  local data = { commuter_id = id, current_location = north(metres), direction = "outbound" }
  for key, value in pairs(fields or {}) do data[key] = value end
  return support.send(passenger, "commuter:spawned", data)
end

local function query(fields)
  local data = { vehicle_id = "bus-1", position = north(0) }
  for key, value in pairs(fields or {}) do data[key] = value end
  return support.send(vehicle, "vehicle:query_commuters", data)
end

local function near(fields) return support.ids((query(fields))) end

local function ride(event, id, by)
  return support.send(vehicle, event, { commuter_id = id, vehicle_id = by or "bus-1" })
end
local function pick_up(id, by) return ride("commuter:picked_up", id, by) end
local function drop_off(id, by) return ride("commuter:dropped_off", id, by) end

local function open(overrides)
  if overrides then settings(overrides) end
  vehicle = support.join(NSP, "vehicle-conductor", "bus-1")
  passenger = support.join(NSP, "commuter-service", "commuters")
end

describe("a commuter along a route", function()
  it("is announced to the others", function()
    open()
    local answer, message = spawn_commuter("C1", 100, { route_id = "1A" })
    expect(answer).to_equal { ok = true, id = message.id }
    expect(vehicle:received("commuter:spawned")).to_match { { id = message.id, data = {
      commuter_id = "C1", route_id = "1A", direction = "outbound", priority = 1,
      max_walking_distance = 500 } } }
  end)

  it("says where they are, and where they go", function()
    open()
    expect(support.send(passenger, "commuter:spawned",
                        { commuter_id = "C1", direction = "inbound" }))
      .to_equal(support.refusal("invalid", "data.current_location"))
    expect(support.send(passenger, "commuter:spawned",
                        { commuter_id = "C1", current_location = north(0) }))
      .to_equal(support.refusal("invalid", "data.direction"))
    expect(spawn_commuter("C1", 0, { direction = "sideways" }))
      .to_equal(support.refusal("invalid", "data.direction"))
    expect(near()).to_equal {}
  end)

  it("waits once, and within the limit", function()
    open { ["reservoir.limit"] = 2 }
    spawn_commuter("C1", 10)
    expect(spawn_commuter("C1", 20))
      .to_equal(support.refusal("duplicate_commuter", "data.commuter_id"))
    spawn_commuter("C2", 30)
    expect(spawn_commuter("C3", 40)).to_equal(support.refusal("reservoir_full"))
    expect(near()).to_equal { "C1", "C2" }
  end)

  it("gives up after a while, and is not found any more", function()
    open { ["reservoir.max_wait_minutes"] = 10 }
    spawn_commuter("C1", 10)
    advance(11 * 60)
    expect(near()).to_equal {}
    expect(ask(NSP, "figures")).to_match { waiting = 0, expired = 1 }
    expect(spawn_commuter("C1", 20)).to_match { ok = true }
    expect(near()).to_equal { "C1" }
  end)
end)

describe("a vehicle's question on a route", function()
  it("finds the nearest first, with the distance in metres", function()
    open()
    spawn_commuter("far", 400)
    spawn_commuter("close", 30)
    spawn_commuter("middle", 200)
    local answer = query()
    expect(answer).to_match { type = "vehicle:commuters_found", source = "moonwire",
                              target = vehicle.id }
    expect(answer.data).to_match { vehicle_id = "bus-1", count = 3 }
    expect(support.ids(answer)).to_equal { "close", "middle", "far" }
    for i, metres in ipairs { 30, 200, 400 } do
      local distance = answer.data.commuters[i].distance
      expect(distance).to_be_near(metres, 0.5)
      expect(distance * 10).to_be_near(math.floor(distance * 10 + 0.5), 1e-6)
    end
    local exact = geo.distance(LAT, LON, north(200).lat, LON)
    expect(answer.data.commuters[2].distance).to_be_near(exact, 0.05)
    expect(vehicle:received("vehicle:commuters_found")).to_equal { answer }
  end)

  it("finds whom it reaches and who walks that far", function()
    open()
    spawn_commuter("A", 300, { max_walking_distance = 200 })
    spawn_commuter("B", 300, { max_walking_distance = 400 })
    spawn_commuter("C", 700, { max_walking_distance = 1000 })
    expect(near()).to_equal { "B" }
    expect(near { radius = 1000 }).to_equal { "B", "C" }
    expect(near { radius = 250 }).to_equal {}
  end)

  it("reaches as far, and gets as many, as settings say", function()
    open { ["route.radius"] = 100, ["route.seats"] = 2, ["route.max_radius"] = 300 }
    for i = 1, 4 do spawn_commuter("C" .. i, i * 30) end
    expect(near()).to_equal { "C1", "C2" }
    expect(near { seats = 4 }).to_equal { "C1", "C2", "C3" }
    expect(near { seats = 4, radius = 300 }).to_equal { "C1", "C2", "C3", "C4" }
    expect(query { radius = 301 }).to_equal(support.refusal("invalid", "data.radius"))
  end)

  it("takes current_location for position, and needs one", function()
    open()
    spawn_commuter("C1", 10)
    expect(near { position = null, current_location = north(0) }).to_equal { "C1" }
    expect(near { position = north(5000), current_location = north(0) }).to_equal {}
    expect(support.send(vehicle, "vehicle:query_commuters", { vehicle_id = "bus-1" }))
      .to_equal(support.refusal("invalid", "data.position"))
  end)

  it("finds who goes its way", function()
    open()
    spawn_commuter("A", 10, { route_id = "1A" })
    spawn_commuter("B", 20, { route_id = "2B", direction = "inbound" })
    spawn_commuter("C", 30, { direction = "inbound" })
    expect(near { direction = "inbound" }).to_equal { "B", "C" }
    expect(near { route_id = "1A" }).to_equal { "A", "C" }
    expect(near { route_id = "1A", direction = "inbound" }).to_equal { "C" }
  end)

  it("looks past any number of others who are nearer", function()
    open()
    for i = 1, 40 do spawn_commuter("N" .. i, i, { direction = "inbound" }) end
    spawn_commuter("Y1", 100)
    spawn_commuter("Y2", 110)
    spawn_commuter("Y3", 120)
    expect(near { direction = "outbound", seats = 2 }).to_equal { "Y1", "Y2" }
  end)

  it("with a target is the target's to answer", function()
    open()
    spawn_commuter("C1", 10)
    local answer = support.send(vehicle, "vehicle:query_commuters",
      { vehicle_id = "bus-1", position = north(0) }, { target = "commuters" })
    expect(answer).to_match { ok = true, recipients = 1 }
    expect(#passenger:received("vehicle:query_commuters")).to_equal(1)
    local passed = support.send(passenger, "vehicle:commuters_found",
                                { commuters = json.array {} }, { target = vehicle.id })
    expect(passed).to_match { ok = true, recipients = 1 }
    expect(#vehicle:received("vehicle:commuters_found")).to_equal(1)
  end)
end)

describe("a trip", function()
  it("begins when a vehicle picks up, and ends when it drops off", function()
    open()
    spawn_commuter("C1", 10)
    local answer, message = pick_up("C1")
    expect(answer).to_equal { ok = true, id = message.id }
    expect(passenger:received("commuter:picked_up")).to_match { { id = message.id } }
    expect(near()).to_equal {}
    expect(ask(NSP, "figures")).to_match { waiting = 0, on_board = 1 }
    expect(drop_off("C1")).to_match { ok = true }
    expect(#passenger:received("commuter:dropped_off")).to_equal(1)
    expect(ask(NSP, "figures")).to_match { on_board = 0 }
  end)

  it("is the first vehicle's", function()
    open()
    spawn_commuter("C1", 10)
    pick_up("C1")
    expect(pick_up("C1", "bus-2"))
      .to_equal(support.refusal("already_picked_up", "data.commuter_id", { vehicle_id = "bus-1" }))
    expect(drop_off("C1", "bus-2"))
      .to_equal(support.refusal("wrong_vehicle", "data.vehicle_id", { vehicle_id = "bus-1" }))
    expect(#passenger:received("commuter:dropped_off")).to_equal(0)
    expect(drop_off("C1", "bus-1")).to_match { ok = true }
  end)

  it("ends once, and not before it began", function()
    open()
    spawn_commuter("C1", 10)
    expect(drop_off("C1")).to_equal(support.refusal("not_picked_up", "data.commuter_id"))
    expect(near()).to_equal { "C1" }
    pick_up("C1")
    drop_off("C1")
    expect(drop_off("C1")).to_equal(support.refusal("already_dropped_off", "data.commuter_id"))
    expect(drop_off("nobody")).to_equal(support.refusal("unknown_commuter", "data.commuter_id"))
    expect(pick_up("nobody")).to_equal(support.refusal("unknown_commuter", "data.commuter_id"))
  end)

  it("can be followed by another", function()
    open()
    spawn_commuter("C1", 10)
    pick_up("C1")
    expect(spawn_commuter("C1", 10))
      .to_equal(support.refusal("already_picked_up", "data.commuter_id", { vehicle_id = "bus-1" }))
    drop_off("C1")
    expect(spawn_commuter("C1", 10)).to_match { ok = true }
    expect(near()).to_equal { "C1" }
    expect(drop_off("C1")).to_equal(support.refusal("not_picked_up", "data.commuter_id"))
  end)

  it("that began at a depot ends here, too", function()
    open()
    local depot = support.join("/depot-reservoir", "vehicle-conductor", "bus-1")
    support.send(depot, "commuter:spawned", { commuter_id = "C1" })
    support.send(depot, "commuter:picked_up", { commuter_id = "C1", vehicle_id = "bus-1" })
    expect(drop_off("C1", "bus-2"))
      .to_equal(support.refusal("wrong_vehicle", "data.vehicle_id", { vehicle_id = "bus-1" }))
    expect(drop_off("C1")).to_match { ok = true }
    expect(state("/depot-reservoir").reservoir.trips.entries.C1.on_board).to_equal(false)
  end)

  it("has ids that are texts", function()
    open()
    expect(support.send(vehicle, "commuter:picked_up", { commuter_id = "C1" }))
      .to_equal(support.refusal("invalid", "data.vehicle_id"))
    expect(support.send(vehicle, "commuter:dropped_off", { commuter_id = 7, vehicle_id = "b" }))
      .to_equal(support.refusal("invalid", "data.commuter_id"))
    expect(support.send(vehicle, "commuter:picked_up", { commuter_id = "", vehicle_id = "b" }))
      .to_equal(support.refusal("invalid", "data.commuter_id"))
    expect(schema.check(schema.string(), "C1")).to_equal("C1")
  end)
end)
