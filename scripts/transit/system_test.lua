local schema = require "schema"
local support = require "support_test"

local NSP = "/system-events"
local ALL = { "/depot-reservoir", "/route-reservoir", "/vehicle-events", "/system-events" }

local monitor

local function open(overrides)
  if overrides then settings(overrides) end
  monitor = support.join(NSP, "monitor", "m")
end

local function health()
  return (support.send(monitor, "system:health_check", json.decode "{}"))
end

describe("the health check", function()
  it("says how everything is", function()
    open { ["reservoir.limit"] = 100 }
    advance(90)
    local depot = support.join("/depot-reservoir", "commuter-service", "commuters")
    support.send(depot, "commuter:spawned", { commuter_id = "C1" })
    support.send(depot, "commuter:spawned", { commuter_id = "C2", depot_id = "D2" })
    support.send(depot, "commuter:spawned", { commuter_id = "C2" })  -- refused
    local route = support.join("/route-reservoir", "vehicle-driver", "bus-1")
    support.send(route, "commuter:spawned", { commuter_id = "R1", direction = "inbound",
                                              current_location = { lat = 1, lon = 2 } })
    support.send(route, "commuter:picked_up", { commuter_id = "R1", vehicle_id = "bus-1" })
    local driver = support.join("/vehicle-events", "vehicle-driver", "bus-1")
    support.send(driver, "vehicle:status_change", { vehicle_id = "bus-1", status = "idle" })
    driver:disconnect()
    expect(health().data).to_equal {
      status = "healthy",
      uptime_seconds = 90,
      connections = { total = 3, namespaces = {
        ["/depot-reservoir"] = 1, ["/route-reservoir"] = 1, ["/vehicle-events"] = 0,
        ["/system-events"] = 1 } },
      messages = { received = 7, sent = 1, refused = 1 },
      reservoirs = {
        depot = { waiting = 2, limit = 100, depots = 2, expired = 0 },
        route = { waiting = 0, limit = 100, on_board = 1, expired = 0 },
      },
      vehicles = { tracked = 1, limit = 5000 },
    }
  end)

  it("answers the asker", function()
    open()
    local other = support.join(NSP, "monitor", "n")
    monitor:clear()
    local answer, question = support.send(monitor, "system:health_check", json.decode "{}")
    expect(answer).to_match { type = "system:health_check", source = "moonwire",
                              target = monitor.id, correlationId = question.id }
    expect(monitor:received("system:health_check")).to_equal { answer }
    expect(other:received("system:health_check")).to_equal {}
  end)

  it("is degraded when a reservoir is nine tenths full", function()
    open { ["reservoir.limit"] = 10 }
    local depot = support.join("/depot-reservoir", "commuter-service", "commuters")
    for i = 1, 8 do support.send(depot, "commuter:spawned", { commuter_id = "C" .. i }) end
    expect(health().data.status).to_equal("healthy")
    support.send(depot, "commuter:spawned", { commuter_id = "C9" })
    expect(health().data.status).to_equal("degraded")
  end)

  it("is degraded when the route's reservoir or the fleet is", function()
    open { ["reservoir.limit"] = 1, ["vehicles.limit"] = 1 }
    local route = support.join("/route-reservoir", "commuter-service", "commuters")
    support.send(route, "commuter:spawned", { commuter_id = "R1", direction = "inbound",
                                              current_location = { lat = 1, lon = 2 } })
    expect(health().data.status).to_equal("degraded")
    support.send(route, "commuter:picked_up", { commuter_id = "R1", vehicle_id = "bus-1" })
    expect(health().data.status).to_equal("healthy")
    local driver = support.join("/vehicle-events", "vehicle-driver", "bus-1")
    support.send(driver, "vehicle:status_change", { vehicle_id = "bus-1", status = "idle" })
    expect(health().data.status).to_equal("degraded")
  end)

  it("is a report, for the monitors, if it says how its sender is", function()
    open()
    local service = support.join(NSP, "simulator", "sim-1")
    local answer, report = support.send(service, "system:health_check", { status = "tired" })
    expect(answer).to_equal { ok = true, id = report.id }
    expect(monitor:received("system:health_check")).to_equal { report }
    expect(service:received("system:health_check")).to_equal {}
  end)

  it("with a target is the target's to answer", function()
    open()
    local service = support.join(NSP, "simulator", "sim-1")
    local answer = support.send(monitor, "system:health_check", json.decode "{}",
                                { target = "sim-1" })
    expect(answer).to_match { ok = true, recipients = 1 }
    expect(#service:received("system:health_check")).to_equal(1)
    expect(monitor:received("system:health_check")).to_equal {}
  end)
end)

describe("the monitors", function()
  it("hear who comes, in any namespace, and who it is", function()
    open()
    for _, nsp in ipairs(ALL) do
      monitor:clear()
      local client = support.join(nsp, "simulator", "sim-1")
      expect(monitor:received("system:service_connected")).to_match { {
        source = "moonwire", type = "system:service_connected",
        data = { service_type = "simulator", service_id = "sim-1", socket_id = client.id,
                 namespace = nsp },
      } }
      expect(client:received("system:service_connected")).to_equal {}
    end
  end)

  it("hear who goes, why, and after how long", function()
    open()
    local first = support.join("/vehicle-events", "vehicle-driver", "bus-1")
    advance(42)
    first:disconnect()
    expect(monitor:received("system:service_disconnected")).to_match { {
      data = { service_type = "vehicle-driver", service_id = "bus-1", namespace = "/vehicle-events",
               reason = "client namespace disconnect", connected_seconds = 42 },
    } }
    monitor:clear()
    local second = support.join("/depot-reservoir")
    second:drop()
    expect(monitor:received("system:service_disconnected")).to_match { {
      data = { service_type = "unknown", service_id = second.id, socket_id = second.id,
               reason = "transport close", connected_seconds = 0 } } }
  end)

  it("hear of errors, which are logged", function()
    open()
    local service = support.join(NSP, "simulator", "sim-1")
    local answer, message = support.send(service, "system:error",
                                         { code = "E7", message = "out of paint" })
    expect(answer).to_match { ok = true }
    expect(monitor:received("system:error")).to_equal { message }
    expect(logs()).to_contain(schema.object {
      level = schema.enum { "warn" }, message = schema.enum { "a service reports an error" },
      fields = schema.object {
        source = schema.enum { "a-test" }, service = schema.enum { "simulator" },
        instance = schema.enum { "sim-1" }, code = schema.enum { "E7" },
        error = schema.enum { "out of paint" } },
    })
    expect(support.send(service, "system:error", { code = "E7" }))
      .to_equal(support.refusal("invalid", "data.message"))
  end)

  it("hear of services behind a service", function()
    open()
    local gateway = support.join(NSP, "gateway", "g")
    for _, event in ipairs { "system:service_connected", "system:service_disconnected" } do
      monitor:clear()
      expect(support.send(gateway, event, { service_type = "sensor", service_id = "s1" }))
        .to_match { ok = true }
      expect(monitor:received(event)).to_match { { data = { service_type = "sensor" } } }
      expect(support.send(gateway, event, {}))
        .to_equal(support.refusal("invalid", "data.service_type"))
    end
  end)
end)
