local support = require "support_test"

local join, refusal = support.join, support.refusal
local TIME = "2026-03-01T08:00:00Z"

describe("a token", function()
  it("says who one is, from where, and what one may", function()
    local crew = join("crew", { unitId = "UNIT-5" })
    expect(crew:received("authenticated")).to_equal {
      { success = true, source = "client", roles = { "crew" }, unit = "UNIT-5", userId = "crew-1" },
    }
  end)

  it("of a service is one of two, and may all", function()
    settings { ["auth.token"] = "old", ["auth.next_token"] = "new" }
    for i, token in ipairs { "old", "new" } do
      local bridge = connect(support.NSP, { auth = { token = token } })
      expect(bridge:received("authenticated")[1]).to_match {
        source = "bridge", userId = "bridge:" .. i,
        roles = { "dispatcher", "crew", "admin", "dashboard" },
      }
      expect(bridge:call("metrics:updated", { metrics = {} })).to_match { success = true }
    end
    for _, token in ipairs { "odd", "older", "ol" } do
      local _, why = connect(support.NSP, { auth = { token = token } })
      expect(why.data.code).to_equal("unauthorized")
    end
  end)

  it("that is wrong lets nobody in", function()
    local client, why = connect(support.NSP, { auth = { token = "x.y.z" } })
    expect(client).to_be_nil()
    expect(why.data.code).to_equal("unauthorized")
    local by_query = connect(support.NSP, { query = { token = "x.y.z" } })
    expect(by_query).to_be_nil()
  end)

  it("ends, and so does the connection", function()
    clock(TIME)
    local client = join("crew", { exp = now() + 60 })
    advance(59)
    expect(client.connected).to_equal(true)
    advance(2)
    expect(client.connected).to_equal(false)
  end)

  it("may be followed by a newer one, of the same person", function()
    clock(TIME)
    settings { ["auth.token"] = "service" }
    local client = join("crew", { exp = now() + 60 })
    expect(client:call("fastapi:authenticate", { token = "service" }))
      .to_match(refusal("forbidden"))
    expect(client:call("fastapi:authenticate", { token = "x.y.z" }))
      .to_match(refusal("unauthorized"))
  end)

  it("without a role is let in, hears nothing and may nothing", function()
    join("admin"):call("metrics:updated", { metrics = { active = 1 } })
    local customer = join("customer")
    for event, of in pairs(support.EVENTS) do
      expect(customer:call(event, of[1])).to_match(refusal("forbidden"))
    end
    join("crew"):call("unit:status", { unitId = "UNIT-5", status = "available" })
    expect(#customer:received()).to_equal(1)
    expect((support.get("customer", "/units"))).to_equal(403)
  end)

  it("of one who is no crew makes nobody hear a unit's assignments", function()
    local dashboard = join("dashboard", { unitId = "UNIT-5" })
    dashboard:on_call("assignment:received", function() return true end)
    support.assign(join("dispatcher"))
    advance(1)
    expect(dashboard:received("assignment:received")).to_equal {}
  end)

  it("that is newer is all that counts", function()
    clock(TIME)
    local function token(fields) return require("plugin.jwt").sign(fields, 3600) end
    local client = join("crew", { sub = "c", unitId = "UNIT-5", exp = now() + 60 })
    local dispatcher = join("dispatcher")
    expect(client:call("fastapi:authenticate", {
      token = token { sub = "c", role = "crew", unitId = "UNIT-6" },
    })).to_match { success = true }
    support.assign(dispatcher)
    support.assign(dispatcher, { unitId = "UNIT-6" })
    advance(120)
    expect(client.connected).to_equal(true)
    for _, each in ipairs(client:received("assignment:received")) do
      expect(each.unitId).to_equal("UNIT-6")
    end
  end)

  it("names somebody, whatever is in it", function()
    for sub, name in pairs { [7] = "7", nobody = "nobody" } do
      expect(join("crew", { sub = sub }):received("authenticated")[1].userId).to_equal(name)
    end
    expect(join("crew", { sub = { 1 } }):received("authenticated")[1].userId).to_equal("nobody")
  end)
end)

describe("who brings no token", function()
  it("is unauthenticated: hears nothing, and may nothing", function()
    local nobody, dispatcher = connect(support.NSP), join("dispatcher")
    for event, of in pairs(support.EVENTS) do
      expect(nobody:call(event, of[1])).to_match(refusal("unauthorized"))
    end
    expect(nobody:call("join:unit", "UNIT-5")).to_match(refusal("unauthorized"))
    join("crew"):call("unit:status", { unitId = "UNIT-5", status = "available" })
    expect(#dispatcher:received("unit:status:updated")).to_equal(1)
    expect(nobody:received()).to_equal {}
  end)

  it("may say it after the connection, as the document's bridge does", function()
    settings { ["auth.token"] = "service" }
    local bridge = connect(support.NSP)
    expect(bridge:call("fastapi:authenticate", { token = "wrong" }))
      .to_match(refusal("unauthorized"))
    expect(bridge:call("fastapi:authenticate", { token = "service" }))
      .to_equal { success = true, source = "bridge" }
    expect(bridge:received("authenticated")[1]).to_match { success = true, source = "bridge" }
    advance(60)
    expect(bridge.connected).to_equal(true)
  end)

  it("is put out after a while", function()
    local nobody = connect(support.NSP)
    advance(9)
    expect(nobody.connected).to_equal(true)
    advance(2)
    expect(nobody.connected).to_equal(false)
  end)

  it("is refused at once if the settings say so", function()
    settings { ["auth.grace_seconds"] = 0 }
    local nobody, why = connect(support.NSP)
    expect(nobody).to_be_nil()
    expect(why.data.code).to_equal("unauthorized")
  end)
end)
