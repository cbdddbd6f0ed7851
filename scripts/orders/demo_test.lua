local support = require "support_test"

local function statuses(client)
  local found = {}
  for _, change in ipairs(client:received("order:statusChanged")) do found[change.status] = true end
  return found
end

describe("the demo", function()
  it("brings the page's customer one order after the other", function()
    demo()
    local status, body = request("GET", "/demo/orders/token/customer")
    expect(status).to_equal(200)
    local client = connect(support.NSP, { auth = body })
    support.acknowledge(client)
    expect(client:received("connected")).to_equal { { userId = "demo", userType = "customer" } }
    advance(600)
    expect(statuses(client)).to_match { ASSIGNED_TO_DRIVER = true, PICKED_UP = true,
                                        IN_TRANSIT = true, DELIVERED = true }
    expect(#client:received("driver:locationUpdate") > 10).to_equal(true)
    expect(#client:received("driver:assigned") > 1).to_equal(true)
    local function open_orders()
      return #support.must("customer:demo", "GET", "/orders?active=true").items
    end
    if open_orders() == 0 then advance(2) end  -- the next one comes a tick after a delivery
    expect(open_orders()).to_equal(1)
  end)

  it("leaves the order that a visitor made to the visitor", function()
    demo()
    advance(5)
    local order = support.must("customer:demo", "POST", "/orders", {
      merchantId = "bakery", pickup = support.SHOP, dropoff = support.HOME,
    })
    advance(300)
    expect(support.must("customer:demo", "GET", "/orders/" .. order.id).status).to_equal("PENDING")
    support.must("driver:demo", "POST", "/orders/" .. order.id .. "/assign", {})
    advance(300)
    expect(support.must("customer:demo", "GET", "/orders/" .. order.id).status)
      .to_equal("ASSIGNED_TO_DRIVER")
  end)

  it("gives tokens for its users, and shows its town", function()
    demo()
    for _, kind in ipairs { "customer", "driver", "merchant" } do
      expect((request("GET", "/demo/orders/token/" .. kind))).to_equal(200)
    end
    expect((request("GET", "/demo/orders/token/admin"))).to_equal(404)
    local _, town = request("GET", "/demo/orders/town")
    expect(#town.merchants).to_equal(3)
  end)

  it("is not there unless it is asked for", function()
    support.join("customer:demo")
    expect((request("GET", "/demo/orders/token/driver"))).to_equal(404)
  end)
end)
