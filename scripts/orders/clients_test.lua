local support = require "support_test"
local jwt = require "plugin.jwt"

local NSP = support.NSP

--- Connects, and is put out: what it was told.
local function refused(options)
  local client = connect(NSP, options)
  expect(client.connected).to_equal(false)
  expect(client:received("connected")).to_equal {}
  local told = client:received()
  expect(#told).to_equal(1)
  expect(told[1][1]).to_equal("error")
  return told[1][2]
end

describe("who connects", function()
  it("is told so, and is in the own room", function()
    for _, kind in ipairs { "customer", "merchant", "driver", "admin" } do
      local client = support.join(kind .. ":9")
      expect(client:received("connected")).to_equal { { userId = "9", userType = kind } }
    end
    support.must("admin:0", "POST", "/notifications",
                 { userType = "merchant", userId = "9", title = "T", message = "M" })
    local driver, merchant = support.join("driver:9"), support.join("merchant:9")
    support.must("admin:0", "POST", "/notifications",
                 { userType = "merchant", userId = 9, title = "U", message = "M" })
    expect(#merchant:received("notification")).to_equal(1)
    expect(driver:received("notification")).to_equal {}
  end)

  it("may bring the token in the query", function()
    local client = connect(NSP, { query = { token = support.token("driver:7") } })
    expect(client:received("connected")).to_equal { { userId = "7", userType = "driver" } }
    client = connect(NSP, { auth = { token = "" }, query = { token = support.token("driver:8") } })
    expect(client:received("connected")).to_equal { { userId = "8", userType = "driver" } }
  end)

  it("is put out without a token, as the document says", function()
    for _, options in ipairs { {}, { auth = {} }, { auth = { token = "" } },
                               { auth = { token = 7 } } } do
      expect(refused(options)).to_equal { message = "Authentication required" }
    end
  end)

  it("is put out with a token that is not good", function()
    local good = support.token("driver:7")
    local bad = {
      "nonsense", good:sub(1, -5) .. "AAAA", support.token("order:7"), support.token("drivers:7"),
      jwt.sign({ userType = "driver" }, 60), jwt.sign({ sub = "7" }, 60),
      jwt.sign({ sub = "7:8", userType = "driver" }, 60),
      jwt.sign({ sub = "", userType = "driver" }, 60),
      jwt.sign({ sub = true, userType = "driver" }, 60),
      jwt.sign({ sub = "7", userType = "order", role = "driver" }, 60),
    }
    for _, token in ipairs(bad) do
      expect(refused { auth = { token = token } })
        .to_equal { message = "Invalid authentication token" }
    end
    expect(support.must("admin:0", "GET", "/stats")).to_match {
      failedAuthentications = #bad, connects = 0,
    }
  end)

  it("may be a service that has a role, or have a number for an id", function()
    local token = jwt.sign({ sub = 12, roles = { "x", "admin" } }, 60)
    local client = connect(NSP, { auth = { token = token } })
    expect(client:received("connected")).to_equal { { userId = "12", userType = "admin" } }
  end)
end)

describe("a token that expires", function()
  it("ends the connection", function()
    support.real_time()
    local client = connect(NSP, { auth = { token = support.token("driver:7", 60) } })
    advance(58)
    expect(client.connected).to_equal(true)
    advance(4)
    expect(client.connected).to_equal(false)
    expect(client:received("error")).to_match { { code = "token_expired" } }
  end)

  it("is replaced by a newer one, without reconnecting", function()
    support.real_time()
    local client = connect(NSP, { auth = { token = support.token("driver:7", 60) } })
    local answer = client:call("auth:refresh", { token = support.token("driver:7", 600) })
    expect(answer).to_match { success = true }
    advance(300)
    expect(client.connected).to_equal(true)
    advance(310)
    expect(client.connected).to_equal(false)
  end)

  it("is not replaced by another's, or by a bad one", function()
    support.real_time()
    local client = connect(NSP, { auth = { token = support.token("driver:7", 60) } })
    for _, token in ipairs { support.token("driver:8", 600), support.token("admin:7", 600) } do
      expect(client:call("auth:refresh", { token = token }))
        .to_match { error = { code = "unauthorized", message = "the token is another's" } }
    end
    expect(client:call("auth:refresh", { token = "nonsense" }))
      .to_match { error = { code = "unauthorized", message = "Invalid authentication token" } }
    expect(client:call("auth:refresh", {})).to_match { error = { code = "invalid" } }
    expect(client.connected).to_equal(true)
    advance(62)
    expect(client.connected).to_equal(false)
  end)
end)

describe("an order's room", function()
  it("is for its parties and admins", function()
    local order = support.order()
    support.assign(order)
    for _, party in ipairs { "customer:1", "merchant:2", "driver:3", "admin:5" } do
      expect(support.join(party):call("subscribeToOrder", { orderId = order.id }))
        .to_equal { success = true, room = "order:" .. order.id }
    end
    for _, party in ipairs { "customer:2", "merchant:1", "driver:1", "merchant:3" } do
      local client = support.join(party)
      expect(client:call("subscribeToOrder", order.id))
        .to_match { error = { code = "forbidden", message = "not your order" } }
      support.locate("3", support.SHOP)
      advance(20)
      expect(client:received("driver:locationUpdate")).to_equal {}
    end
    expect(#support.must("admin:0", "GET", "/suspicious").items).to_equal(4)
  end)

  it("is for orders that are there", function()
    local client = support.join("admin:5")
    expect(client:call("subscribeToOrder", "nowhere"))
      .to_match { error = { code = "not_found", message = "there is no order nowhere" } }
    for _, bad in ipairs { {}, true, "a b", "", { orderId = "a:b" } } do
      expect(client:call("subscribeToOrder", bad)).to_match { error = { code = "invalid" } }
    end
  end)

  it("tells those in it once, and no more when they have left", function()
    local order = support.order()
    local admin, customer = support.join("admin:5"), support.join("customer:1")
    admin:call("subscribeToOrder", order.id)
    customer:call("subscribeToOrder", order.id)
    support.move(order, "CONFIRMED")
    expect(#admin:received("order:statusChanged")).to_equal(1)
    expect(#customer:received("order:statusChanged")).to_equal(1)
    expect(admin:call("unsubscribeFromOrder", { orderId = order.id }))
      .to_equal { success = true, room = "order:" .. order.id }
    support.move(order, "CANCELLED")
    expect(#admin:received("order:statusChanged")).to_equal(1)
    expect(#customer:received("order:statusChanged")).to_equal(2)
  end)

  it("is there again for who connects anew, until the order has ended", function()
    local order, other = support.order(), support.order()
    local admin = support.join("admin:5")
    admin:call("subscribeToOrder", order.id)
    admin:call("subscribeToOrder", other.id)
    admin:call("unsubscribeFromOrder", other.id)
    admin:disconnect()
    admin = support.join("admin:5")
    support.move(order, "CONFIRMED")
    support.move(other, "CONFIRMED")
    expect(admin:received("order:statusChanged")).to_match { { orderId = order.id } }
    expect(#admin:received("order:statusChanged")).to_equal(1)
    support.move(order, "CANCELLED")
    expect(#admin:received("order:statusChanged")).to_equal(2)
  end)

  it("tells those in it later what they missed", function()
    local order = support.order()
    local admin = support.join("admin:5", true)
    admin:call("subscribeToOrder", order.id)
    admin:drop()
    support.move(order, "CONFIRMED")
    support.move(order, "CANCELLED")
    admin = support.join("admin:5")
    expect(admin:received("order:statusChanged"))
      .to_match { { status = "CONFIRMED" }, { status = "CANCELLED" } }
  end)

  it("is watched by so many admins", function()
    settings { ["rooms.watchers"] = 1 }
    local order = support.order()
    expect(support.join("admin:5"):call("subscribeToOrder", order.id)).to_match { success = true }
    expect(support.join("admin:6"):call("subscribeToOrder", order.id))
      .to_match { error = { code = "busy" } }
    expect(support.join("customer:1"):call("subscribeToOrder", order.id))
      .to_match { success = true }
  end)

  it("is left by a driver who loses the order", function()
    local order = support.order()
    local driver = support.join("driver:3")
    support.assign(order)
    driver:call("subscribeToOrder", order.id)
    support.assign(order, "4")
    driver:clear()
    support.move(order, "PICKED_UP")
    support.locate("4", support.SHOP)
    expect(driver:received()).to_equal {}
    driver:disconnect()
    driver = support.join("driver:3")
    driver:clear()
    advance(20)
    support.locate("4", support.HOME)
    support.move(order, "DELIVERED")
    expect(driver:received()).to_equal {}
  end)

  it("is one of so many that a user watches", function()
    settings { ["rooms.kept"] = 1 }
    local order, other = support.order(), support.order()
    local client = support.join("customer:1")
    expect(client:call("subscribeToOrder", order.id)).to_match { success = true }
    expect(client:call("subscribeToOrder", order.id)).to_match { success = true }
    expect(client:call("subscribeToOrder", other.id)).to_match { error = { code = "busy" } }
    client:call("unsubscribeFromOrder", order.id)
    expect(client:call("subscribeToOrder", other.id)).to_match { success = true }
    -- Those that have ended don't count.
    support.move(other, "CANCELLED")
    expect(client:call("subscribeToOrder", order.id)).to_match { success = true }
  end)
end)
