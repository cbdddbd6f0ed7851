local support = require "support_test"

local user, post, get, settle = support.user, support.post, support.get, support.settle
local notify, texts = support.notify, support.texts

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
    expect(ask("/gateway", "announce", { message = "to all" }))
      .to_match { success = true, sockets = 1 }
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
    local status, answer = post("/socket/announcements", {
      message = "maintenance", keepSeconds = 600 })
    expect(status).to_equal(200)
    expect(answer).to_match { sockets = 1 }
    settle()
    local b = user("u2")
    for _, client in ipairs { a, b } do
      expect(texts(client, "announcement")).to_equal { "maintenance" }
    end
    a:disconnect()
    b:disconnect()
    expect(texts(user("u1"), "announcement")).to_equal {}
    expect(texts(user("u2"), "announcement")).to_equal {}
    advance(601)
    expect(texts(user("u3"), "announcement")).to_equal {}
  end)
end)
