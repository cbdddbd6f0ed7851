local support = require "support_test"

local user, post, get = support.user, support.post, support.get

local function code(answer) return answer.error and answer.error.code end

local function texts(client)
  local list = {}
  for _, each in ipairs(client:received("room_message")) do list[#list + 1] = each.message end
  return list
end

local function total() return (select(2, get("/socket/rooms"))).total end

describe("a room", function()
  local a, b
  before_each(function()
    a, b = user("u1"), user("u2")
  end)

  it("carries messages between its members, and to nobody else", function()
    local c = user("u3")
    expect(a:call("create_room", { roomId = "r" })).to_equal { success = true, roomId = "r" }
    expect(b:call("join_room", { roomId = "r" })).to_equal { success = true, roomId = "r" }
    local sent = a:call("room_message", { roomId = "r", message = "hello", messageId = "m1" })
    expect(sent).to_match { success = true }
    for _, client in ipairs { a, b } do
      expect(client:received("room_message")).to_match { {
        id = sent.id, roomId = "r", from = "u1", message = "hello", messageId = "m1" } }
    end
    expect(texts(c)).to_equal {}
    expect(code(c:call("room_message", { roomId = "r", message = "x" }))).to_equal("forbidden")
    expect(code(c:call("room_history", { roomId = "r" }))).to_equal("forbidden")
    expect(texts(a)).to_have_length(1)
  end)

  it("is left, and found again after a reconnection", function()
    a:call("create_room", { roomId = "r" })
    b:call("join_room", { roomId = "r" })
    b:disconnect()
    b = user("u2")
    expect(b:received("connected")).to_match { { rooms = { "r" } } }
    a:call("room_message", { roomId = "r", message = "one" })
    expect(b:call("leave_room", { roomId = "r" })).to_equal { success = true, roomId = "r" }
    a:call("room_message", { roomId = "r", message = "two" })
    expect(texts(b)).to_equal { "one" }
    expect(code(b:call("room_message", { roomId = "r", message = "x" }))).to_equal("forbidden")
    expect(code(b:call("leave_room", { roomId = "r" }))).to_equal("not_found")
  end)

  it("holds no binary: over HTTP it could not be shown", function()
    local wishes = { roomId = "r", metadata = { picture = bytes "x" } }
    expect(code(a:call("create_room", wishes))).to_equal("invalid")
    a:call("create_room", { roomId = "r" })
    local said = a:call("room_message", { roomId = "r", message = { picture = bytes "x" } })
    expect(said.error).to_match { code = "invalid", data = { path = "$.message" } }
    expect(post("/socket/rooms", { roomId = "s", metadata = { text = ("x"):rep(70000) } }))
      .to_equal(422)
    expect((get("/socket/rooms"))).to_equal(200)
  end)

  it("there is once; what there is not, is not found", function()
    a:call("create_room", { roomId = "r" })
    expect(code(b:call("create_room", { roomId = "r" }))).to_equal("conflict")
    for _, event in ipairs { "join_room", "leave_room", "room_history" } do
      expect(code(b:call(event, { roomId = "x" }))).to_equal("not_found")
    end
    expect(code(b:call("room_message", { roomId = "x", message = "m" }))).to_equal("not_found")
    expect(code(b:call("create_room", { roomId = "a/b" }))).to_equal("invalid")
  end)

  it("may be private: its owner lets in others, and puts them out", function()
    a:call("create_room", { roomId = "p", access = "private", members = { "u2" } })
    local c = user("u3")
    expect(code(c:call("join_room", { roomId = "p" }))).to_equal("forbidden")
    expect(code(b:call("join_room", { roomId = "p", userId = "u3" }))).to_equal("forbidden")
    expect(b:call("join_room", { roomId = "p" })).to_match { success = true }
    expect(a:call("join_room", { roomId = "p", userId = "u3" })).to_match { success = true }
    a:call("room_message", { roomId = "p", message = "hello" })
    expect(texts(b)).to_equal { "hello" }
    expect(texts(c)).to_equal { "hello" }
    expect(code(b:call("leave_room", { roomId = "p", userId = "u3" }))).to_equal("forbidden")
    expect(a:call("leave_room", { roomId = "p", userId = "u3" })).to_match { success = true }
    a:call("room_message", { roomId = "p", message = "again" })
    expect(texts(c)).to_equal { "hello" }
    expect(code(c:call("join_room", { roomId = "p" }))).to_equal("forbidden")
  end)

  it("of others is theirs to add to, even if it is public", function()
    a:call("create_room", { roomId = "r" })
    user("u3")
    expect(code(b:call("join_room", { roomId = "r", userId = "u3" }))).to_equal("forbidden")
  end)

  it("remembers what was said, page by page", function()
    a:call("create_room", { roomId = "r" })
    for i = 1, 5 do a:call("room_message", { roomId = "r", message = "m" .. i }) end
    local function page(more)
      local question = { roomId = "r", limit = 2 }
      for name, value in pairs(more) do question[name] = value end
      local answer = a:call("room_history", question)
      local list = {}
      for _, item in ipairs(answer.items) do list[#list + 1] = item.message end
      return list, answer.next
    end
    local list, from = page {}
    expect(list).to_equal { "m4", "m5" }
    list, from = page(from)
    expect(list).to_equal { "m2", "m3" }
    list, from = page(from)
    expect(list).to_equal { "m1" }
    expect(from).to_equal(null)
    local first = a:call("room_history", { roomId = "r" }).items[1].id
    list, from = page { after = first }
    expect(list).to_equal { "m2", "m3" }
    list, from = page(from)
    expect(list).to_equal { "m4", "m5" }
    expect(from).to_equal(null)
    expect(code(a:call("room_history", { roomId = "r", limit = 0 }))).to_equal("invalid")
    expect(code(a:call("room_history", { roomId = "r", before = 2, after = 1 })))
      .to_equal("invalid")
  end)

  it("goes when it has been empty for a while, with all that was in it", function()
    a:call("create_room", { roomId = "r" })
    b:call("join_room", { roomId = "r" })
    a:call("room_message", { roomId = "r", message = "old" })
    post("/socket/rooms", { roomId = "kept", persistent = true })
    a:disconnect()
    advance(400)
    expect(total()).to_equal(2)
    b:disconnect()
    advance(200)
    b = user("u2")
    advance(200)
    expect(total()).to_equal(2)  -- not empty for long enough
    b:disconnect()
    advance(400)
    expect(select(2, get("/socket/rooms")).rooms).to_match { { roomId = "kept" } }
    expect(total()).to_equal(1)
    b = user("u2")
    expect(b:received("connected")).to_match { { rooms = {} } }
    b:call("create_room", { roomId = "r" })
    expect(b:call("room_history", { roomId = "r" }).items).to_equal {}
  end)
end)

describe("limits of rooms", function()
  it("hold for all, for a user and for a room", function()
    settings { ["rooms.limit"] = 3, ["rooms.per_user"] = 2, ["rooms.members"] = 1 }
    local a, b = user("u1"), user("u2")
    a:call("create_room", { roomId = "r1" })
    a:call("create_room", { roomId = "r2" })
    expect(code(a:call("create_room", { roomId = "r3" }))).to_equal("too_many_rooms")
    expect(code(b:call("join_room", { roomId = "r1" }))).to_equal("room_full")
    expect(b:call("create_room", { roomId = "r3" })).to_match { success = true }
    expect(code(b:call("create_room", { roomId = "r4" }))).to_equal("too_many_rooms")
    support.http("DELETE", "/socket/rooms/r1")
    expect(b:call("create_room", { roomId = "r4" })).to_match { success = true }
    a:call("leave_room", { roomId = "r2" })
    expect(code(a:call("join_room", { roomId = "r2" }))).to_be_nil()
  end)

  it("hold for a message's size", function()
    settings { ["limits.message_bytes"] = 20 }
    local a = user("u1")
    a:call("create_room", { roomId = "r" })
    for _, large in ipairs { ("x"):rep(21), { text = ("x"):rep(15) } } do
      local said = { roomId = "r", message = large }
      local _, over_http = post("/socket/rooms/message", said)
      local asked = support.ask(a, "r1", { message = large })
      for _, answer in ipairs { a:call("room_message", said), asked, over_http } do
        expect(answer.error).to_match { code = "invalid", data = { path = "$.message" } }
      end
    end
    expect(a:call("room_message", { roomId = "r", message = { text = "x" } })).to_match {
      success = true }
  end)

  it("hold for what is remembered, and how often one speaks", function()
    settings { ["rooms.history"] = 2, ["limits.messages_per_minute"] = 3 }
    local a = user("u1")
    a:call("create_room", { roomId = "r" })
    for i = 1, 3 do a:call("room_message", { roomId = "r", message = "m" .. i }) end
    expect(a:call("room_history", { roomId = "r" }).items)
      .to_match { { message = "m2" }, { message = "m3" } }
    expect(a:call("room_message", { roomId = "r", message = "m4" })).to_match {
      error = { code = "rate_limited", data = { limit = 3 } } }
    advance(60)
    expect(a:call("room_message", { roomId = "r", message = "m5" })).to_match { success = true }
  end)
end)

describe("rooms over HTTP", function()
  it("are made, filled, spoken in, read and removed", function()
    local a = user("u1")
    local status, made = post("/socket/rooms", {
      roomId = "r", access = "private", owner = "u9", metadata = { topic = "t" } })
    expect(status).to_equal(201)
    expect(made).to_match { success = true, room = {
      roomId = "r", access = "private", owner = "u9", metadata = { topic = "t" }, connected = 0 } }
    expect((post("/socket/rooms", { roomId = "r" }))).to_equal(409)
    expect(select(2, post("/socket/rooms/join", { roomId = "r", userId = "u1" })))
      .to_equal { success = true, roomId = "r", userId = "u1", sockets = 1 }
    local _, sent = post("/socket/rooms/message", { roomId = "r", message = { text = "hi" } })
    expect(sent).to_match { success = true, sockets = 1 }
    expect(a:received("room_message")).to_match { {
      id = sent.id, from = null, message = { text = "hi" } } }
    expect(select(2, get("/socket/rooms/r"))).to_match { connected = 1, members = { "u1", "u9" } }
    expect(select(2, get("/socket/rooms/r/messages")).messages).to_match { { id = sent.id } }
    expect((post("/socket/rooms/leave", { roomId = "r", userId = "u1" }))).to_equal(200)
    expect(select(2, post("/socket/rooms/message", { roomId = "r", message = "x" })).sockets)
      .to_equal(0)
    expect((support.http("DELETE", "/socket/rooms/r"))).to_equal(204)
    for _, path in ipairs { "/socket/rooms/r", "/socket/rooms/r/messages" } do
      expect((get(path))).to_equal(404)
    end
    expect((post("/socket/rooms/message", { roomId = "r", message = "x" }))).to_equal(404)
    expect((post("/socket/rooms/join", { roomId = "r", userId = "u1" }))).to_equal(404)
  end)

  it("are listed page by page", function()
    for _, name in ipairs { "c", "a", "b" } do post("/socket/rooms", { roomId = name }) end
    local _, page = get("/socket/rooms?limit=2")
    expect(page).to_match { rooms = { { roomId = "a" }, { roomId = "b" } }, next = { after = "b" },
                            total = 3 }
    _, page = get("/socket/rooms?limit=2&after=b")
    expect(page.rooms).to_match { { roomId = "c" } }
    expect(page.next).to_be_nil()
    expect((get("/socket/rooms?limit=x"))).to_equal(422)
  end)

  it("name the field that is wrong", function()
    local status, answer = post("/socket/rooms", { roomId = "r", access = "secret" })
    expect(status).to_equal(422)
    expect(answer.error.data.path).to_equal("$.access")
    expect(select(2, post("/socket/rooms/join", { roomId = "r" })).error.data.path)
      .to_equal("$.userId")
    expect(total()).to_equal(0)
  end)
end)
