local support = require "support_test"

local function notify(party, title)
  local kind, id = party:match("^(%a+):(.+)$")
  return support.must("admin:0", "POST", "/notifications",
                      { userType = kind, userId = id, title = title, message = "M" })
end

local function titles(client)
  local found = {}
  for i, data in ipairs(client:received("notification")) do found[i] = data.title end
  return found
end

describe("what is for a user who is away", function()
  it("comes in order when they are back; what was acknowledged is gone", function()
    for _, title in ipairs { "a", "b", "c" } do
      expect(notify("driver:7", title)).to_match { online = false }
    end
    expect(notify("driver:7", "d")).to_match { waiting = 4 }
    local client = support.join("driver:7", true)
    expect(titles(client)).to_equal { "a", "b", "c", "d" }
    support.acknowledge(client)
    expect(notify("driver:7", "e")).to_match { online = true }
    client:disconnect()
    expect(titles(support.join("driver:7"))).to_equal { "a", "b", "c", "d" }
  end)

  it("comes after the greeting, and before what happens then", function()
    notify("driver:7", "a")
    local client = support.join("driver:7")
    notify("driver:7", "b")
    local events = {}
    for i, each in ipairs(client:received()) do events[i] = each[1] .. " " .. (each[2].title or "") end
    expect(events).to_equal { "connected ", "notification a", "notification b" }
  end)

  it("comes again if the connection ended before it was acknowledged", function()
    notify("driver:7", "a")
    local client = support.join("driver:7", true)
    expect(titles(client)).to_equal { "a" }
    client:disconnect()
    advance(100)
    client = support.join("driver:7", true)
    expect(titles(client)).to_equal { "a" }
    client:drop()
    advance(200)
    expect(titles(support.join("driver:7"))).to_equal { "a" }
  end)

  it("comes again to one that acknowledges, but not this", function()
    local client = support.join("merchant:2", true)
    client:on_call("notification", function() end)
    notify("merchant:2", "a")
    support.order()
    advance(61)
    client:disconnect()
    client = support.join("merchant:2", true)
    expect(titles(client)).to_equal {}
    expect(#client:received("order:created")).to_equal(1)
  end)

  it("is of every kind that concerns them", function()
    local order = support.order()
    support.assign(order)
    support.move(order, "PICKED_UP")
    local function events(party)
      local found = {}
      for i, each in ipairs(support.join(party):received()) do found[i] = each[1] end
      return found
    end
    local changed = "order:statusChanged"
    expect(events("customer:1")).to_equal { "connected", changed, "driver:assigned", changed }
    expect(events("merchant:2")).to_equal { "connected", "order:created", changed, changed }
    expect(events("driver:3")).to_equal { "connected", changed, "order:assigned", changed }
  end)

  it("is the newest, beyond a limit", function()
    settings { ["mailbox.limit"] = 2 }
    for _, title in ipairs { "a", "b", "c" } do notify("driver:7", title) end
    expect(titles(support.join("driver:7"))).to_equal { "b", "c" }
  end)

  it("is gone after some days", function()
    settings { ["mailbox.keep_days"] = 0.01 }
    notify("driver:7", "a")
    advance(865)
    notify("driver:7", "b")
    expect(titles(support.join("driver:7"))).to_equal { "b" }
  end)
end)

describe("a client that knows no acknowledgements", function()
  it("has what it was sent, once it was there for long enough", function()
    notify("driver:7", "a")
    local client = support.join("driver:7", true)
    notify("driver:7", "b")
    advance(59)
    client:disconnect()
    client = support.join("driver:7", true)
    expect(titles(client)).to_equal { "a", "b" }
    advance(61)
    client:disconnect()
    expect(titles(support.join("driver:7", true))).to_equal {}
  end)

  it("is remembered: then what it is sent is done with at once", function()
    local client = support.join("driver:7", true)
    notify("driver:7", "a")
    advance(61)
    notify("driver:7", "b")
    client:disconnect()
    notify("driver:7", "c")
    client = support.join("driver:7", true)
    expect(titles(client)).to_equal { "c" }
    client:disconnect()
    expect(titles(support.join("driver:7", true))).to_equal {}
  end)

  it("is none any more with its first acknowledgement", function()
    local client = support.join("driver:7", true)
    notify("driver:7", "a")
    advance(61)
    client:disconnect()
    client = support.join("driver:7")
    notify("driver:7", "b")
    client:disconnect()
    notify("driver:7", "c")
    client = support.join("driver:7", true)
    expect(titles(client)).to_equal { "c" }
    client:disconnect()
    expect(titles(support.join("driver:7"))).to_equal { "c" }
  end)
end)

describe("several clients of a user", function()
  it("all hear it; one acknowledgement will do", function()
    local phone, page = support.join("driver:7"), support.join("driver:7", true)
    notify("driver:7", "a")
    expect(titles(phone)).to_equal { "a" }
    expect(titles(page)).to_equal { "a" }
    phone:disconnect()
    page:disconnect()
    expect(titles(support.join("driver:7"))).to_equal {}
  end)
end)
