local schema = require "schema"
local support = require "support_test"

local TIME = schema.string { format = "date-time" }
local STAFF = { user = { sub = "ann", role = "staff" } }
local CUSTOMER = { user = { sub = "bob", role = "customer" } }

local function refused(part)
  return { success = false, error = schema.string { pattern = part } }
end

describe("a client that connects", function()
  it("is told its socket and its number", function()
    local first, second = support.join(), support.join()
    expect(first:received("connected")).to_equal { {
      socketId = first.id, clientId = 1, connectedAt = TIME, totalConnected = 1 } }
    expect(second:received("connected")).to_match { { clientId = 2, totalConnected = 2 } }
    first:disconnect()
    expect(support.join():received("connected")).to_match { { clientId = 3, totalConnected = 2 } }
  end)

  it("is refused with a bad token", function()
    local client, refusal = connect("/tickets", { auth = { token = "nonsense" } })
    expect(client).to_be_nil()
    expect(refusal.data.code).to_equal("unauthorized")
  end)
end)

describe("the dashboard", function()
  it("is joined by staff, and hears who comes and goes", function()
    local boss, clerk = support.join(), support.join()
    expect(boss:call("joinDashboard", { userRole = "admin", userId = "u1" }))
      .to_equal { success = true, room = "dashboard" }
    expect(boss:received("staffConnectionUpdate")).to_equal { {
      action = "connected", clientId = 1, timestamp = TIME, totalConnected = 2 } }
    expect(#boss:received("loadBalancingMetrics")).to_equal(1)
    clerk:call("joinDashboard", { userRole = "staff", userId = "u2" })
    clerk:call("joinDashboard", { userRole = "staff", userId = "u2" })
    clerk:disconnect()
    expect(boss:received("staffConnectionUpdate")).to_match {
      { clientId = 1 }, { action = "connected", clientId = 2, totalConnected = 2 },
      { action = "disconnected", clientId = 2, totalConnected = 1 } }
    expect(#boss:received("staffConnectionUpdate")).to_equal(3)
  end)

  it("does not hear of clients that were not at it, and hears of those who leave it", function()
    local boss, clerk, visitor = support.dashboard(), support.dashboard(), support.join()
    boss:clear()
    visitor:disconnect()
    expect(boss:received("staffConnectionUpdate")).to_equal {}
    expect(clerk:call("leaveRoom", { room = "dashboard" }))
      .to_equal { success = true, room = "dashboard" }
    expect(boss:received("staffConnectionUpdate"))
      .to_match { { action = "disconnected", clientId = 2 } }
    clerk:disconnect()
    expect(#boss:received("staffConnectionUpdate")).to_equal(1)
  end)

  it("is closed to others, who are told why", function()
    local client = support.join()
    expect(client:call("joinDashboard", { userRole = "customer", userId = "u1" }))
      .to_equal(refused("role"))
    expect(client:call("joinDashboard", { userId = "u1" })).to_equal(refused("for staff"))
    expect(client:call("joinDashboard", { userRole = 7 })).to_equal(refused("^userRole must be"))
    expect(client:call("joinDashboard")).to_equal(refused("^joinDashboard"))
    expect(client:received("error")).to_match { { event = "joinDashboard", code = "forbidden" },
                                                { code = "unauthorized" }, { code = "invalid" },
                                                { code = "invalid" } }
    support.dashboard()
    expect(client:received("loadBalancingMetrics")).to_equal {}
  end)

  it("believes a token, whatever else is said", function()
    local staff, customer = support.join(STAFF), support.join(CUSTOMER)
    expect(staff:call("joinDashboard", { userRole = "customer" })).to_match { success = true }
    expect(customer:call("joinDashboard", { userRole = "admin", userId = "u1" }))
      .to_equal(refused("role"))
    local _, list = request("GET", "/clients", STAFF)
    expect(list.clients).to_match { { userRole = "staff", userId = "ann" }, { rooms = {} } }
  end)

  it("is for those whom settings name", function()
    settings { ["tickets.staff_roles"] = { "clerk" } }
    local client = support.join()
    expect(client:call("joinDashboard", { userRole = "admin" })).to_equal(refused("role"))
    expect(client:call("joinDashboard", { userRole = "clerk" })).to_match { success = true }
  end)
end)

describe("rooms", function()
  it("of a service tell its others who joins", function()
    local first, second, elsewhere = support.join(), support.join(), support.join()
    elsewhere:call("joinServiceQueue", { serviceType = "Registry" })
    expect(first:call("joinServiceQueue", { serviceType = "Finance" }))
      .to_equal { success = true, room = "service-Finance" }
    second:call("joinServiceQueue", { serviceType = "Finance" })
    second:call("joinServiceQueue", { serviceType = "Finance" })
    expect(first:received("queueUserJoined")).to_equal { {
      serviceType = "Finance", clientId = 2, timestamp = TIME } }
    expect(second:received("queueUserJoined")).to_equal {}
    expect(elsewhere:received("queueUserJoined")).to_equal {}
  end)

  it("of counters and users are joined and left", function()
    local client = support.join()
    expect(client:call("joinCounter", { counterId = "counter-5" }))
      .to_equal { success = true, room = "counter-counter-5" }
    expect(client:call("joinUserRoom", { userId = "u1" }))
      .to_equal { success = true, room = "user-u1" }
    support.set("counter-5", { status = "open" })
    expect(#client:received("counterStatusChange")).to_equal(1)
    expect(client:call("leaveRoom", { room = "counter-counter-5" }))
      .to_equal { success = true, room = "counter-counter-5" }
    support.set("counter-5", { status = "paused" })
    expect(#client:received("counterStatusChange")).to_equal(1)
    -- What one is not in is left, too; and one's own stays.
    expect(client:call("leaveRoom", { room = client.id })).to_match { success = true }
    client:emit("ping")
    expect(client.connected).to_equal(true)
  end)

  it("have names that are checked", function()
    local client = support.join()
    expect(client:call("joinServiceQueue", {})).to_equal(refused("^serviceType is required"))
    expect(client:call("joinServiceQueue", { serviceType = "a\nb" }))
      .to_equal(refused("^serviceType"))
    expect(client:call("joinCounter", { counterId = "" })).to_equal(refused("^counterId"))
    expect(client:call("joinUserRoom", { userId = ("x"):rep(129) })).to_equal(refused("^userId"))
    expect(client:call("leaveRoom", { room = 7 })).to_equal(refused("^room"))
    expect(client:call("leaveRoom")).to_equal(refused("^leaveRoom"))
  end)

  it("are of services that settings list, if they do", function()
    settings { ["tickets.services"] = { "Finance", "Registry" } }
    local client = support.join()
    expect(client:call("joinServiceQueue", { serviceType = "Finance" })).to_match { success = true }
    expect(client:call("joinServiceQueue", { serviceType = "Bakery" }))
      .to_equal(refused("Bakery.*Finance, Registry"))
  end)

  it("are so many a client", function()
    settings { ["tickets.rooms_per_client"] = 2 }
    local client = support.join()
    client:call("joinServiceQueue", { serviceType = "A" })
    client:call("joinServiceQueue", { serviceType = "B" })
    expect(client:call("joinServiceQueue", { serviceType = "C" })).to_equal(refused("limit"))
    expect(client:call("joinServiceQueue", { serviceType = "B" })).to_match { success = true }
    client:call("leaveRoom", { room = "service-A" })
    expect(client:call("joinServiceQueue", { serviceType = "C" })).to_match { success = true }
  end)

  it("of others are closed to who brings a token", function()
    local customer, staff = support.join(CUSTOMER), support.join(STAFF)
    expect(customer:call("joinUserRoom", { userId = "bob" })).to_match { success = true }
    expect(customer:call("joinUserRoom", { userId = "eve" })).to_equal(refused("role"))
    expect(customer:call("joinCounter", { counterId = "1" })).to_equal(refused("role"))
    expect(staff:call("joinUserRoom", { userId = "eve" })).to_match { success = true }
    expect(staff:call("joinCounter", { counterId = "1" })).to_match { success = true }
  end)
end)

describe("a client", function()
  it("asks whether the broker is there", function()
    expect(support.join():call("ping")).to_equal("pong")
  end)

  it("says what it runs on, and staff see it", function()
    local client = support.join()
    expect(client:call("clientInfo", { userAgent = "Mozilla/5.0", language = "en-US",
                                       timezone = "Africa/Nairobi" })).to_equal { success = true }
    client:call("joinServiceQueue", { serviceType = "Finance" })
    client:call("joinCounter", { counterId = "counter-5" })
    client:call("joinUserRoom", { userId = "user-123" })
    local status, list = request("GET", "/clients", { headers = { ["x-user-role"] = "admin" } })
    expect(status).to_equal(200)
    expect(list).to_equal { total = 1, clients = { {
      id = client.id, clientId = 1, connectedAt = TIME,
      rooms = { "service-Finance", "counter-counter-5", "user-user-123" },
      userId = "user-123", counterId = "counter-5", serviceType = "Finance",
      userAgent = "Mozilla/5.0", language = "en-US", timezone = "Africa/Nairobi",
    } } }
    client:call("leaveRoom", { room = "service-Finance" })
    client:call("leaveRoom", { room = "counter-counter-5" })
    local shown = ask("/tickets", "getClientInfo", client.id)
    expect(shown.rooms).to_equal { "user-user-123" }
    expect(shown.serviceType).to_be_nil()
    expect(shown.counterId).to_be_nil()
    expect(client:call("clientInfo", { language = ("x"):rep(65) })).to_equal(refused("^language"))
  end)

  it("reports its errors, so many a minute", function()
    settings { ["tickets.client_errors_per_minute"] = 2 }
    local client = support.join()
    client:emit("clientError", { message = "x is undefined", stack = "at y.js:1" })
    expect(logs()).to_contain(schema.object {
      level = schema.enum { "warn" }, message = schema.enum { "a client reports an error" },
      fields = schema.object { client = schema.any(), error = schema.enum { "x is undefined" },
                               stack = schema.enum { "at y.js:1" } } })
    expect(client:call("clientError", { message = "again", stack = null }))
      .to_equal { success = true }
    expect(client:call("clientError", { message = "again" })).to_equal(refused("2 errors a minute"))
    expect(client:call("clientError", { stack = "z" })).to_equal(refused("^message"))
    advance(60)
    expect(client:call("clientError", { message = "later" })).to_equal { success = true }
    local _, list = request("GET", "/clients", { headers = { ["x-user-role"] = "admin" } })
    expect(list.clients[1].errors).to_be_nil()
  end)
end)

describe("other scripts", function()
  it("count clients, look one up and tell all", function()
    local client = support.join()
    expect(ask("/tickets", "getConnectedClientsCount")).to_equal(1)
    expect(ask("/tickets", "getClientInfo", client.id)).to_match { clientId = 1, rooms = {} }
    expect(ask("/tickets", "getClientInfo", "nobody")).to_equal(null)
    ask("/tickets", "broadcastToAll", "systemNotification", { message = "maintenance" })
    expect(client:received("systemNotification")).to_equal { { message = "maintenance" } }
  end)
end)
