local support = require "support_test"

local user, get = support.user, support.get

describe("health", function()
  it("is anybody's to know, and says what is wrong", function()
    local status, health = support.http("GET", "/socket/health", nil, "nobody")
    expect(status).to_equal(200)
    expect(health).to_match { status = "degraded", problems = { "workers: none is connected" },
                              connections = 0, workers = 0 }
    connect("/workers", { user = { sub = "w", role = "worker" } })
    user("u1")
    advance(10)
    health = select(2, get("/socket/health", "nobody"))
    expect(health).to_match { connections = 1, users = 1, uptime = 10 }
  end)
end)

describe("statistics", function()
  it("count connections, events and errors", function()
    local a, b = user("u1", "s1"), user("u1", "s2")
    user("u2"):disconnect()
    a:call("create_room", { roomId = "r" })
    a:call("join_room", {})
    a:call("nonsense")
    b:call("create_room", { roomId = "r" })
    support.settle()
    local status, stats = get("/socket/stats")
    expect(status).to_equal(200)
    expect(stats.connections).to_equal { current = 2, total = 3, peak = 3 }
    expect(stats).to_match { users = 1, sessions = 2, rooms = 1 }
    expect(stats.events.received).to_equal(4)
    expect(stats.events.receivedByEvent).to_equal { create_room = 2, join_room = 1, other = 1 }
    expect(stats.events.sentByEvent).to_equal { connected = 3 }
    expect(stats.errors)
      .to_equal { total = 3, byCode = { invalid = 1, unknown_event = 1, conflict = 1 } }
    expect(stats.latency).to_equal { measured = 0 }
    expect(stats.requests).to_match { pending = 0, workers = 0 }
  end)

  it("have the last minute's rates", function()
    local a = user("u1")
    advance(100)
    for i = 1, 30 do a:call("get_key", { userId = "nobody" .. i }) end
    local stats = select(2, get("/socket/stats"))
    expect(stats.rates)
      .to_equal { receivedPerSecond = 0.5, sentPerSecond = 0, errorsPerSecond = 0.5,
                                   errorShare = 0.5 }
    advance(61)
    expect(select(2, get("/socket/stats")).rates.receivedPerSecond).to_equal(0)
  end)

  it("count names that clients make up together", function()
    local a = user("u1")
    for i = 1, 5 do a:call("made-up-" .. i) end
    expect(select(2, get("/socket/stats")).events.receivedByEvent).to_equal { other = 5 }
  end)
end)

describe("who is there", function()
  it("is listed by user, page by page", function()
    local a = user("u1", "s1")
    user("u1", "s2")
    user("u2")
    local _, page = get("/socket/users?limit=1")
    expect(page).to_match { total = 2, next = { after = "u1" }, users = { { userId = "u1" } } }
    expect(page.users[1].sockets).to_have_length(2)
    local found
    for _, socket in ipairs(page.users[1].sockets) do found = found or socket.socketId == a.id end
    expect(found).to_equal(true)
    _, page = get("/socket/users?limit=1&after=u1")
    expect(page.users).to_match { { userId = "u2" } }
    expect(page.next).to_be_nil()
    expect((get("/socket/users?before=u1"))).to_equal(422)
  end)

  it("knows who did something last", function()
    clock("2026-03-01T08:00:00Z")
    local a = user("u1")
    advance(60)
    a:call("get_key", { userId = "u2" })
    expect(select(2, get("/socket/users")).users).to_match { {
      connectedAt = "2026-03-01T08:00:00.000Z", lastActivity = "2026-03-01T08:01:00.000Z" } }
  end)

  it("is asked for by a name that could be one", function()
    local status, body = support.get("/socket/users/" .. ("x"):rep(3000) .. "/notifications")
    expect(status).to_equal(422)
    expect(body.error.data.path).to_equal("$.userId")
  end)

  it("is said of one user, to that user, too", function()
    local a = user("u1")
    local path = "/socket/users/u1/connected"
    expect(select(2, get(path))).to_equal { userId = "u1", connected = true, sockets = 1 }
    a:disconnect()
    expect(select(2, get(path))).to_equal { userId = "u1", connected = false, sockets = 0 }
    expect((request("GET", path, { user = { sub = "u1" } }))).to_equal(200)
    expect((request("GET", path, { user = { sub = "u2" } }))).to_equal(403)
  end)
end)

describe("roles", function()
  local READ = { "GET /socket/stats", "GET /socket/users", "GET /socket/rooms",
                 "GET /socket/rooms/r",
                 "GET /socket/users/u1/connected", "GET /socket/users/u1/notifications",
                 "GET /socket/rooms/r/messages", "GET /socket/workers", "GET /socket/templates",
                 "GET /socket/templates/t", "GET /socket/schedules" }
  local SEND = { "POST /socket/rooms", "POST /socket/rooms/join", "POST /socket/rooms/leave",
                 "POST /socket/rooms/message", "POST /socket/notifications",
                 "POST /socket/announcements", "DELETE /socket/rooms/r",
                 "DELETE /socket/schedules/x" }
  local RULE = { "PUT /socket/templates/t", "DELETE /socket/templates/t" }

  local function expect_roles(paths, may)
    for _, line in ipairs(paths) do
      local method, path = line:match("^(%S+) (%S+)$")
      for _, role in ipairs { "nobody", "user", "worker", "monitor", "service", "admin" } do
        local body = method ~= "GET" and method ~= "DELETE" and {} or nil
        local status = support.http(method, path, body, role)
        local refused = status == 401 or status == 403
        local expected = role == "nobody" and 401 or 403
        local message = line .. " as " .. role .. ": " .. status
        if may:find(role, 1, true) then
          if refused then error(message) end
        elseif status ~= expected then
          error(message)
        end
      end
    end
  end

  it("may read", function() expect_roles(READ, "monitor service admin") end)
  it("may send", function() expect_roles(SEND, "service admin") end)
  it("may rule", function() expect_roles(RULE, "admin") end)

  it("may come as OAuth scopes", function()
    local function status(scope, roles)
      local claims = { sub = "x", scope = scope, roles = roles }
      return (request("GET", "/socket/stats", { user = claims }))
    end
    expect(status("openid gateway:monitor")).to_equal(200)
    expect(status("openid monitor")).to_equal(403)
    expect(status("gateway:monitors")).to_equal(403)
    expect(status("another:monitor")).to_equal(403)
    expect(status("openid", { "monitor" })).to_equal(200)
  end)
end)
