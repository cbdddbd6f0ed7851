local schema = require "schema"
local support = require "support_test"

local URL = "https://billing.example/transports"

local function complete(epcr, by)
  return by:call("transport:completed", {
    incidentId = "INC-001", epcrId = epcr, billingData = { miles = 7.5 },
  })
end

local function billing()
  local _, health = support.get(nil, "/health")
  return health.billing, health.status
end

describe("a completed transport", function()
  local crew, received, answer

  before_each(function()
    received, answer = {}, { status = 200 }
    settings { ["billing.url"] = URL, ["billing.token"] = "secret", ["billing.limit"] = 3 }
    http.on("POST", URL, function(request)
      received[#received + 1] = request
      return answer.status, answer.why
    end)
    crew = support.join("crew")
  end)

  it("is billed, with an id by which a second one is known", function()
    local dispatcher, dashboard = support.join("dispatcher"), support.join("dashboard")
    expect(complete("E-1", crew))
      .to_equal { success = true, incidentId = "INC-001", epcrId = "E-1" }
    advance(1)
    expect(#received).to_equal(1)
    expect(received[1].headers).to_match {
      ["idempotency-key"] = "INC-001:E-1", authorization = "Bearer secret",
    }
    expect(received[1].json).to_match {
      id = "INC-001:E-1", event = "transport:completed", incidentId = "INC-001", epcrId = "E-1",
      billingData = { miles = 7.5 }, reportedBy = "crew-1", attempt = 1,
      createdAt = schema.string { format = "date-time" },
    }
    expect(dispatcher:received("transport:completed")).to_match { { epcrId = "E-1" } }
    expect(dashboard:received("transport:completed")).to_equal {}
    expect((billing())).to_match { target = "webhook", waiting = 0, delivered = 1 }
  end)

  it("is billed once, however often it is told", function()
    complete("E-1", crew)
    advance(1)
    expect(complete("E-1", crew)).to_match { success = true, duplicate = true }
    complete("E-2", crew)
    advance(5)
    expect(#received).to_equal(2)
    expect(received[2].json.epcrId).to_equal("E-2")
  end)

  it("has an id of its own, and one that fits into a header", function()
    for _, of in ipairs { { "a:b", "c" }, { "a", "b:c" }, { "x\r\ny", "50%" } } do
      crew:call("transport:completed", { incidentId = of[1], epcrId = of[2] })
    end
    advance(1)
    local ids = {}
    for i, each in ipairs(received) do ids[i] = each.headers["idempotency-key"] end
    expect(ids).to_equal { "a%3Ab:c", "a:b%3Ac", "x%0D%0Ay:50%25" }
    expect(crew:call("transport:completed", {
      incidentId = ("ü"):rep(60), epcrId = "E-1",
    })).to_match(support.refusal("invalid", "epcrId"))
  end)

  it("is plain JSON", function()
    expect(crew:call("transport:completed", {
      incidentId = "INC-001", epcrId = "E-1", billingData = { scan = bytes("x") },
    })).to_match(support.refusal("invalid", "billingData"))
    expect((billing())).to_match { waiting = 0 }
  end)

  it("waits for the billing system to be back, in order", function()
    answer.status = 503
    complete("E-1", crew)
    complete("E-2", crew)
    advance(0.5)
    expect(#received).to_equal(1)
    local waiting, status = billing()
    expect(waiting.waiting).to_equal(2)
    expect(status).to_equal("degraded")
    advance(60)
    expect(#received).to_be_near(6, 1)
    answer.status = 200
    advance(60)
    expect(received[#received - 1].json.epcrId).to_equal("E-1")
    expect(received[#received].json.epcrId).to_equal("E-2")
    local done, later = billing()
    expect(done.waiting).to_equal(0)
    expect(later).to_equal("healthy")
  end)

  it("is set aside when it is refused again and again, and retried by an admin", function()
    answer.status = 422
    complete("E-1", crew)
    complete("E-2", crew)
    advance(20)
    expect(received[5].json).to_match { epcrId = "E-1", attempt = 5 }
    expect(received[6].json).to_match { epcrId = "E-2", attempt = 1 }
    advance(60)
    expect((billing())).to_match { waiting = 0, set_aside = 2 }
    answer.status = 200
    local _, body = support.post("admin", "/billing/retry")
    expect(body).to_match { success = true, moved = 2 }
    advance(5)
    expect((billing())).to_match { waiting = 0, set_aside = 0, delivered = 2 }
  end)

  it("waits while the receiver does not know us", function()
    answer.status = 401
    complete("E-1", crew)
    advance(600)
    expect((billing())).to_match { waiting = 1, set_aside = 0 }
  end)

  it("is refused, with nothing changed, when too many wait", function()
    answer.status = 503
    for i = 1, 3 do complete("E-" .. i, crew) end
    expect(complete("E-4", crew)).to_match(support.refusal("busy"))
    answer.status = 200
    advance(60)
    expect(complete("E-4", crew))
      .to_equal { success = true, incidentId = "INC-001", epcrId = "E-4" }
  end)
end)

describe("without a billing system", function()
  it("transports wait for one", function()
    complete("E-1", support.join("crew"))
    advance(60)
    local waiting, status = billing()
    expect(waiting).to_match { target = "none", waiting = 1 }
    expect(status).to_equal("healthy")
  end)
end)
