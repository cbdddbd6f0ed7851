local schema = require "schema"
local support = require "support_test"

local get, post = support.get, support.post

-- By path: a body, a role that may, one that may not, and a field that is asked for.
local PATHS = {
  ["/assignments/send"] = { {
    unit_id = "UNIT-5", incident_id = "INC-001", incident_type = "Cardiac Arrest",
    address = "123 Main St", priority = 1,
  }, "dispatcher", "crew", "unit_id" },
  ["/units/location"] = { { unit_id = "UNIT-5", latitude = 40.7, longitude = -74 }, "crew",
                          "dispatcher", "latitude" },
  ["/units/status"] = { { unit_id = "UNIT-5", status = "enroute", incident_id = "INC-001" }, "crew",
                        "dispatcher", "status" },
  ["/incidents/status"] = { { incident_id = "INC-001", status = "enroute", user_id = "u" },
                            "dispatcher", "crew", "incident_id" },
  ["/incidents/timestamp"] = { {
    incident_id = "INC-001", field = "enroute_at", timestamp = "2026-03-01T08:00:00Z",
  }, "crew", "dispatcher", "field" },
  ["/transport/completed"] = { {
    incident_id = "INC-001", epcr_id = "E-1", transport_type = "ALS", patient_name = "Ann",
    destination = "General", billing_data = { miles = 7.5 },
  }, "crew", "dispatcher", "epcr_id" },
  ["/metrics/broadcast"] = { { metrics = { active = 3 } }, "admin", "crew", "metrics" },
}

local function without(body, field)
  local rest = {}
  for name, value in pairs(body) do
    if name ~= field then rest[name] = value end
  end
  return rest
end

describe("every path of the document", function()
  it("does what its event does", function()
    local admin = support.join("admin")
    for path, of in pairs(PATHS) do
      local status, body = post(of[2], path, of[1])
      expect(status).to_equal(200)
      expect(body).to_match { success = true, message = schema.string { min = 1 } }
      for _, name in ipairs { "unit_id", "incident_id", "epcr_id" } do
        if body[name] then expect(body[name]).to_equal(of[1][name]) end
      end
    end
    expect(admin:received("unit:location:updated")).to_match {
      { unitId = "UNIT-5", location = support.HERE },
    }
    expect(admin:received("unit:status:updated")).to_match {
      { unitId = "UNIT-5", status = "enroute", incidentId = "INC-001" },
    }
    expect(admin:received("incident:status:updated")).to_match { { status = "enroute", userId = "u" } }
    expect(admin:received("incident:timestamp:updated")).to_match { { field = "enroute_at" } }
    expect(admin:received("transport:completed")).to_match { {
      incidentId = "INC-001", epcrId = "E-1", transportType = "ALS", patientName = "Ann",
      destination = "General", billingData = { miles = 7.5 },
    } }
    expect(admin:received("metrics:updated")).to_match { { metrics = { active = 3 } } }
    expect(admin:received("assignment:updated")[1]).to_match {
      unitId = "UNIT-5", incident = { type = "Cardiac Arrest", address = "123 Main St", priority = 1 },
    }
  end)

  it("answers 401 without a token, and with a bad one", function()
    for path, of in pairs(PATHS) do
      local status, body = post(nil, path, of[1])
      expect(status).to_equal(401)
      expect(body).to_match { error = { code = "unauthorized" } }
      expect((request("POST", support.BASE .. path, {
        json = of[1], headers = { authorization = "Bearer x.y.z" },
      }))).to_equal(401)
    end
  end)

  it("answers 403 to another role", function()
    for path, of in pairs(PATHS) do expect((post(of[3], path, of[1]))).to_equal(403) end
  end)

  it("answers 422 with the field's name to a bad body", function()
    for path, of in pairs(PATHS) do
      local status, body = post(of[2], path, without(of[1], of[4]))
      expect(status).to_equal(422)
      expect(body.error).to_match { code = "invalid", data = { field = of[4] } }
      expect(body.error.message).to_contain(of[4])
      expect((post(of[2], path, "text"))).to_equal(422)
    end
  end)

  it("takes a service's token", function()
    settings { ["auth.token"] = "service" }
    local status = request("POST", support.BASE .. "/metrics/broadcast", {
      json = { metrics = {} }, headers = { authorization = "Bearer service" },
    })
    expect(status).to_equal(200)
  end)
end)

describe("health", function()
  it("is for everybody", function()
    support.join("crew")
    support.join("crew"):call("unit:status", { unitId = "UNIT-5", status = "available" })
    connect(support.NSP)
    local status, body = get(nil, "/health")
    expect(status).to_equal(200)
    expect(body).to_match {
      status = "healthy", bridge = { state = "disabled", connected = false },
      event_processing = { processed = 1, refused = 0 },
      hub = { connections = { total = 3, client = 2, bridge = 0, unauthenticated = 1 }, units = 1 },
      billing = { target = "none", waiting = 0 },
    }
    support.join("crew"):call("unit:status", {})
    local _, later = get(nil, "/health")
    expect(later.event_processing).to_match { processed = 2, refused = 1 }
  end)
end)

describe("what operators ask", function()
  it("is theirs", function()
    for path, role in pairs {
      ["/status"] = "dispatcher", ["/audit"] = "dispatcher", ["/assignments"] = "crew",
      ["/incidents"] = "crew", ["/units"] = "nobody",
    } do
      expect((get(role, path))).to_equal(403)
      expect((get(nil, path))).to_equal(401)
      expect((get("admin", path))).to_equal(200)
    end
    for _, path in ipairs { "/reconnect", "/billing/retry" } do
      expect((post("dispatcher", path))).to_equal(403)
      expect((post(nil, path))).to_equal(401)
    end
  end)

  it("has no bridge to connect anew without one", function()
    local status, body = post("admin", "/reconnect")
    expect(status).to_equal(503)
    expect(body.error.code).to_equal("unavailable")
  end)

  it("comes by pages", function()
    for i = 1, 5 do
      post("crew", "/units/status", { unit_id = "UNIT-" .. i, status = "available" })
    end
    local _, first = get("dispatcher", "/units", { limit = "3" })
    expect(#first.items).to_equal(3)
    local _, second = get("dispatcher", "/units", { limit = "3", after = first.next.after })
    expect(second.items).to_match { { unitId = "UNIT-4" }, { unitId = "UNIT-5" } }
    expect(second.next).to_be_nil()
  end)

  it("leaves out closed incidents when asked", function()
    local function statuses(query)
      local _, page = get("dispatcher", "/incidents", query)
      local list = {}
      for i, incident in ipairs(page.items) do list[i] = incident.status end
      return list
    end
    post("dispatcher", "/incidents/status", { incident_id = "INC-1", status = "enroute" })
    post("dispatcher", "/incidents/status", { incident_id = "INC-2", status = "closed" })
    expect(statuses {}).to_equal { "enroute", "closed" }
    expect(statuses { open = "true" }).to_equal { "enroute" }
  end)
end)

describe("the audit log", function()
  local function audit(query)
    local status, body = get("admin", "/audit", query)
    expect(status).to_equal(200)
    return body.items
  end

  it("has who did what, when and from where", function()
    clock("2026-03-01T08:00:00Z")
    local crew = support.join("crew", { sub = "ann", unitId = "UNIT-5" })
    crew:call("unit:status", { unitId = "UNIT-5", status = "available" })
    expect(audit { what = "unit:status" }).to_match { {
      who = "ann", what = "unit:status", source = "client", outcome = "done", subject = "UNIT-5",
      when = schema.string { pattern = "^2026%-03%-01T08:" },
    } }
  end)

  it("has what was refused, and who was not let in", function()
    local crew = support.join("crew", { sub = "ann", unitId = "UNIT-5" })
    crew:call("unit:status", { unitId = "UNIT-6", status = "available" })
    crew:call("unit:status", { unitId = 5, status = "available" })
    connect(support.NSP, { auth = { token = "x.y.z" } })
    post(nil, "/units/status", {})
    post("crew", "/metrics/broadcast", {})
    expect(audit { what = "unit:status" }).to_match {
      { outcome = "invalid", detail = schema.string { pattern = "unitId" } },
      { outcome = "forbidden" },
    }
    expect(audit { source = "unauthenticated" }).to_match {
      { what = "POST /api/socket-bridge/units/status", outcome = "unauthorized" },
      { what = "connect", outcome = "unauthorized" },
    }
    expect(audit { what = "POST /api/socket-bridge/metrics/broadcast" })
      .to_match { { who = "crew-1", outcome = "forbidden" } }
  end)

  it("has who came and went", function()
    support.join("crew", { sub = "ann" }):disconnect()
    advance(1)
    expect(audit { who = "ann" }).to_match { { what = "disconnected" }, { what = "connected" } }
  end)

  it("has positions apart from the rest", function()
    post("crew", "/units/location", { unit_id = "UNIT-5", latitude = 1, longitude = 2 })
    expect(audit { what = "unit:location" }).to_equal {}
    expect(audit { log = "positions" }).to_match { { what = "unit:location", subject = "UNIT-5" } }
  end)
end)
