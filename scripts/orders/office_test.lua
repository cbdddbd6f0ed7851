local support = require "support_test"

describe("a notification", function()
  it("is sent by admins", function()
    local body = { userType = "customer", userId = "1", title = "T", message = "M" }
    local statuses = {}
    for i, party in ipairs { "customer:1", "merchant:2", "driver:3", "admin:0" } do
      statuses[i] = support.ask(party, "POST", "/notifications", body)
    end
    expect(statuses).to_equal { 403, 403, 403, 202 }
    expect((support.ask(nil, "POST", "/notifications", body))).to_equal(401)
    expect((request("POST", "/api/v1/notifications", {
      json = body, headers = { authorization = "Bearer nonsense" },
    }))).to_equal(401)
  end)

  it("has a title, a message, and maybe more", function()
    local client = support.join("customer:1")
    local id = support.must("admin:0", "POST", "/notifications", {
      userType = "customer", userId = 1, title = "T", message = "M", type = "promo",
      data = { code = "X" },
    }).id
    expect(client:received("notification")).to_match { {
      id = id, title = "T", message = "M", type = "promo", data = { code = "X" },
    } }
    for field, body in pairs {
      userType = { userType = "order", userId = "1", title = "T", message = "M" },
      userId = { userType = "driver", title = "T", message = "M" },
      title = { userType = "driver", userId = "1", message = "M" },
      message = { userType = "driver", userId = "1", title = "T" },
    } do
      local status, answer = support.ask("admin:0", "POST", "/notifications", body)
      expect(status).to_equal(422)
      expect(answer.error.message).to_match("^" .. field)
    end
  end)

  it("may be made from a template", function()
    settings { ["notifications.templates"] = { late = "{name}: {minutes} minutes late" } }
    local client = support.join("driver:1")
    local body = { userType = "driver", userId = "1", title = "T", template = "late",
                   params = { name = "%1", minutes = 5 } }
    support.must("admin:0", "POST", "/notifications", body)
    expect(client:received("notification")[1].message).to_equal("%1: 5 minutes late")
    body.params.minutes = nil
    local status, answer = support.ask("admin:0", "POST", "/notifications", body)
    expect(status).to_equal(422)
    expect(answer.error.message).to_equal("params.minutes is required by the template")
    body.template = "none"
    status, answer = support.ask("admin:0", "POST", "/notifications", body)
    expect(answer.error.message).to_equal("template: there is none named none")
  end)
end)

describe("channels", function()
  local URL = "https://mail.example/send"
  local sent, status
  local function notify(kind)
    return support.must("admin:0", "POST", "/notifications", {
      userType = "driver", userId = "7", title = "T", message = "M", type = kind,
    })
  end

  before_each(function()
    sent, status = {}, 200
    settings { ["notifications.channels"] = { email = URL, sms = "" },
               ["notifications.token"] = "secret" }
    http.on("POST", URL, function(request)
      sent[#sent + 1] = request
      return status
    end)
  end)

  it("get notifications, too", function()
    local id = notify("promo").id
    advance(1)
    expect(sent[1].json).to_match {
      id = id, channel = "email", to = "driver:7", title = "T", message = "M", type = "promo",
    }
    expect(sent[1].headers)
      .to_match { ["idempotency-key"] = id, authorization = "Bearer secret" }
    expect(support.join("driver:7"):received("notification")).to_match { { id = id } }
  end)

  it("and types of notifications are as the user wants", function()
    expect(support.must("driver:7", "GET", "/preferences"))
      .to_equal { muted = {}, channels = { email = { enabled = true } } }
    expect(support.must("driver:7", "PATCH", "/preferences",
                        { channels = { email = { address = "ada@example.com" } } }).muted)
      .to_equal {}
    notify("promo")
    advance(1)
    expect(sent[1].json.address).to_equal("ada@example.com")
    support.must("driver:7", "PATCH", "/preferences", { channels = { email = { enabled = false } } })
    notify("promo")
    expect(support.must("driver:7", "PATCH", "/preferences", { muted = { "promo" } })).to_equal {
      muted = { "promo" }, channels = { email = { enabled = false, address = "ada@example.com" } },
    }
    expect(notify("promo")).to_match { muted = true }
    expect(notify("late").muted).to_be_nil()
    advance(1)
    expect(#sent).to_equal(1)
    expect(#support.join("driver:7"):received("notification")).to_equal(3)
    expect(support.must("driver:8", "GET", "/preferences").muted).to_equal {}
  end)

  it("are wished for only as they are", function()
    expect((support.ask(nil, "GET", "/preferences"))).to_equal(401)
    expect((support.ask(nil, "PATCH", "/preferences", {}))).to_equal(401)
    for _, body in ipairs { { channels = { sms = { enabled = true } } }, { muted = "promo" },
                            { channels = { email = true } }, { mute = {} } } do
      expect((support.ask("driver:7", "PATCH", "/preferences", body))).to_equal(422)
    end
  end)

  it("may be away, or refuse", function()
    status = 503
    notify("a")
    advance(0.5)
    expect(support.must("admin:0", "GET", "/stats").channels.email)
      .to_match { waiting = 1, lastError = "status 503" }
    status = 400
    advance(60)
    expect(support.must("admin:0", "GET", "/stats").channels.email)
      .to_match { waiting = 0, setAside = 1 }
    status = 200
    expect((support.ask("driver:7", "POST", "/notifications/retry"))).to_equal(403)
    expect(support.must("admin:0", "POST", "/notifications/retry")).to_equal { moved = 1 }
    advance(1)
    expect(support.must("admin:0", "GET", "/stats").channels.email)
      .to_match { waiting = 0, setAside = 0 }
  end)
end)

describe("figures", function()
  it("say who is here, and who came again", function()
    support.join("driver:1")
    support.join("driver:2"):disconnect()
    support.join("driver:2")
    support.join("customer:2"):disconnect()
    advance(301)
    support.join("customer:2")
    connect(support.NSP, { auth = { token = "nonsense" } })
    expect(support.must("admin:0", "GET", "/stats")).to_match {
      connections = { total = 3, driver = 2, customer = 1, merchant = 0, admin = 0 },
      connects = 5, disconnects = 2, reconnections = 1, failedAuthentications = 1, suspicious = 1,
    }
    for _, party in ipairs { "driver:1", "customer:1", "merchant:1" } do
      expect((support.ask(party, "GET", "/stats"))).to_equal(403)
      expect((support.ask(party, "GET", "/suspicious"))).to_equal(403)
    end
    expect((support.ask(nil, "GET", "/stats"))).to_equal(401)
    expect((support.ask(nil, "GET", "/suspicious"))).to_equal(401)
  end)

  it("count events by the second", function()
    local client = support.join("driver:1")
    for _ = 1, 5 do client:emit("unsubscribeFromOrder", "x") end
    advance(10)
    local before = support.must("admin:0", "GET", "/stats")
    expect(before.eventsReceived).to_equal(5)
    for _ = 1, 20 do client:emit("unsubscribeFromOrder", "x") end
    advance(10)
    expect(support.must("admin:0", "GET", "/stats"))
      .to_match { eventsReceived = 25, eventsReceivedPerSecond = 2 }
  end)
end)

describe("the log of what looks suspicious", function()
  it("tells who, from where, and what", function()
    connect(support.NSP, { auth = { token = "nonsense" }, address = "192.0.2.7" })
    local order = support.order()
    support.join("customer:9"):call("subscribeToOrder", order.id)
    support.join("driver:3"):call("driverLocationUpdate", { driverId = "4", lat = 1, lng = 1 })
    expect(support.must("admin:0", "GET", "/suspicious").items).to_match {
      { kind = "auth_failed", address = "192.0.2.7", detail = "Invalid authentication token" },
      { kind = "not_a_party", user = "customer:9", detail = "subscribeToOrder " .. order.id },
      { kind = "not_the_driver", user = "driver:3", detail = "driverLocationUpdate" },
    }
    local first = support.must("admin:0", "GET", "/suspicious?limit=1")
    expect(#first.items).to_equal(1)
    expect(first.items[1].kind).to_equal("not_the_driver")
  end)

  it("keeps only so many a second", function()
    settings { ["suspicious.a_second"] = 2 }
    for _ = 1, 5 do connect(support.NSP, { auth = { token = "nonsense" } }) end
    expect(#support.must("admin:0", "GET", "/suspicious").items).to_equal(2)
    advance(1)
    connect(support.NSP, { auth = { token = "nonsense" } })
    local items = support.must("admin:0", "GET", "/suspicious").items
    expect(#items).to_equal(3)
    expect(items[3].skipped).to_equal(3)
  end)
end)
