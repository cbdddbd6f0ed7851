local schema = require "schema"
local support = require "support_test"

local NSP = "/depot-reservoir"

local vehicle, passenger  -- a conductor's socket and a commuter service's

local function spawn_commuter(id, fields)
  local data = { commuter_id = id }
  for key, value in pairs(fields or {}) do data[key] = value end
  return support.send(passenger, "commuter:spawned", data)
end

local function query(fields)
  local data = { vehicle_id = "bus-1", seats = 10 }
  for key, value in pairs(fields or {}) do data[key] = value end
  return support.send(vehicle, "vehicle:query_commuters", data)
end

local function waiting(fields) return support.ids((query(fields))) end

local function pick_up(id, by)
  return support.send(vehicle, "commuter:picked_up", { commuter_id = id, vehicle_id = by or "bus-1" })
end

local function open(overrides)
  if overrides then settings(overrides) end
  vehicle = support.join(NSP, "vehicle-conductor", "bus-1")
  passenger = support.join(NSP, "commuter-service", "commuters")
end

describe("a commuter who arrives at a depot", function()
  it("is acknowledged, and announced to the others with what was left out", function()
    open()
    local answer, message = spawn_commuter("C1", { note = "kept" })
    expect(answer).to_equal { ok = true, id = message.id }
    expect(vehicle:received("commuter:spawned")).to_equal { {
      id = message.id, type = "commuter:spawned", timestamp = message.timestamp,
      source = "a-test",
      data = { commuter_id = "C1", depot_id = "main", direction = "outbound", priority = 1,
               max_walking_distance = 500, note = "kept" },
    } }
    expect(passenger:received()).to_equal {}
  end)

  it("waits at the depot that settings name, if they name none", function()
    open { ["depot.default_id"] = "D9", ["reservoir.priority"] = 7,
           ["reservoir.walking_distance"] = 250 }
    spawn_commuter("C1")
    expect(waiting { depot_id = "D9" }).to_equal { "C1" }
    expect(vehicle:received("commuter:spawned")[1].data)
      .to_match { depot_id = "D9", priority = 7, max_walking_distance = 250 }
  end)

  it("goes outbound only", function()
    open()
    expect(spawn_commuter("C1", { direction = "inbound" }))
      .to_equal(support.refusal("invalid", "data.direction"))
    expect(spawn_commuter("C2", { direction = "outbound" })).to_match { ok = true }
    expect(waiting()).to_equal { "C2" }
  end)

  it("comes once", function()
    open()
    spawn_commuter("C1")
    expect(spawn_commuter("C1", { depot_id = "D2" }))
      .to_equal(support.refusal("duplicate_commuter", "data.commuter_id"))
    expect(waiting()).to_equal { "C1" }
    expect(waiting { depot_id = "D2" }).to_equal {}
    expect(#vehicle:received("commuter:spawned")).to_equal(1)
  end)

  it("has a place on Earth and a priority in bounds", function()
    open()
    expect(spawn_commuter("C1", { current_location = { lat = 91, lon = 0 } }))
      .to_equal(support.refusal("invalid", "data.current_location.lat"))
    expect(spawn_commuter("C1", { destination = { lat = 0, lon = 181 } }))
      .to_equal(support.refusal("invalid", "data.destination.lon"))
    expect(spawn_commuter("C1", { priority = 1001 }))
      .to_equal(support.refusal("invalid", "data.priority"))
    expect(spawn_commuter("C1", { priority = 1000, current_location = null }))
      .to_match { ok = true }
  end)

  it("is refused where the queue is full", function()
    open { ["depot.queue_limit"] = 2 }
    spawn_commuter("C1")
    spawn_commuter("C2")
    expect(spawn_commuter("C3")).to_equal(support.refusal("queue_full", "data.depot_id"))
    expect(spawn_commuter("C3", { depot_id = "D2" })).to_match { ok = true }
  end)

  it("is refused where the reservoir is full", function()
    open { ["reservoir.limit"] = 2 }
    spawn_commuter("C1")
    spawn_commuter("C2", { depot_id = "D2" })
    expect(spawn_commuter("C3", { depot_id = "D3" })).to_equal(support.refusal("reservoir_full"))
    expect(waiting { depot_id = "D3" }).to_equal {}
  end)

  it("has so many bytes of data", function()
    open { ["reservoir.commuter_bytes"] = 300 }
    expect(spawn_commuter("C1", { note = ("x"):rep(300) }))
      .to_equal(support.refusal("too_large", "data"))
    expect(spawn_commuter("C1", { note = ("x"):rep(100) })).to_match { ok = true }
  end)

  it("has data that is plain", function()
    open()
    expect(spawn_commuter("C1", { photo = bytes("\1\2") }))
      .to_equal(support.refusal("invalid", "data"))
    expect(waiting()).to_equal {}
  end)
end)

describe("a vehicle's question at a depot", function()
  it("is answered to the asker alone, with its correlation", function()
    open()
    local other = support.join(NSP, "vehicle-conductor", "bus-2")
    spawn_commuter("C1")
    other:clear()
    vehicle:clear()
    local answer, question = query()
    expect(answer).to_equal {
      id = schema.string { pattern = "^msg_%d+_%x+$" }, type = "vehicle:commuters_found",
      timestamp = schema.string { format = "date-time" }, source = "moonwire",
      target = vehicle.id, correlationId = question.id,
      data = { vehicle_id = "bus-1", depot_id = "main", count = 1, commuters = { {
        commuter_id = "C1", depot_id = "main", direction = "outbound", priority = 1,
        max_walking_distance = 500,
      } } },
    }
    expect(vehicle:received("vehicle:commuters_found")).to_equal { answer }
    expect(other:received()).to_equal {}
    local correlated = support.send(vehicle, "vehicle:query_commuters",
                                    { vehicle_id = "bus-1", seats = 1 }, { correlationId = "c-9" })
    expect(correlated.correlationId).to_equal("c-9")
  end)

  it("finds the highest priority first, then first come first served", function()
    open()
    for id, priority in pairs { A = 2 } do spawn_commuter(id, { priority = priority }) end
    spawn_commuter("B", { priority = 5 })
    spawn_commuter("C", { priority = 2 })
    spawn_commuter("D", { priority = 9 })
    spawn_commuter("E", { priority = 5 })
    expect(waiting()).to_equal { "D", "B", "E", "A", "C" }
  end)

  it("finds the lowest first if settings say so", function()
    open { ["depot.highest_priority_first"] = false }
    spawn_commuter("A", { priority = 2 })
    spawn_commuter("B", { priority = 1 })
    spawn_commuter("C", { priority = 2 })
    expect(waiting()).to_equal { "B", "A", "C" }
  end)

  it("finds as many as there are seats, and nobody leaves the queue", function()
    open()
    for i = 1, 5 do spawn_commuter("C" .. i) end
    local answer = query { seats = 2 }
    expect(support.ids(answer)).to_equal { "C1", "C2" }
    expect(answer.data.count).to_equal(2)
    expect(waiting { seats = 5 }).to_equal { "C1", "C2", "C3", "C4", "C5" }
  end)

  it("is about one depot", function()
    open()
    spawn_commuter("C1", { depot_id = "D1" })
    spawn_commuter("C2", { depot_id = "D2" })
    local answer = query { depot_id = "D2" }
    expect(support.ids(answer)).to_equal { "C2" }
    expect(answer.data.depot_id).to_equal("D2")
  end)

  it("finds who takes its route, or any", function()
    open()
    spawn_commuter("A", { route_id = "1A" })
    spawn_commuter("B", { route_id = "2B" })
    spawn_commuter("C")
    spawn_commuter("D", { route_id = null })
    expect(waiting { route_id = "1A" }).to_equal { "A", "C", "D" }
    expect(waiting { route_id = "2B", seats = 1 }).to_equal { "B" }
    expect(waiting { route_id = null }).to_equal { "A", "B", "C", "D" }
    expect(waiting { direction = "inbound" }).to_equal {}
    expect(waiting { direction = "outbound", route_id = "2B" }).to_equal { "B", "C", "D" }
  end)

  it("names its seats, within the limit", function()
    open { ["reservoir.max_seats"] = 50 }
    expect(query { seats = 51 }).to_equal(support.refusal("invalid", "data.seats"))
    expect(query { seats = 0 }).to_equal(support.refusal("invalid", "data.seats"))
    expect(query { seats = 1.5 }).to_equal(support.refusal("invalid", "data.seats"))
    expect(query { seats = 50 }.data.count).to_equal(0)
    expect(support.send(vehicle, "vehicle:query_commuters", { seats = 1 }))
      .to_equal(support.refusal("invalid", "data.vehicle_id"))
  end)

  it("with a target is the target's to answer", function()
    open()
    spawn_commuter("C1")
    local answer, question = support.send(vehicle, "vehicle:query_commuters",
      { vehicle_id = "bus-1", seats = 1 }, { target = "service:commuter-service" })
    expect(answer).to_equal { ok = true, id = question.id, recipients = 1 }
    expect(passenger:received("vehicle:query_commuters"))
      .to_match { { id = question.id, target = "service:commuter-service" } }
    expect(vehicle:received("vehicle:commuters_found")).to_equal {}
    -- And the answer goes back.
    local passed = support.send(passenger, "vehicle:commuters_found",
      { commuters = json.array {} }, { target = "bus-1", correlationId = question.id })
    expect(passed).to_match { ok = true, recipients = 1 }
    expect(vehicle:received("vehicle:commuters_found")).to_match { { correlationId = question.id } }
    expect(support.send(passenger, "vehicle:commuters_found", {}))
      .to_equal(support.refusal("invalid", "data.commuters"))
  end)
end)

describe("a commuter who boards at a depot", function()
  it("leaves the queue, and everyone hears of it", function()
    open()
    spawn_commuter("C1", { depot_id = "D1" })
    spawn_commuter("C2", { depot_id = "D1", priority = 5 })
    spawn_commuter("C3", { depot_id = "D1" })
    local answer, message = pick_up("C1")
    expect(answer).to_equal { ok = true, id = message.id }
    expect(passenger:received("commuter:picked_up")).to_match { { id = message.id } }
    expect(waiting { depot_id = "D1" }).to_equal { "C2", "C3" }
    pick_up("C2")
    pick_up("C3")
    expect(waiting { depot_id = "D1" }).to_equal {}
    expect(ask(NSP, "figures")).to_match { waiting = 0, depots = 0 }
  end)

  it("boards the first vehicle only", function()
    open()
    spawn_commuter("C1")
    pick_up("C1", "bus-1")
    expect(pick_up("C1", "bus-2"))
      .to_equal(support.refusal("already_picked_up", "data.commuter_id", { vehicle_id = "bus-1" }))
    expect(#passenger:received("commuter:picked_up")).to_equal(1)
  end)

  it("must be there", function()
    open()
    expect(pick_up("nobody")).to_equal(support.refusal("unknown_commuter", "data.commuter_id"))
  end)

  it("can't wait again before having arrived", function()
    open()
    local driver = support.join("/route-reservoir", "vehicle-driver", "bus-1")
    spawn_commuter("C1")
    pick_up("C1")
    expect(spawn_commuter("C1"))
      .to_equal(support.refusal("already_picked_up", "data.commuter_id", { vehicle_id = "bus-1" }))
    expect(ask("/route-reservoir", "figures")).to_match { on_board = 1 }
    expect(support.send(driver, "commuter:dropped_off",
                        { commuter_id = "C1", vehicle_id = "bus-1" })).to_match { ok = true }
    expect(spawn_commuter("C1")).to_match { ok = true }
    expect(waiting()).to_equal { "C1" }
  end)

  it("is forgotten when there are newer trips enough", function()
    open { ["reservoir.remembered"] = 2 }
    for i = 1, 3 do
      spawn_commuter("C" .. i)
      pick_up("C" .. i)
    end
    expect(pick_up("C1")).to_equal(support.refusal("unknown_commuter", "data.commuter_id"))
    expect(pick_up("C2")).to_match { error = { code = "already_picked_up" } }
    expect(pick_up("C3")).to_match { error = { code = "already_picked_up" } }
  end)
end)

describe("a commuter who waits too long at a depot", function()
  it("gives up", function()
    open { ["reservoir.max_wait_minutes"] = 10 }
    spawn_commuter("C1")
    advance(5 * 60)
    spawn_commuter("C2")
    advance(4 * 60)
    expect(waiting()).to_equal { "C1", "C2" }
    advance(2 * 60)
    expect(waiting()).to_equal { "C2" }
    expect(ask(NSP, "figures")).to_match { waiting = 1, expired = 1 }
    expect(pick_up("C1")).to_equal(support.refusal("unknown_commuter", "data.commuter_id"))
    expect(logs()).to_contain(schema.object {
      level = schema.enum { "info" }, message = schema.enum { "commuters gave up waiting" } })
  end)

  it("waits for ever if settings say so", function()
    open { ["reservoir.max_wait_minutes"] = 0 }
    spawn_commuter("C1")
    advance(24 * 3600)
    expect(waiting()).to_equal { "C1" }
  end)

  it("is looked after as often as settings say", function()
    open { ["reservoir.max_wait_minutes"] = 1, ["reservoir.sweep_seconds"] = 600 }
    spawn_commuter("C1")
    advance(590)
    expect(waiting()).to_equal { "C1" }
    advance(20)
    expect(waiting()).to_equal {}
  end)
end)
