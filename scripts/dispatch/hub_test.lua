local schema = require "schema"
local support = require "support_test"

local join, refusal, EVENTS = support.join, support.refusal, support.EVENTS
local TIME = "2026-03-01T08:00:00Z"

describe("every event", function()
  it("is for those whose role it is", function()
    for event, of in pairs(EVENTS) do
      expect(join(of[3]):call(event, of[1])).to_match(refusal("forbidden"))
    end
  end)

  it("is done for them", function()
    for event, of in pairs(EVENTS) do
      if event ~= "assignment:received" then
        expect(join(of[2]):call(event, of[1])).to_match { success = true }
      end
    end
  end)

  it("is done for admins", function()
    local admin = join("admin")
    expect(admin:call("unit:status", EVENTS["unit:status"][1])).to_match { success = true }
    expect(admin:call("incident:status", EVENTS["incident:status"][1])).to_match { success = true }
  end)

  it("is refused with the field that is wrong", function()
    local service = join("admin")
    for event in pairs(EVENTS) do
      expect(service:call(event, "text")).to_match(refusal("invalid", "payload"))
    end
    local function wrong(event, payload, field)
      expect(service:call(event, payload)).to_match(refusal("invalid", field))
    end
    wrong("assignment:sent", { incident = support.INCIDENT }, "unitId")
    wrong("assignment:sent", { unitId = "U" }, "incidentId")
    wrong("assignment:sent", { unitId = "U", incident = { priority = 1 } }, "incident.incidentId")
    wrong("assignment:sent", { unitId = "U", incidentId = "I", priority = 6 }, "priority")
    wrong("unit:location", { unitId = "U" }, "location")
    wrong("unit:location", { unitId = "U", location = { type = "Point", coordinates = { 1, 91 } } },
          "location.coordinates")
    wrong("unit:location", { unitId = "U", location = support.HERE, heading = 361 }, "heading")
    wrong("unit:status", { unitId = "U", status = 7 }, "status")
    wrong("incident:timestamp", { incidentId = "I", field = "at", timestamp = "noon" }, "timestamp")
    wrong("transport:completed", { incidentId = "I" }, "epcrId")
    wrong("metrics:updated", {}, "metrics")
  end)

  it("with an id is done once", function()
    local crew, other, dispatcher = join("crew"), join("crew", { sub = "other" }), join("dispatcher")
    local status = { unitId = "UNIT-5", status = "enroute", id = "m-1" }
    expect(crew:call("unit:status", status).duplicate).to_be_nil()
    expect(crew:call("unit:status", status)).to_equal { success = true, duplicate = true }
    expect(other:call("unit:status", status).duplicate).to_be_nil()
    expect(#dispatcher:received("unit:status:updated")).to_equal(2)
  end)

  it("that was refused may come again with its id", function()
    local dispatcher = join("dispatcher")
    dispatcher:call("incident:status", { incidentId = "INC-1", status = "completed" })
    local again = { incidentId = "INC-1", status = "enroute", id = "m-1" }
    expect(dispatcher:call("incident:status", again)).to_match(refusal("conflict"))
    expect(dispatcher:call("incident:status", again)).to_match(refusal("conflict"))
  end)
end)

describe("a unit", function()
  it("moves, which everybody hears", function()
    local crew, dashboard = join("crew"), join("dashboard")
    crew:emit("unit:location", { unitId = "UNIT-5", location = support.HERE, heading = 90,
                                 speed = null })
    advance(1)
    expect(dashboard:received("unit:location:updated")).to_equal { {
      unitId = "UNIT-5", location = support.HERE, heading = 90, id = schema.string(),
      timestamp = schema.string(),
    } }
    for _, place in ipairs { { lat = 40.7, lng = -74 }, { latitude = 40.7, longitude = -74 } } do
      crew:call("unit:location", { unitId = "UNIT-5", location = place })
      expect(support.last(dashboard, "unit:location:updated").location).to_equal(support.HERE)
    end
    crew:call("unit:location", { unitId = "UNIT-5", latitude = 40.7, longitude = -74 })
    expect(#dashboard:received("unit:location:updated")).to_equal(4)
  end)

  it("has a status", function()
    local crew, dashboard = join("crew"), join("dashboard")
    crew:call("unit:status", { unitId = "UNIT-5", status = "enroute", incidentId = "INC-001" })
    crew:call("unit:status", { unitId = "UNIT-5", status = "available" })
    local heard = dashboard:received("unit:status:updated")
    expect(heard[1]).to_match { unitId = "UNIT-5", status = "enroute", incidentId = "INC-001" }
    expect(heard[2]).to_match { status = "available", previousStatus = "enroute" }
    expect(heard[2].incidentId).to_be_nil()
    local _, page = support.get("dispatcher", "/units")
    expect(page.items).to_match { { unitId = "UNIT-5", status = "available" } }
  end)

  it("may have only the statuses that the settings list", function()
    settings { ["board.unit_statuses"] = { "available" } }
    local crew = join("crew")
    expect(crew:call("unit:status", { unitId = "U", status = "available" })).to_match { success = true }
    expect(crew:call("unit:status", { unitId = "U", status = "avaliable" }))
      .to_match(refusal("invalid", "status"))
  end)

  it("is spoken for by its own crew", function()
    local crew = join("crew", { unitId = "UNIT-5" })
    expect(crew:call("unit:status", { unitId = "UNIT-6", status = "available" }))
      .to_match(refusal("forbidden"))
    expect(crew:call("unit:location", { unitId = "UNIT-6", location = support.HERE }))
      .to_match(refusal("forbidden"))
    expect(crew:call("join:unit", "UNIT-6")).to_match(refusal("forbidden"))
    expect(crew:call("unit:status", { unitId = "UNIT-5", status = "available" }))
      .to_match { success = true }
  end)

  it("needs a token that names it, if the settings say so", function()
    settings { ["auth.crew_needs_unit"] = true }
    local crew = join("crew")
    expect(crew:call("unit:status", { unitId = "UNIT-5", status = "available" }))
      .to_match(refusal("forbidden"))
    expect(crew:call("incident:timestamp", EVENTS["incident:timestamp"][1]))
      .to_match(refusal("forbidden"))
  end)

  it("is one of so many", function()
    settings { ["board.units"] = 1 }
    local crew = join("crew")
    crew:call("unit:status", { unitId = "UNIT-5", status = "available" })
    expect(crew:call("unit:status", { unitId = "UNIT-6", status = "available" }))
      .to_match(refusal("busy"))
    expect(crew:call("unit:status", { unitId = "UNIT-5", status = "enroute" }))
      .to_match { success = true }
  end)

  it("is forgotten when nobody has heard of it for long", function()
    settings { ["board.unit_keep_hours"] = 1 }
    local crew = join("crew")
    crew:call("unit:status", { unitId = "UNIT-5", status = "available" })
    advance(3500)
    expect(state(support.NSP).board.counts.units).to_equal(1)
    advance(300)
    expect(state(support.NSP).board.counts.units).to_equal(0)
  end)
end)

describe("an incident", function()
  it("is new once", function()
    local dispatcher, dashboard = join("dispatcher"), join("dashboard")
    expect(dispatcher:call("incident:created", support.INCIDENT))
      .to_match { success = true, incidentId = "INC-001", status = "pending" }
    expect(dispatcher:call("incident:created", support.INCIDENT)).to_match(refusal("conflict"))
    expect(dashboard:received("incident:new")).to_match { support.INCIDENT }
    expect(#dashboard:received("incident:new")).to_equal(1)
    local made = dispatcher:call("incident:created", { type = "Fall" })
    expect(#made.incidentId).to_equal(36)
  end)

  it("has a status, until it is closed", function()
    local dispatcher, dashboard = join("dispatcher"), join("dashboard")
    dispatcher:call("incident:status", { incidentId = "INC-001", status = "enroute" })
    dispatcher:call("incident:status", { incidentId = "INC-001", status = "COMPLETED", userId = "u" })
    expect(dashboard:received("incident:status:updated")).to_match {
      { status = "enroute", userId = "dispatcher-1" },
      { status = "COMPLETED", previousStatus = "enroute", userId = "u" },
    }
    expect(dispatcher:call("incident:status", { incidentId = "INC-001", status = "enroute" }))
      .to_match(refusal("conflict"))
    expect(support.assign(dispatcher)).to_match(refusal("conflict"))
    expect(dispatcher:call("incident:status", { incidentId = "INC-001", status = "COMPLETED" }))
      .to_match { success = true }
  end)

  it("is forgotten some time after, with its assignments", function()
    settings { ["board.keep_hours"] = 1 }
    local dispatcher = join("dispatcher")
    support.assign(dispatcher)
    advance(7200)
    expect(state(support.NSP).board.counts).to_match { incidents = 1, assignments = 1 }
    dispatcher:call("incident:status", { incidentId = "INC-001", status = "completed" })
    advance(3500)
    expect(state(support.NSP).board.counts).to_match { incidents = 1, assignments = 1 }
    advance(300)
    expect(state(support.NSP).board.counts).to_match { incidents = 0, assignments = 0 }
  end)

  it("has timestamps, of which the boards and its crews hear", function()
    local crew, other, dashboard = support.crew("UNIT-5"), support.crew("UNIT-6"), join("dashboard")
    support.assign(join("dispatcher"))
    local stamp = { incidentId = "INC-001", field = "onscene_at", timestamp = TIME,
                    location = { lat = 40.7, lng = -74 }, source = "auto" }
    expect(crew:call("incident:timestamp", stamp))
      .to_equal { success = true, incidentId = "INC-001", field = "onscene_at", timestamp = TIME }
    for _, each in ipairs { crew, dashboard } do
      expect(each:received("incident:timestamp:updated")).to_match { {
        incidentId = "INC-001", field = "onscene_at", timestamp = TIME, location = support.HERE,
        source = "auto",
      } }
    end
    expect(other:received("incident:timestamp:updated")).to_equal {}
    local _, page = support.get("dashboard", "/incidents")
    expect(page.items[1].timestamps.onscene_at).to_match { timestamp = TIME, by = "crew of UNIT-5" }
  end)

  it("is not for the crews of others", function()
    local other = support.crew("UNIT-6")
    support.assign(join("dispatcher"))
    expect(other:call("incident:timestamp", EVENTS["incident:timestamp"][1]))
      .to_match(refusal("forbidden"))
    expect(other:call("transport:completed", EVENTS["transport:completed"][1]))
      .to_match(refusal("forbidden"))
    expect(other:received("assignment:received")).to_equal {}
    expect(other:received("incident:new")).to_equal {}
  end)

  it("has at most so many timestamps", function()
    local crew = join("crew")
    local function stamp(i)
      return crew:call("incident:timestamp", { incidentId = "I", field = "f" .. i, timestamp = TIME })
    end
    for i = 1, 64 do expect(stamp(i)).to_match { success = true } end
    expect(stamp(65)).to_match(refusal("busy"))
    expect(stamp(1)).to_match { success = true }
  end)
end)

describe("metrics", function()
  it("go to all, and to who comes later", function()
    local dashboard = join("dashboard")
    join("admin"):call("metrics:updated", { metrics = { active = 3 } })
    expect(dashboard:received("metrics:updated")).to_match { { metrics = { active = 3 } } }
    expect(join("crew"):received("metrics:updated")).to_match { { metrics = { active = 3 } } }
  end)
end)
