local support = require "support_test"

local SHOP, HOME = support.SHOP, support.HOME

--- About so many metres north of a place.
local function north(place, metres)
  return { latitude = place.latitude + metres / 111195, longitude = place.longitude }
end

local function report(client, place, more)
  local data = { latitude = place.latitude, longitude = place.longitude }
  for name, value in pairs(more or {}) do data[name] = value end
  return client:call("driverLocationUpdate", data)
end

local function heard(client) return #client:received("driver:locationUpdate") end

describe("a driver's place", function()
  it("is told to the driver's room, and to every order's customer and room", function()
    local driver, admin = support.join("driver:3"), support.join("admin:5")
    local customers = { support.join("customer:1"), support.join("customer:9") }
    local one, two, ended, others =
      support.order(), support.order { customerId = "9" }, support.order(), support.order()
    for _, order in ipairs { one, two, ended } do support.assign(order) end
    support.assign(others, "4")
    support.move(ended, "CANCELLED")
    for _, order in ipairs { one, two, ended, others } do admin:call("subscribeToOrder", order.id) end
    driver:call("subscribeToOrder", one.id)
    expect(report(driver, north(SHOP, 1000), { driverId = "3", orderId = one.id, heading = 90, speed = null }))
      .to_equal { success = true, accepted = true, orders = 2 }
    expect(customers[1]:received("driver:locationUpdate")).to_match { {
      driverId = "3", orderId = one.id, orderNumber = one.orderNumber, heading = 90,
      longitude = SHOP.longitude, distanceMetres = 1000, etaSeconds = 187,
    } }
    expect(customers[2]:received("driver:locationUpdate")).to_match { { orderId = two.id } }
    expect(heard(customers[1])).to_equal(1)
    expect(heard(admin)).to_equal(2)
    expect(driver:received("driver:locationUpdate")).to_match { {
      driverId = "3", orderIds = { one.id, two.id },
    } }
    expect(heard(driver)).to_equal(1)
  end)

  it("is dropped if it is too soon and too near", function()
    local driver = support.join("driver:3")
    local function accepted(place) return report(driver, place).accepted end
    expect(accepted(SHOP)).to_equal(true)
    advance(14)
    expect(accepted(north(SHOP, 90))).to_equal(false)
    expect(accepted(north(SHOP, 110))).to_equal(true)
    advance(10)
    expect(accepted(north(SHOP, 110))).to_equal(false)
    advance(5)
    expect(accepted(north(SHOP, 110))).to_equal(true)
    expect(heard(driver)).to_equal(3)
    expect(support.must("driver:3", "POST", "/drivers/3/location", { lat = SHOP.latitude, lng = 13.405 }))
      .to_match { accepted = true }
    expect(support.must("driver:3", "POST", "/drivers/3/location", { lat = SHOP.latitude, lng = 13.405 }))
      .to_equal { accepted = false, reason = "too soon and too near", orders = 0 }
  end)

  it("is dropped as settings have it", function()
    settings { ["location.interval_seconds"] = 3, ["location.distance_metres"] = 10 }
    local driver = support.join("driver:3")
    report(driver, SHOP)
    expect(report(driver, north(SHOP, 8)).accepted).to_equal(false)
    expect(report(driver, north(SHOP, 12)).accepted).to_equal(true)
    advance(3.5)
    expect(report(driver, north(SHOP, 12)).accepted).to_equal(true)
  end)

  it("is told by the driver alone", function()
    for _, party in ipairs { "customer:1", "merchant:2", "admin:0" } do
      expect(report(support.join(party), SHOP))
        .to_equal { error = { code = "forbidden", message = "Unauthorized" } }
    end
    local driver = support.join("driver:3")
    expect(report(driver, SHOP, { driverId = "4" }))
      .to_match { error = { code = "forbidden", message = "driverId is not yours" } }
    local others = support.order()
    support.assign(others, "4")
    expect(report(driver, SHOP, { orderId = others.id }))
      .to_match { error = { code = "forbidden", message = "not your order" } }
    expect(report(driver, SHOP, { orderId = "none" })).to_match { error = { code = "not_found" } }
    expect(heard(driver)).to_equal(0)
    driver:emit("driverLocationUpdate", { latitude = 1 })
    expect(driver:received("error")).to_match { { code = "invalid", message = "longitude: is required: a number" } }
    expect(report(driver, { latitude = 91, longitude = 0 })).to_match { error = { code = "invalid" } }
    local statuses = {}
    for i, party in ipairs { "customer:3", "driver:4", "driver:3", "admin:0" } do
      statuses[i] = support.ask(party, "POST", "/drivers/3/location", { lat = i, lng = i })
    end
    expect(statuses).to_equal { 403, 403, 200, 200 }
    expect((support.ask(nil, "POST", "/drivers/3/location", { lat = 1, lng = 1 }))).to_equal(401)
  end)

  it("is told to who comes later, as it was last", function()
    local order = support.order()
    support.assign(order)
    support.locate("3", SHOP)
    expect(support.join("customer:1"):received("driver:locationUpdate"))
      .to_match { { orderId = order.id, latitude = SHOP.latitude, distanceMetres = 0 } }
    expect(heard(support.join("customer:2"))).to_equal(0)
    local admin = support.join("admin:5")
    admin:call("subscribeToOrder", order.id)
    admin:disconnect()
    expect(heard(support.join("admin:5"))).to_equal(1)
    support.move(order, "CANCELLED")
    expect(heard(support.join("customer:1", true))).to_equal(0)
  end)

  it("leads to the shop at first, and then to the customer", function()
    local order = support.order()
    support.assign(order)
    local customer = support.join("customer:1")
    support.locate("3", SHOP)
    expect(customer:wait_for("driver:locationUpdate").distanceMetres).to_equal(0)
    support.move(order, "PICKED_UP")
    advance(20)
    support.locate("3", SHOP)
    expect(customer:wait_for("driver:locationUpdate").distanceMetres).to_be_near(1500, 100)
    expect(support.must("customer:1", "GET", "/orders/" .. order.id).tracking).to_match {
      driver = { id = "3" }, location = { latitude = SHOP.latitude, orderId = order.id },
    }
    support.move(order, "DELIVERED")
    expect(support.must("customer:1", "GET", "/orders/" .. order.id).tracking.location).to_be_nil()
  end)
end)

describe("a new order", function()
  it("is told to the drivers that are near", function()
    local near, far = support.join("driver:5"), support.join("driver:6")
    local away, busy, unknown = support.join("driver:7"), support.join("driver:8"), support.join("driver:9")
    support.locate("5", north(SHOP, 4900))
    support.locate("6", north(SHOP, 5100))
    support.locate("7", SHOP)
    support.locate("8", SHOP)
    away:disconnect()
    support.must("driver:8", "PATCH", "/drivers/8", { available = false })
    local order = support.order { total = 5 }
    expect(near:received("order:available")).to_match { {
      orderId = order.id, orderNumber = order.orderNumber, merchantId = "2", pickup = SHOP,
      dropoff = HOME, total = 5, distanceMetres = 4900,
    } }
    for _, client in ipairs { far, away, busy, unknown } do
      expect(client:received("order:available")).to_equal {}
    end
    away = support.join("driver:7")
    support.must("driver:8", "PATCH", "/drivers/8", { available = true })
    support.order()
    expect(#away:received("order:available")).to_equal(1)
    expect(#busy:received("order:available")).to_equal(1)
  end)

  it("is not told to one whose place is old", function()
    local driver = support.join("driver:5")
    support.locate("5", SHOP)
    advance(31 * 60)
    support.order()
    expect(driver:received("order:available")).to_equal {}
  end)

  it("is found by drivers that come later", function()
    local far, near = support.order { pickup = north(SHOP, 900) }, support.order()
    support.assign(support.order(), "9")
    support.order { pickup = north(SHOP, 9000) }
    expect((support.ask("driver:5", "GET", "/orders/available"))).to_equal(409)
    support.locate("5", SHOP)
    local items = support.must("driver:5", "GET", "/orders/available").items
    expect(items).to_match { { orderId = near.id, distanceMetres = 0 },
                             { orderId = far.id, distanceMetres = 900 } }
    expect(#items).to_equal(2)
    expect((support.ask("customer:1", "GET", "/orders/available"))).to_equal(403)
  end)
end)

describe("a driver", function()
  it("is described by the driver or an admin", function()
    local card = { name = "Ada", phone = "1", vehicleType = "bike" }
    support.must("driver:3", "PATCH", "/drivers/3", card)
    support.must("admin:0", "PATCH", "/drivers/3", { rating = 4.5 })
    expect((support.ask("driver:3", "PATCH", "/drivers/3", { rating = 5 }))).to_equal(403)
    expect((support.ask("driver:4", "PATCH", "/drivers/3", card))).to_equal(403)
    expect((support.ask("customer:3", "GET", "/drivers/3"))).to_equal(403)
    expect((support.ask(nil, "GET", "/drivers/3"))).to_equal(401)
    expect((support.ask("admin:0", "PATCH", "/drivers/3", { rating = 6 }))).to_equal(422)
    expect(support.must("driver:3", "GET", "/drivers/3")).to_match {
      id = "3", name = "Ada", rating = 4.5, available = true, online = false,
    }
    support.join("driver:3")
    expect(support.must("admin:0", "GET", "/drivers/3").online).to_equal(true)
  end)
end)
