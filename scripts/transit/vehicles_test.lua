local schema = require "schema"
local support = require "support_test"

local NSP = "/vehicle-events"
local HERE = { lat = 40.7, lon = -74 }

local bus, watcher  -- a vehicle's socket and a dashboard's

local function open(overrides)
  if overrides then settings(overrides) end
  bus = support.join(NSP, "vehicle-driver", "bus-1")
  watcher = support.join(NSP, "dashboard", "wall")
end

local function update(event, data, by)
  data.vehicle_id = data.vehicle_id or "bus-1"
  return support.send(by or bus, event, data)
end
local function move(position, by) return update("vehicle:position_update", position, by) end
local function set_status(status, id)
  return update("vehicle:status_change", { status = status, vehicle_id = id })
end
local function seats(available, capacity)
  return update("vehicle:capacity_update", { available_seats = available, capacity = capacity })
end

--- What a dashboard that comes now is told: "vehicle event" in order of texts, and the messages.
local function replayed(service_type)
  local client = support.join(NSP, service_type or "dashboard")
  advance(1)
  local texts, messages = {}, {}
  for i, event in ipairs(client:received()) do
    texts[i] = event[2].data.vehicle_id .. " " .. event[1]
    messages[texts[i]] = event[2]
  end
  table.sort(texts)
  client:disconnect()
  return texts, messages
end

describe("a vehicle's position", function()
  it("goes to the others", function()
    open()
    local answer, message = move { position = HERE, heading = 90, speed = 12.5 }
    expect(answer).to_equal { ok = true, id = message.id }
    expect(watcher:received("vehicle:position_update")).to_equal { message }
    expect(bus:received("vehicle:position_update")).to_equal {}
  end)

  it("is a place, a heading and a speed", function()
    open()
    expect(move {}).to_equal(support.refusal("invalid", "data.position"))
    expect(move { current_location = HERE }).to_match { ok = true }
    expect(move { position = { lat = 0 } })
      .to_equal(support.refusal("invalid", "data.position.lon"))
    expect(move { position = HERE, heading = 361 })
      .to_equal(support.refusal("invalid", "data.heading"))
    expect(move { position = HERE, speed = -1 }).to_equal(support.refusal("invalid", "data.speed"))
    expect(#watcher:received("vehicle:position_update")).to_equal(1)
  end)

  it("has so many bytes", function()
    open { ["vehicles.message_bytes"] = 500 }
    expect(move { position = HERE, note = ("x"):rep(500) })
      .to_equal(support.refusal("too_large", "data"))
    expect(watcher:received()).to_equal {}
    expect(ask(NSP, "figures")).to_match { tracked = 0 }
  end)
end)

describe("a vehicle's status", function()
  it("may be any at first, and the same again", function()
    open()
    expect(set_status("driving")).to_match { ok = true }
    expect(set_status("driving")).to_match { ok = true }
    expect(set_status("flying")).to_equal(support.refusal("invalid", "data.status"))
    expect(#watcher:received("vehicle:status_change")).to_equal(2)
  end)

  it("goes from idle over boarding to driving", function()
    open()
    for _, status in ipairs { "idle", "boarding", "driving", "boarding", "idle", "boarding",
                              "driving", "idle" } do
      expect(set_status(status)).to_match { ok = true }
    end
    expect(set_status("driving")).to_equal(
      support.refusal("impossible_transition", "data.status", { from = "idle", to = "driving" }))
    expect(set_status("boarding")).to_match { ok = true }
    expect(set_status("driving", "bus-2")).to_match { ok = true }
  end)

  it("changes as settings have it", function()
    open { ["vehicles.transitions"] = { idle = { "driving" } } }
    set_status("idle")
    expect(set_status("boarding")).to_match { error = { code = "impossible_transition" } }
    expect(set_status("driving")).to_match { ok = true }
    expect(set_status("idle")).to_match { error = { code = "impossible_transition" } }
  end)
end)

describe("a vehicle's seats", function()
  it("are never more than its capacity, as far as that is known", function()
    open()
    expect(seats(60)).to_match { ok = true }
    expect(seats(41, 40)).to_equal(support.refusal("invalid", "data.available_seats"))
    expect(seats(40, 40)).to_match { ok = true }
    expect(seats(41)).to_equal(support.refusal("invalid", "data.available_seats"))
    expect(seats(12)).to_match { ok = true }
    expect(seats(50, 50)).to_match { ok = true }
    expect(seats(-1)).to_equal(support.refusal("invalid", "data.available_seats"))
    expect(#watcher:received("vehicle:capacity_update")).to_equal(4)
  end)
end)

describe("who joins", function()
  it("is told the last message of each kind of every vehicle", function()
    open()
    move { position = HERE }
    move { position = { lat = 41, lon = -75 } }
    set_status("idle")
    seats(10, 40)
    move { position = HERE, vehicle_id = "bus-2" }
    local texts, messages = replayed()
    expect(texts).to_equal {
      "bus-1 vehicle:capacity_update", "bus-1 vehicle:position_update",
      "bus-1 vehicle:status_change", "bus-2 vehicle:position_update",
    }
    expect(messages["bus-1 vehicle:position_update"]).to_match {
      source = "a-test", data = { position = { lat = 41, lon = -75 } },
      metadata = { replayed = true, connected = true },
    }
  end)

  it("keeps the message's own metadata, but not what the replay says", function()
    open()
    support.send(bus, "vehicle:status_change", { vehicle_id = "bus-1", status = "idle" },
                 { metadata = { trip = 7, replayed = false } })
    local _, messages = replayed()
    expect(messages["bus-1 vehicle:status_change"].metadata)
      .to_equal { trip = 7, replayed = true, connected = true }
  end)

  it("is told nothing if it is a vehicle", function()
    open()
    move { position = HERE }
    for _, service in ipairs { "vehicle-conductor", "vehicle-driver", "vehicle" } do
      expect((replayed(service))).to_equal {}
    end
    expect(#replayed("unknown")).to_equal(1)
  end)

  it("is told nothing if settings say so", function()
    open { ["vehicles.no_replay_to"] = { "dashboard" } }
    move { position = HERE }
    expect((replayed("dashboard"))).to_equal {}
    expect(#replayed("vehicle")).to_equal(1)
  end)

  it("is told of many vehicles in more than one go", function()
    open()
    for i = 1, 150 do move { position = HERE, vehicle_id = "v" .. i } end
    local client = support.join(NSP, "dashboard")
    local at_once = #client:received()
    expect(at_once).to_equal(100)
    advance(1)
    expect(#client:received()).to_equal(150)
  end)
end)

describe("a vehicle whose connection is gone", function()
  it("is kept for a while, as not connected", function()
    open { ["vehicles.keep_minutes"] = 2 }
    set_status("idle")
    bus:drop()
    advance(60)
    local _, messages = replayed()
    expect(messages["bus-1 vehicle:status_change"].metadata)
      .to_equal { replayed = true, connected = false }
    expect(ask(NSP, "figures")).to_match { tracked = 1 }
    advance(100)
    expect((replayed())).to_equal {}
    expect(ask(NSP, "figures")).to_match { tracked = 0 }
  end)

  it("is connected again when anybody speaks for it", function()
    open { ["vehicles.keep_minutes"] = 2 }
    set_status("idle")
    local second = support.join(NSP, "vehicle-driver", "bus-1")
    move({ position = HERE }, second)
    bus:drop()
    advance(3600)
    local _, messages = replayed()
    expect(messages["bus-1 vehicle:status_change"].metadata).to_match { connected = true }
    second:disconnect()
    advance(3600)
    expect((replayed())).to_equal {}
  end)

  it("is remembered with its status when it returns in time", function()
    open()
    set_status("idle")
    bus:drop()
    advance(60)
    bus = support.join(NSP, "vehicle-driver", "bus-1")
    expect(set_status("driving")).to_match { error = { code = "impossible_transition" } }
    expect(set_status("boarding")).to_match { ok = true }
    advance(3600)
    local _, messages = replayed()
    expect(messages["bus-1 vehicle:status_change"].metadata)
      .to_equal { replayed = true, connected = true }
  end)
end)

describe("the fleet", function()
  it("has a limit", function()
    open { ["vehicles.limit"] = 2 }
    set_status("idle", "bus-1")
    set_status("idle", "bus-2")
    expect(set_status("idle", "bus-3")).to_equal(support.refusal("fleet_full", "data.vehicle_id"))
    expect(set_status("boarding", "bus-2")).to_match { ok = true }
    expect(ask(NSP, "figures")).to_match { tracked = 2, limit = 2 }
  end)

  it("makes room by the vehicle that is gone longest", function()
    open { ["vehicles.limit"] = 3 }
    local clients = {}
    for i = 1, 3 do
      clients[i] = support.join(NSP, "vehicle-driver", "bus-" .. i)
      move({ position = HERE, vehicle_id = "bus-" .. i }, clients[i])
    end
    for _, i in ipairs { 2, 1, 3 } do
      clients[i]:disconnect()
      advance(1)
    end
    expect(set_status("idle", "bus-4")).to_match { ok = true }
    expect((replayed())).to_equal { "bus-1 vehicle:position_update",
                                    "bus-3 vehicle:position_update", "bus-4 vehicle:status_change" }
    expect(schema.check(schema.integer(), ask(NSP, "figures").tracked)).to_equal(3)
  end)
end)
