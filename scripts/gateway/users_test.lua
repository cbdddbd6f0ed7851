local support = require "support_test"

local user, settle = support.user, support.settle

local function refusal(auth)
  local client, why = connect("/gateway", { auth = auth })
  expect(client).to_be_nil()
  return why
end

describe("a connection", function()
  it("says who it is, and hears so", function()
    local a = user("u1", "s1")
    expect(a:received("connected")).to_match {
      { userId = "u1", sessionId = "s1", socketId = a.id, waiting = 0 } }
  end)

  it("without a user or a session is refused", function()
    expect(refusal {})
      .to_match { message = "auth.userId is missing", data = { code = "unauthorized" } }
    expect(refusal { userId = "u1" }).to_match { message = "auth.sessionId is missing" }
    expect(refusal { sessionId = "s1" }).to_match { message = "auth.userId is missing" }
  end)

  it("with a wrong field is told which", function()
    local why = refusal { userId = "a/b", sessionId = "s" }
    expect(why.message).to_match("^auth.userId: ")
    expect(why.data).to_match { code = "invalid", path = "$.userId" }
    expect(refusal { userId = "a", sessionId = 7 }.data).to_match { path = "$.sessionId" }
    expect(refusal { userId = "a", sessionId = "s", filters = { typs = {} } }.data.code)
      .to_equal("invalid")
  end)

  it("can't take another user's session", function()
    user("u1", "s1"):disconnect()
    expect(refusal { userId = "u2", sessionId = "s1" }).to_match { data = { code = "forbidden" } }
    local a = user("u1", "s1")
    advance(25.9 * 3600)
    expect(refusal { userId = "u2", sessionId = "s1" }).to_match { data = { code = "forbidden" } }
    a:disconnect()
    advance(23.9 * 3600)
    expect(refusal { userId = "u2", sessionId = "s1" }).to_match { data = { code = "forbidden" } }
    advance(0.2 * 3600)
    user("u2", "s1")  -- forgotten by then
  end)

  it("can't take a session for which another user's answer waits", function()
    local a, w = user("u1", "s1"), support.worker("w1")
    support.ask(a, "r1")
    settle()
    a:disconnect()
    support.answer(w, support.jobs_of(w)[1])
    advance(25 * 3600)
    expect(refusal { userId = "u2", sessionId = "s1" }).to_match { data = { code = "forbidden" } }
    a = user("u1", "s1")
    settle()
    expect(a:received("ai_response")).to_match { { requestId = "r1", response = "HELLO" } }
  end)

  it("by a token may have a name of an authorization server's", function()
    local a = connect("/gateway", { user = { sub = "auth0|5f7c8ec7" } })
    expect(a:received("connected")).to_match { { userId = "auth0|5f7c8ec7" } }
  end)

  it("by a token is the token's user", function()
    local a = connect("/gateway", { user = { sub = "u7", sid = "s7" } })
    expect(a:received("connected")).to_match { { userId = "u7", sessionId = "s7" } }
    local b = connect("/gateway", { user = { sub = "u7" } })
    expect(b:received("connected")).to_match { { userId = "u7", sessionId = b.id } }
  end)

  it("by a token can't say that it is another user", function()
    local client, why = connect("/gateway", { user = { sub = "u7" }, auth = { userId = "u8" } })
    expect(client).to_be_nil()
    expect(why).to_match { data = { code = "forbidden" } }
    client = connect("/gateway", {
      user = { sub = "u7" }, auth = { userId = "u7", sessionId = "s" } })
    expect(client:received("connected")).to_match { { userId = "u7", sessionId = "s" } }
  end)

  it("by a token without a user is refused", function()
    local client, why = connect("/gateway", { user = { role = "admin" } })
    expect(client).to_be_nil()
    expect(why).to_match { data = { code = "unauthorized" } }
  end)

  it("needs a token where the settings say so", function()
    settings { ["auth.require_token"] = "true" }
    expect(refusal { userId = "u1", sessionId = "s1" })
      .to_match { data = { code = "unauthorized" } }
    expect((connect("/gateway", { user = { sub = "u1" } }))).never.to_be_nil()
  end)

  it("ends with its token", function()
    local a = connect("/gateway", { user = { sub = "u1", exp = now() + 60 } })
    advance(61)
    expect(a:received("error")).to_match { { code = "token_expired" } }
    expect(a.connected).to_equal(false)
  end)

  it("may not go on and on with whatever it does", function()
    settings { ["limits.events_per_minute"] = 3 }
    local a, b = user("u1"), user("u2")
    for _ = 1, 3 do
      expect(a:call("set_filters", { events = { "notification" } })).to_equal { success = true }
    end
    local refused = a:call("publish_key", { publicKey = "x", keyId = "k" })
    expect(refused.error.code).to_equal("rate_limited")
    expect(b:call("get_key", { userId = "u1" }).error.code).to_equal("not_found")
    advance(60)
    expect(a:call("publish_key", { publicKey = "x", keyId = "k" })).to_match { success = true }
  end)

  it("hears of events that there are none of", function()
    local a = user("u1")
    expect(a:call("ai_reqest", {})).to_match { error = { code = "unknown_event" } }
  end)

  it("renews its token, or is told why not", function()
    local a = connect("/gateway", { user = { sub = "u1", exp = now() + 60 } })
    expect(a:call("refresh_token", { token = "nonsense" }))
      .to_match { error = { code = "unauthorized" } }
    expect(a:call("refresh_token", {})).to_match { error = { code = "invalid" } }
    local b = user("u1")  -- has no token that could be renewed
    expect(b:call("refresh_token", { token = "nonsense" }))
      .to_match { error = { code = "forbidden" } }
  end)
end)

describe("filters", function()
  local function notify(more)
    local body = { userId = "u1", message = "m" }
    for name, value in pairs(more) do body[name] = value end
    support.post("/socket/notifications", body)
    settle()
  end
  local function types(client)
    local list = {}
    for _, each in ipairs(client:received("notification")) do list[#list + 1] = each.type end
    return list
  end

  it("choose events, types and urgency", function()
    local all = user("u1", "s1")
    local none = user("u1", "s2", { filters = { events = { "announcement" } } })
    local billing = user("u1", "s3", { filters = { types = { "billing" } } })
    local urgent = user("u1", "s4")
    expect(urgent:call("set_filters", { minPriority = "high" })).to_equal { success = true }
    notify { type = "billing" }
    notify { type = "chat", priority = "high" }
    notify { type = "chat", priority = "low" }
    expect(types(all)).to_equal { "billing", "chat", "chat" }
    expect(types(none)).to_equal {}
    expect(types(billing)).to_equal { "billing" }
    expect(types(urgent)).to_equal { "chat" }
  end)

  it("hold for those who acknowledge, too", function()
    local a = user("u1", "s1", { acks = true, filters = { types = { "billing" } } })
    local got = support.acknowledge(a, "notification")
    notify { type = "chat" }
    notify { type = "billing" }
    expect(got).to_match { { type = "billing" } }
    local _, seen = support.get("/socket/users/u1/notifications")
    expect(seen.waiting).to_equal(0)
  end)

  it("can be taken back", function()
    local a = user("u1", "s1", { filters = { events = json.array {} } })
    notify { type = "x" }
    expect(a:call("set_filters", json.decode "{}")).to_equal { success = true }
    notify { type = "y" }
    expect(types(a)).to_equal { "y" }
  end)

  it("that don't hold are refused", function()
    local a = user("u1")
    expect(a:call("set_filters", { events = { "ai_response" } }))
      .to_match { error = { code = "invalid" } }
    expect(a:call("set_filters", { minPriority = "loud" }).error.data.path)
      .to_equal("$.minPriority")
  end)

  it("choose rooms", function()
    local a, b = user("u1"), user("u2", "s2", { filters = { rooms = { "r2" } } })
    for _, room in ipairs { "r1", "r2" } do
      a:call("create_room", { roomId = room })
      b:call("join_room", { roomId = room })
      a:call("room_message", { roomId = room, message = "in " .. room })
    end
    expect(b:received("room_message")).to_match { { message = "in r2" } }
    expect(b:received("room_message")).to_have_length(1)
  end)
end)

describe("batches", function()
  local function announce(text)
    support.post("/socket/announcements", { message = text })
  end

  it("hold events back for a moment", function()
    local a = user("u1", "s1", { batch = { ms = 500 } })
    local b = user("u2")
    announce("one")
    announce("two")
    expect(a:received("batch")).to_equal {}
    expect(b:received("announcement")).to_have_length(2)
    advance(0.6)
    local batches = a:received("batch")
    expect(batches).to_have_length(1)
    expect(batches[1].events).to_match {
      { event = "announcement", data = { message = "one" } },
      { event = "announcement", data = { message = "two" } } }
    expect(a:received("announcement")).to_equal {}
  end)

  it("go at once when they are full", function()
    local a = user("u1")
    expect(a:call("set_batching", { ms = 10000, max = 2 })).to_equal { success = true }
    announce("one")
    expect(a:received("batch")).to_equal {}
    announce("two")
    expect(a:received("batch")).to_have_length(1)
  end)

  it("end with what waits", function()
    local a = user("u1", "s1", { batch = { ms = 10000 } })
    announce("one")
    a:call("set_batching", { ms = 0 })
    announce("two")
    expect(a:received("batch")).to_have_length(1)
    expect(a:received("announcement")).to_match { { message = "two" } }
  end)

  it("don't hold up answers", function()
    local a = user("u1", "s1", { batch = { ms = 10000 } })
    expect(a:call("ai_request", { toolId = "nothing", message = "x", requestId = "r" }))
      .to_match { success = true }
    advance(8)
    expect(a:received("ai_response")).to_have_length(1)
  end)
end)
