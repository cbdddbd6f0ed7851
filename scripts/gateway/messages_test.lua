local support = require "support_test"

local user, post, get, settle = support.user, support.post, support.get, support.settle

local function notify(user_id, message, more)
  local body = { userId = user_id, message = message }
  for name, value in pairs(more or {}) do body[name] = value end
  return post("/socket/notifications", body)
end

local function texts(client, event)
  local list = {}
  for _, each in ipairs(client:received(event or "notification")) do list[#list + 1] = each.message end
  return list
end

describe("a notification", function()
  it("reaches all connections of its user, and nobody else", function()
    local a, b, other = user("u1", "s1"), user("u1", "s2"), user("u2")
    local status, answer = notify("u1", "hello", { title = "T", data = { n = 1 } })
    settle()
    expect(status).to_equal(200)
    expect(answer).to_match { success = true, online = true, sockets = 2 }
    for _, client in ipairs { a, b } do
      expect(client:received("notification")).to_match { {
        notificationId = answer.notificationId, userId = "u1", type = "info", priority = "normal",
        title = "T", message = "hello", data = { n = 1 } } }
    end
    expect(other:received("notification")).to_equal {}
  end)

  it("for a user who is away waits, in order, and comes once", function()
    expect(select(2, notify("u1", "one"))).to_match { online = false, sockets = 0 }
    notify("u1", "two")
    local a = user("u1")
    settle()
    expect(texts(a)).to_equal { "one", "two" }
    expect(a:received("connected")).to_match { { waiting = 2 } }
    a:disconnect()
    notify("u1", "three")
    local b = user("u1")
    settle()
    expect(texts(b)).to_equal { "three" }
  end)

  it("waits for some days, which are a setting", function()
    settings { ["mailbox.keep_days"] = 7 / 1440 }
    notify("u1", "old")
    advance(6 * 60)
    notify("u1", "new")
    advance(2 * 60)
    local a = user("u1")
    settle()
    expect(texts(a)).to_equal { "new" }
    local _, seen = get("/socket/users/u1/notifications")
    expect(seen.waiting).to_equal(0)
  end)

  it("must say something", function()
    local status, answer = post("/socket/notifications", { userId = "u1" })
    expect(status).to_equal(422)
    expect(answer).to_match { error = { code = "invalid", data = { path = "$.message" } } }
    expect((post("/socket/notifications", { message = "x" }))).to_equal(422)
    expect((notify("u1", "x", { priority = "loud" }))).to_equal(422)
  end)

  it("is refused when too many wait", function()
    settings { ["mailbox.limit"] = 3 }
    for i = 1, 3 do expect((notify("u1", "n" .. i))).to_equal(200) end
    local status, answer = notify("u1", "n4")
    expect(status).to_equal(503)
    expect(answer.error.code).to_equal("busy")
    expect(answer.error.message).to_match("3 messages")
    expect((notify("u2", "n1"))).to_equal(200)
    local a = user("u1")
    settle()
    expect(texts(a)).to_equal { "n1", "n2", "n3" }
    expect((notify("u1", "n5"))).to_equal(200)
  end)

  it("makes room when what waits is too old", function()
    settings { ["mailbox.limit"] = 2, ["mailbox.keep_days"] = 7 / 1440 }
    notify("u1", "n1")
    notify("u1", "n2")
    advance(8 * 60)
    expect((notify("u1", "n3"))).to_equal(200)
  end)
end)

describe("other apps of the broker", function()
  it("notify and announce, too", function()
    local a = user("u1")
    expect(ask("/gateway", "notify", { userId = "u1", message = "from within" }))
      .to_match { success = true, online = true }
    expect(ask("/gateway", "announce", { message = "to all" })).to_match { success = true, sockets = 1 }
    settle()
    expect(texts(a)).to_equal { "from within" }
    expect(texts(a, "announcement")).to_equal { "to all" }
    local _, why, code = ask("/gateway", "notify", { message = "x" })
    expect(code).to_equal("invalid")
    expect(why).to_match("^userId: ")
  end)
end)

describe("acknowledged delivery", function()
  it("sends until it is acknowledged, then goes on", function()
    local a = user("u1", "s1", { acks = true })
    local calls = {}
    a:on_call("notification", function(data)
      calls[#calls + 1] = data.message
      return true
    end)
    notify("u1", "one")
    notify("u1", "two")
    settle()
    expect(calls).to_equal { "one", "two" }
    advance(100)
    expect(calls).to_have_length(2)
  end)

  it("tries three times, and again later; nothing overtakes", function()
    local a = user("u1", "s1", { acks = true })
    notify("u1", "one")
    advance(20)
    expect(texts(a)).to_equal { "one", "one", "one" }
    notify("u1", "two")
    local _, seen = get("/socket/users/u1/notifications")
    expect(seen.waiting).to_equal(2)
    a:on_call("notification", function() return true end)
    advance(40)
    local got = texts(a)
    expect(got[#got]).to_equal("two")
    _, seen = get("/socket/users/u1/notifications")
    expect(seen.waiting).to_equal(0)
  end)

  it("tries again by itself, now and then", function()
    local a = user("u1", "s1", { acks = true })
    notify("u1", "one")
    advance(20)
    local got = support.acknowledge(a, "notification")
    advance(31)
    expect(got).to_have_length(1)
    advance(100)
    expect(got).to_have_length(1)
  end)

  it("waits for the next connection", function()
    local a = user("u1", "s1", { acks = true })
    notify("u1", "one")
    a:disconnect()
    advance(60)
    local b = user("u1", "s1", { acks = true })
    b:on_call("notification", function() return true end)
    advance(10)
    expect(texts(b)).to_contain("one")
    b:disconnect()
    local c = user("u1", "s1", { acks = true })
    advance(10)
    expect(texts(c)).to_equal {}
  end)

  it("is done when one of the user's connections has it", function()
    local mute, other = user("u1", "s1", { acks = true }), user("u1", "s2", { acks = true })
    local got = support.acknowledge(other, "notification")
    notify("u1", "one")
    advance(60)
    expect(got).to_have_length(1)
    expect(texts(mute)).to_have_length(1)
  end)
end)

describe("an announcement", function()
  it("reaches everybody, and those who come later, once", function()
    local a = user("u1")
    local status, answer = post("/socket/announcements", { message = "maintenance", keepSeconds = 600 })
    expect(status).to_equal(200)
    expect(answer).to_match { sockets = 1 }
    settle()
    local b = user("u2")
    for _, client in ipairs { a, b } do expect(texts(client, "announcement")).to_equal { "maintenance" } end
    a:disconnect()
    b:disconnect()
    expect(texts(user("u1"), "announcement")).to_equal {}
    expect(texts(user("u2"), "announcement")).to_equal {}
    advance(601)
    expect(texts(user("u3"), "announcement")).to_equal {}
  end)
end)

describe("a scheduled message", function()
  it("comes at its time", function()
    clock("2026-03-01T08:00:00Z")
    local a = user("u1")
    local status, answer = notify("u1", "later", { delaySeconds = 60 })
    expect(status).to_equal(202)
    expect(answer).to_match { success = true, deliverAt = "2026-03-01T08:01:00.000Z" }
    expect((notify("u1", "by the clock", { deliverAt = "2026-03-01T10:02:00+02:00" }))).to_equal(202)
    advance(59)
    expect(texts(a)).to_equal {}
    advance(2)
    expect(texts(a)).to_equal { "later" }
    expect(a:received("notification")[1].timestamp).to_equal("2026-03-01T08:01:00.000Z")
    advance(60)
    expect(texts(a)).to_equal { "later", "by the clock" }
    expect(select(2, get("/socket/schedules")).schedules).to_equal {}
  end)

  it("of the past comes at once", function()
    clock("2026-03-01T08:00:00Z")
    expect((notify("u1", "now", { deliverAt = "2026-02-28T08:00:00Z" }))).to_equal(200)
  end)

  it("is listed, and can be taken back", function()
    local a = user("u1")
    local _, answer = notify("u1", "later", { delaySeconds = 60 })
    local _, list = get("/socket/schedules")
    expect(list.schedules).to_match { { scheduleId = answer.scheduleId, kind = "notification",
                                        message = { userId = "u1", message = "later" } } }
    local path = "/socket/schedules/" .. answer.scheduleId
    expect((support.http("DELETE", path))).to_equal(204)
    expect((support.http("DELETE", path))).to_equal(404)
    advance(120)
    expect(texts(a)).to_equal {}
  end)

  it("for a room or everybody goes where it should", function()
    local a = user("u1")
    a:call("create_room", { roomId = "r" })
    post("/socket/rooms/message", { roomId = "r", message = "to the room", delaySeconds = 5 })
    post("/socket/announcements", { message = "to all", delaySeconds = 6 })
    advance(7)
    expect(texts(a, "room_message")).to_equal { "to the room" }
    expect(texts(a, "announcement")).to_equal { "to all" }
  end)

  it("whose room is gone is over, and logged", function()
    post("/socket/rooms", { roomId = "r" })
    post("/socket/rooms/message", { roomId = "r", message = "m", delaySeconds = 5 })
    support.http("DELETE", "/socket/rooms/r")
    advance(6)
    expect(select(2, get("/socket/schedules")).schedules).to_equal {}
    local found = false
    for _, line in ipairs(logs()) do
      found = found or line.message == "a scheduled message can't be delivered"
    end
    expect(found).to_equal(true)
  end)

  it("needs one time, not too far away", function()
    clock("2026-03-01T08:00:00Z")
    local function field(more)
      local status, answer = notify("u1", "x", more)
      expect(status).to_equal(422)
      return answer.error.data.path
    end
    expect(field { delaySeconds = 5, deliverAt = "2026-03-02T08:00:00Z" }).to_equal("$.delaySeconds")
    expect(field { deliverAt = "2036-03-02T08:00:00Z" }).to_equal("$.deliverAt")
    expect(field { deliverAt = "tomorrow" }).to_equal("$.deliverAt")
    expect(field { delaySeconds = -1 }).to_equal("$.delaySeconds")
  end)

  it("is refused when too many are", function()
    settings { ["schedules.limit"] = 1 }
    expect((notify("u1", "x", { delaySeconds = 5 }))).to_equal(202)
    expect((notify("u1", "x", { delaySeconds = 5 }))).to_equal(503)
    advance(6)
    expect((notify("u1", "x", { delaySeconds = 5 }))).to_equal(202)
  end)
end)

describe("a template", function()
  local function put(name, body, role)
    return support.http("PUT", "/socket/templates/" .. name, body, role or "admin")
  end

  it("fills in what it is given", function()
    expect((put("welcome", { title = "Hello {{ name }}", message = "{{count}} new", type = "greeting",
                             data = { link = "/u/{{name}}" } }))).to_equal(201)
    local a = user("u1")
    local status = notify("u1", nil, { template = "welcome", values = { name = "Ann", count = 3 } })
    expect(status).to_equal(200)
    settle()
    expect(a:received("notification")).to_match { {
      title = "Hello Ann", message = "3 new", type = "greeting", data = { link = "/u/Ann" } } }
  end)

  it("needs all its values, and to be there", function()
    put("t", { message = "{{a}} {{b}}" })
    local status, answer = notify("u1", nil, { template = "t", values = { a = 1 } })
    expect(status).to_equal(422)
    expect(answer.error.message).to_match("^values.b: ")
    expect(answer.error.data.path).to_equal("$.values.b")
    expect((notify("u1", nil, { template = "other" }))).to_equal(404)
  end)

  it("gives way to the notification's own words", function()
    put("t", { message = "from the template", title = "T", priority = "high" })
    local a = user("u1")
    notify("u1", "own", { template = "t" })
    settle()
    expect(a:received("notification")).to_match { { message = "own", title = "T", priority = "high" } }
  end)

  it("is kept, replaced, listed and removed", function()
    settings { ["templates.limit"] = 2 }
    put("b", { message = "1" })
    put("a", { message = "2" })
    expect((put("a", { message = "3" }))).to_equal(200)
    expect((put("c", { message = "4" }))).to_equal(400)
    local _, list = get("/socket/templates?limit=1")
    expect(list).to_equal { templates = { { name = "a", message = "3" } }, next = { after = "a" } }
    _, list = get("/socket/templates?limit=1&after=a")
    expect(list.templates).to_match { { name = "b" } }
    expect(list.next).to_be_nil()
    expect((support.http("DELETE", "/socket/templates/a", nil, "admin"))).to_equal(204)
    expect((get("/socket/templates/a"))).to_equal(404)
    expect((put("c", { message = "4" }))).to_equal(201)
  end)
end)
