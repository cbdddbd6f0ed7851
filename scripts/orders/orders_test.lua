local schema = require "schema"
local support = require "support_test"

local NO_ONE = "nobody"

--- Statuses by party (NO_ONE: without a token) of a request.
local function statuses(parties, method, path, body)
  local found = {}
  for _, party in ipairs(parties) do
    local by = party ~= NO_ONE and party or nil
    found[#found + 1] = (support.ask(by, method, path, body))
  end
  return found
end

local EVERYBODY = { NO_ONE, "customer:1", "customer:8", "merchant:2", "merchant:8", "driver:3",
                    "driver:8", "admin:0" }

describe("a new order", function()
  it("is told to its merchant", function()
    local merchant, other = support.join("merchant:2"), support.join("merchant:3")
    local order = support.order { items = { { name = "shirt" } }, total = 12.5, notes = "ring twice" }
    expect(order).to_match {
      orderId = order.id, orderNumber = "ORD-000001", status = "PENDING", customerId = "1",
      merchantId = "2", total = 12.5, history = { { status = "PENDING", by = "admin:0" } },
    }
    expect(merchant:received("order:created")).to_equal { order }
    expect(other:received("order:created")).to_equal {}
  end)

  it("may have its id and number from the back office, once", function()
    local order = support.order { id = 77, orderNumber = "A-1" }
    expect(order).to_match { id = "77", orderNumber = "A-1" }
    local status, body = support.ask("admin:0", "POST", "/orders",
                                     { id = "77", customerId = "5", merchantId = "6" })
    expect(status).to_equal(409)
    expect(body.error).to_match { code = "conflict", message = "there is an order 77" }
    expect(support.must("admin:0", "GET", "/orders/77").customerId).to_equal("1")
    expect(support.order().orderNumber).to_equal("ORD-000002")
  end)

  it("is a user's own", function()
    local body = { customerId = "1", merchantId = "2" }
    expect(statuses(EVERYBODY, "POST", "/orders", body))
      .to_equal { 401, 201, 403, 201, 403, 403, 403, 201 }
    expect(support.must("customer:4", "POST", "/orders", { merchantId = "2" }).customerId).to_equal("4")
    expect(support.must("merchant:4", "POST", "/orders", { customerId = "2" }).merchantId).to_equal("4")
    local status, answer = support.ask("admin:0", "POST", "/orders", { merchantId = "2" })
    expect(status).to_equal(422)
    expect(answer.error.message).to_equal("customerId is required")
  end)

  it("has a form", function()
    for field, body in pairs {
      ["pickup.latitude"] = { pickup = { latitude = 91, longitude = 0 } },
      ["dropoff.longitude"] = { dropoff = { latitude = 9 } },
      custumerId = { custumerId = "1" }, total = { total = -1 }, id = { id = "a:b" },
    } do
      local status, answer = support.ask("admin:0", "POST", "/orders", body)
      expect(status).to_equal(422)
      expect(answer.error.message).to_contain(field)
    end
  end)

  it("is one of so many under way", function()
    settings { ["orders.active_limit"] = 2 }
    local order = support.order()
    support.order()
    local status = support.ask("customer:1", "POST", "/orders", { merchantId = "2" })
    expect(status).to_equal(503)
    support.move(order, "CANCELLED")
    support.order()
  end)
end)

describe("an order's status", function()
  it("is told to all its parties", function()
    local clients = {}
    for _, party in ipairs { "customer:1", "merchant:2", "driver:3", "driver:4" } do
      clients[party] = support.join(party)
    end
    local order = support.order()
    support.move(order, "CONFIRMED", "merchant:2")
    support.assign(order)
    support.move(order, "PICKED_UP", "driver:3")
    local told = {}
    for _, data in ipairs(clients["customer:1"]:received("order:statusChanged")) do
      expect(data).to_equal {
        orderId = order.id, orderNumber = order.orderNumber, status = schema.string(),
        previousStatus = schema.string(), timestamp = schema.string { format = "date-time" },
      }
      told[#told + 1] = data.previousStatus .. ">" .. data.status
    end
    expect(told).to_equal { "PENDING>CONFIRMED", "CONFIRMED>ASSIGNED_TO_DRIVER",
                            "ASSIGNED_TO_DRIVER>PICKED_UP" }
    expect(#clients["merchant:2"]:received("order:statusChanged")).to_equal(3)
    expect(#clients["driver:3"]:received("order:statusChanged")).to_equal(2)
    expect(clients["driver:4"]:received("order:statusChanged")).to_equal {}
  end)

  it("goes only where it may", function()
    local order = support.order()
    for _, wrong in ipairs { "PENDING", "PICKED_UP", "DELIVERED", "IN_TRANSIT" } do
      local status, answer = support.ask("admin:0", "PATCH", "/orders/" .. order.id .. "/status",
                                         { status = wrong })
      expect(status).to_equal(409)
      expect(answer.error).to_match { code = "conflict", data = { from = "PENDING", to = wrong } }
    end
    local status, answer = support.ask("admin:0", "PATCH", "/orders/" .. order.id .. "/status",
                                       { status = "ASSIGNED_TO_DRIVER" })
    expect(status).to_equal(409)
    expect(answer.error.message).to_equal("the order has no driver: assign one")
    status, answer = support.ask("admin:0", "PATCH", "/orders/" .. order.id .. "/status",
                                 { status = "GONE" })
    expect(status).to_equal(422)
    expect(answer.error.message).to_match("^status")
    support.assign(order)
    for _, each in ipairs { "PICKED_UP", "IN_TRANSIT", "DELIVERED" } do support.move(order, each) end
    expect((support.ask("admin:0", "PATCH", "/orders/" .. order.id .. "/status",
                        { status = "CANCELLED" }))).to_equal(409)
    local history = {}
    for i, each in ipairs(support.must("admin:0", "GET", "/orders/" .. order.id).history) do
      history[i] = each.status
    end
    expect(history).to_equal { "PENDING", "ASSIGNED_TO_DRIVER", "PICKED_UP", "IN_TRANSIT",
                               "DELIVERED" }
  end)

  it("is set by who may set it", function()
    local expected = {
      CONFIRMED = { 401, 403, 403, 200, 403, 403, 403, 409 },
      PICKED_UP = { 401, 403, 403, 403, 403, 200, 403, 409 },
      DELIVERED = { 401, 403, 403, 403, 403, 200, 403, 409 },
    }
    local order = support.order()
    local path = "/orders/" .. order.id .. "/status"
    expect(statuses(EVERYBODY, "PATCH", path, { status = "CONFIRMED" })).to_equal(expected.CONFIRMED)
    support.assign(order)
    expect(statuses(EVERYBODY, "PATCH", path, { status = "PICKED_UP" })).to_equal(expected.PICKED_UP)
    expect(statuses(EVERYBODY, "PATCH", path, { status = "DELIVERED" })).to_equal(expected.DELIVERED)
    order = support.order()
    expect(statuses({ "driver:3", "customer:8", "customer:1" }, "PATCH",
                    "/orders/" .. order.id .. "/status", { status = "CANCELLED" }))
      .to_equal { 403, 403, 200 }
    expect((support.ask("admin:0", "PATCH", "/orders/none/status", { status = "CANCELLED" })))
      .to_equal(404)
  end)

  it("goes where settings have it", function()
    settings {
      ["orders.first"] = "NEW",
      ["orders.transitions"] = { NEW = { "ASSIGNED_TO_DRIVER" }, ASSIGNED_TO_DRIVER = { "DONE" },
                                 DONE = json.array {} },
      ["orders.set_by"] = { DONE = { "customer" } },
    }
    local order = support.order()
    expect(order.status).to_equal("NEW")
    support.assign(order)
    support.move(order, "DONE", "customer:1")
    expect(support.must("driver:3", "GET", "/orders?active=true").items).to_equal {}
  end)
end)

describe("assigning", function()
  it("tells the driver, and the customer who it is", function()
    local customer, driver = support.join("customer:1"), support.join("driver:3")
    local order = support.order()
    local card = { name = "Ada", phone = "+49 1", rating = 4.9, vehicleType = "bike" }
    support.must("admin:0", "POST", "/orders/" .. order.id .. "/assign",
                 { driverId = "3", driver = card })
    card.id = "3"
    expect(driver:received("order:assigned")).to_match { {
      orderId = order.id, orderNumber = order.orderNumber, status = "ASSIGNED_TO_DRIVER",
      pickupDriverId = "3", pickup = support.SHOP,
    } }
    expect(customer:received("driver:assigned")).to_match { {
      orderId = order.id, orderNumber = order.orderNumber, driver = card,
    } }
    expect(support.must("customer:1", "GET", "/orders/" .. order.id).tracking.driver).to_equal(card)
  end)

  it("is for admins, the merchant, and a driver who takes what is free", function()
    local path = "/orders/" .. support.order().id .. "/assign"
    expect(statuses({ NO_ONE, "customer:1", "merchant:8", "merchant:2" }, "POST", path,
                    { driverId = "3" })).to_equal { 401, 403, 403, 200 }
    path = "/orders/" .. support.order().id .. "/assign"
    expect((support.ask("driver:4", "POST", path, { driverId = "3" }))).to_equal(403)
    expect((support.ask("driver:4", "POST", path, { driver = { name = "x" } }))).to_equal(403)
    expect(support.must("driver:4", "POST", path, {}).pickupDriverId).to_equal("4")
    for _, driver in ipairs { "driver:3", "driver:4" } do
      expect((support.ask(driver, "POST", path, {}))).to_equal(409)
    end
    expect((support.ask("admin:0", "POST", "/orders/none/assign", { driverId = "3" }))).to_equal(404)
  end)

  it("may give it to another driver, and tells the first", function()
    local first, second = support.join("driver:3"), support.join("driver:4")
    local order = support.order()
    support.assign(order, "3")
    support.assign(order, "4")
    expect(first:received("notification")).to_match { {
      type = "order:unassigned", data = { orderId = order.id },
    } }
    expect(second:received("order:assigned")).to_match { { pickupDriverId = "4" } }
    expect((support.ask("driver:3", "GET", "/orders/" .. order.id))).to_equal(403)
    expect(support.must("driver:3", "GET", "/orders").items).to_equal {}
    expect(#support.must("driver:4", "GET", "/orders").items).to_equal(1)
    support.move(order, "PICKED_UP")
    expect((support.ask("admin:0", "POST", "/orders/" .. order.id .. "/assign", { driverId = "3" })))
      .to_equal(409)
  end)

  it("finds the nearest driver by itself", function()
    local order = support.order()
    local path = "/orders/" .. order.id .. "/assign"
    support.locate("7", support.SHOP)  -- who is not connected
    local gone = support.join("driver:8")
    support.locate("8", support.SHOP)
    gone:disconnect()
    local status, answer = support.ask("admin:0", "POST", path, {})
    expect(status).to_equal(409)
    expect(answer.error.message).to_equal("no driver is near")
    local near, far = support.join("driver:5"), support.join("driver:6")
    support.locate("6", { latitude = 52.53, longitude = 13.41 })
    support.locate("5", { latitude = 52.521, longitude = 13.405 })
    expect(support.must("admin:0", "POST", path, {}).pickupDriverId).to_equal("5")
    expect(#near:received("order:assigned")).to_equal(1)
    expect(far:received("order:assigned")).to_equal {}
  end)
end)

describe("orders", function()
  it("are seen by their parties", function()
    local order = support.order()
    support.assign(order)
    local path = "/orders/" .. order.id
    expect(statuses(EVERYBODY, "GET", path)).to_equal { 401, 200, 403, 200, 403, 200, 403, 200 }
    expect(statuses({ NO_ONE, "admin:0" }, "GET", "/orders/none")).to_equal { 401, 404 }
  end)

  it("are listed by pages, those under way alone if wanted", function()
    local numbers = {}
    for i = 1, 5 do numbers[i] = support.order().orderNumber end
    support.order { customerId = "9" }
    support.move(support.must("customer:1", "GET", "/orders").items[2], "CANCELLED")
    local function list(party, query)
      local answer, found = support.must(party, "GET", "/orders" .. query), {}
      for i, order in ipairs(answer.items) do found[i] = order.orderNumber end
      return found, answer.next
    end
    expect((list("customer:1", ""))).to_equal(numbers)
    expect(#list("admin:0", "")).to_equal(6)
    local page, from = list("customer:1", "?limit=2")
    expect(page).to_equal { numbers[1], numbers[2] }
    expect((list("customer:1", "?limit=2&after=" .. from.after))).to_equal { numbers[3], numbers[4] }
    expect((list("merchant:2", "?active=true&limit=3")))
      .to_equal { numbers[1], numbers[3], numbers[4] }
  end)
end)
