local support = require "support_test"

local function say(event, data)
  server_emit(support.NSP, event, data)
  advance(0)
end
local function order(id)
  local _, body = support.ask("admin:0", "GET", "/orders/" .. id)
  return body
end
local function figure(name)
  local _, body = support.ask("admin:0", "GET", "/stats")
  return body[name]
end
local NEW = { id = "o1", customerId = "1", merchantId = "2", pickup = support.SHOP,
              dropoff = support.HOME }

describe("an emitter", function()
  it("does what the office does", function()
    settings { ["office.emitter"] = true }
    local customer, driver = support.join("customer:1"), support.join("driver:3")
    say("order:create", NEW)
    expect(order("o1").status).to_equal("PENDING")
    say("order:status", { orderId = "o1", status = "CONFIRMED" })
    expect(order("o1").status).to_equal("CONFIRMED")
    say("order:assign", { orderId = "o1", driverId = 3, driver = { name = "Ada" } })
    expect(order("o1").pickupDriverId).to_equal("3")
    expect(driver:received("order:assigned")[1].orderId).to_equal("o1")
    expect(customer:received("driver:assigned")[1].driver.name).to_equal("Ada")
    say("driver:location", { driverId = "3", latitude = 52.521, longitude = 13.405 })
    expect(customer:received("driver:locationUpdate")[1].orderId).to_equal("o1")
    say("notification", { userType = "customer", userId = "1", title = "T", message = "M" })
    expect(customer:received("notification")[1].title).to_equal("T")
    expect(figure("emitterDone")).to_equal(5)
    expect(figure("emitterFailed")).to_equal(0)
  end)

  it("is told in the log what is wrong", function()
    settings { ["office.emitter"] = true }
    say("order:create", { customerId = "1" })
    say("order:create", "nonsense")
    say("order:status", { orderId = "none", status = "CONFIRMED" })
    say("order:status", { orderId = "none", status = "NONE" })
    say("order:assign", { orderId = "none", driver = { name = "Ada" } })
    say("driver:location", { driverId = "3" })
    say("notification", { userType = "order", userId = "1", title = "T", message = "M" })
    say("notification", nil)
    expect(figure("emitterFailed")).to_equal(8)
    expect(figure("emitterDone")).to_equal(0)
  end)

  it("is another node's affair unless a setting says so", function()
    say("order:create", NEW)
    expect((support.ask("admin:0", "GET", "/orders/o1"))).to_equal(404)
  end)
end)
