local schema = require "schema"
local support = require "support_test"

local function states(client)
  local list = {}
  for i, each in ipairs(client:received("assignment:updated")) do
    list[i] = each.state .. " " .. each.sends
  end
  return list
end

describe("an assignment", function()
  local dispatcher
  before_each(function()
    settings { ["assignments.resend_seconds"] = 10, ["assignments.sends"] = 3,
               ["assignments.limit"] = 2 }
    dispatcher = support.join("dispatcher")
  end)

  it("reaches its unit, and is confirmed by the acknowledgement", function()
    local crew, other = support.crew("UNIT-5", true), support.crew("UNIT-6", true)
    local answer = support.assign(dispatcher)
    expect(answer).to_equal {
      success = true, assignmentId = schema.string { format = "uuid" }, unitId = "UNIT-5",
      incidentId = "INC-001", state = "pending",
    }
    advance(1)
    expect(crew:received("assignment:received")).to_match { {
      assignmentId = answer.assignmentId, unitId = "UNIT-5", incidentId = "INC-001",
      incident = support.INCIDENT, sentBy = "dispatcher-1",
    } }
    expect(other:received("assignment:received")).to_equal {}
    expect(support.last(dispatcher, "assignment:updated")).to_match {
      state = "confirmed", confirmedBy = "crew of UNIT-5",
    }
    advance(60)
    expect(#crew:received("assignment:received")).to_equal(1)
    expect(other:received("assignment:updated")).to_equal {}
  end)

  it("is confirmed by an event, once", function()
    local crew = support.crew("UNIT-5")
    local id = support.assign(dispatcher).assignmentId
    expect(crew:call("assignment:received", { assignmentId = id }))
      .to_equal { success = true, assignmentId = id, state = "confirmed" }
    expect(crew:call("assignment:received", { assignmentId = id }))
      .to_equal { success = true, assignmentId = id, state = "confirmed", duplicate = true }
    expect(crew:call("assignment:received", { assignmentId = "A-0" }))
      .to_match(support.refusal("not_found"))
    advance(60)
    expect(#crew:received("assignment:received")).to_equal(1)
  end)

  it("is confirmed by its unit or a dispatcher, and by no other unit", function()
    local id = support.assign(dispatcher).assignmentId
    expect(support.crew("UNIT-6"):call("assignment:received", { assignmentId = id }))
      .to_match(support.refusal("forbidden"))
    expect(dispatcher:call("assignment:received", { assignmentId = id }))
      .to_match { success = true }
  end)

  it("is sent again until it is left to the dispatcher", function()
    local crew = support.crew("UNIT-5")
    support.assign(dispatcher)
    advance(60)
    expect(#crew:received("assignment:received")).to_equal(3)
    expect(states(dispatcher))
      .to_equal { "pending 0", "pending 1", "pending 2", "pending 3", "unconfirmed 3" }
    local _, page = support.get("dispatcher", "/assignments", { state = "unconfirmed" })
    expect(#page.items).to_equal(1)
    local _, health = support.get(nil, "/health")
    expect(health.hub.assignments).to_equal { pending = 0, unconfirmed = 1 }
    expect(crew:call("assignment:received", { assignmentId = page.items[1].assignmentId }))
      .to_match { state = "confirmed" }
  end)

  it("waits for a unit that is away, and comes when it is there", function()
    support.assign(dispatcher)
    advance(100)
    expect(support.last(dispatcher, "assignment:updated"))
      .to_match { state = "pending", sends = 0, reachable = false }
    expect(#dispatcher:received("assignment:updated")).to_equal(2)
    local crew = support.crew("UNIT-5")
    advance(1)
    expect(#crew:received("assignment:received")).to_equal(1)
    expect(support.last(dispatcher, "assignment:updated")).to_match { sends = 1, reachable = true }
  end)

  it("comes to every device that joins its unit while it is open", function()
    support.crew("UNIT-5")
    support.assign(dispatcher)
    advance(1)
    local tablet = support.join("crew")
    tablet:on_call("assignment:received", function() return { confirmed = true } end)
    expect(tablet:received("assignment:received")).to_equal {}
    expect(tablet:call("join:unit", "UNIT-5")).to_equal { success = true, room = "unit:UNIT-5" }
    advance(1)
    expect(#tablet:received("assignment:received")).to_equal(1)
    expect(support.last(dispatcher, "assignment:updated"))
      .to_match { state = "confirmed", confirmedBy = "crew-1" }
    tablet:call("leave:unit", "UNIT-5")
    dispatcher:call("assignment:sent", { unitId = "UNIT-5", incidentId = "INC-2" })
    advance(1)
    expect(#tablet:received("assignment:received")).to_equal(1)
  end)

  it("is made once for a unit and an incident", function()
    local first = support.assign(dispatcher, { assignmentId = "A-1" })
    local again = support.assign(dispatcher)
    expect(again).to_match { success = true, assignmentId = "A-1", duplicate = true }
    expect(support.assign(dispatcher, { assignmentId = "A-2" }))
      .to_match { assignmentId = "A-1", duplicate = true }
    expect(#dispatcher:received("assignment:updated")).to_equal(2)
    expect(support.assign(dispatcher, { assignmentId = "A-1", unitId = "UNIT-6" }))
      .to_match(support.refusal("conflict", "assignmentId"))
    expect(first.assignmentId).to_equal("A-1")
  end)

  it("needs no more than the incident's id if that is known", function()
    dispatcher:call("incident:created", support.INCIDENT)
    dispatcher:call("assignment:sent", { unitId = "UNIT-5", incidentId = "INC-001" })
    expect(support.last(dispatcher, "assignment:updated").incident).to_match(support.INCIDENT)
    expect(#dispatcher:received("incident:new")).to_equal(1)
  end)

  it("is over with its incident", function()
    local crew = support.crew("UNIT-5")
    local id = support.assign(dispatcher).assignmentId
    dispatcher:call("incident:status", { incidentId = "INC-001", status = "cancelled" })
    expect(support.last(crew, "assignment:updated")).to_match { state = "closed" }
    expect(#crew:received("incident:status:updated")).to_equal(1)
    advance(60)
    expect(#crew:received("assignment:received")).to_equal(1)
    expect(crew:call("assignment:received", { assignmentId = id }))
      .to_match(support.refusal("conflict"))
    -- The paperwork comes later.
    expect(crew:call("incident:timestamp", {
      incidentId = "INC-001", field = "f", timestamp = "2026-03-01T08:00:00Z",
    })).to_match { success = true }
  end)

  it("is one of so many that wait", function()
    support.assign(dispatcher)
    support.assign(dispatcher, { unitId = "UNIT-6" })
    expect(support.assign(dispatcher, { unitId = "UNIT-7" })).to_match(support.refusal("busy"))
    dispatcher:call("assignment:received", {
      assignmentId = support.assign(dispatcher).assignmentId,
    })
    expect(support.assign(dispatcher, { unitId = "UNIT-7" })).to_match { success = true }
  end)

  it("is heard of by who is of its unit, and no longer", function()
    local tablet = support.join("crew")
    tablet:call("join:unit", "UNIT-5")
    tablet:call("join:unit", "UNIT-6")
    support.assign(dispatcher)
    support.assign(dispatcher, { unitId = "UNIT-6" })
    local function hears()
      tablet:clear()
      dispatcher:call("incident:status", { incidentId = "INC-001", status = "enroute" })
      return #tablet:received("incident:status:updated")
    end
    expect(hears()).to_equal(1)
    tablet:call("leave:unit", "UNIT-5")
    expect(hears()).to_equal(1)
    tablet:call("leave:unit", "UNIT-6")
    expect(hears()).to_equal(0)
  end)
end)
