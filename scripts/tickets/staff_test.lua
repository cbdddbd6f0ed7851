-- Who may do what, by events and paths.
local schema = require "schema"
local support = require "support_test"

local STAFF = { sub = "ann", role = "staff" }
local BOB = { sub = "bob", role = "customer" }

local function as(user) return { user = user } end

local function refused(part)
  return { success = false, error = schema.string { pattern = part } }
end

describe("who brings a token", function()
  it("takes tickets for themselves, staff for anybody", function()
    local status, ticket = request("POST", "/tickets", { user = BOB, json = { serviceType = "A" } })
    expect(status).to_equal(201)
    expect(ticket.userId).to_equal("bob")
    expect(support.take("A", "eve", as(BOB))).to_equal(403)
    expect(support.take("A", "eve", as(STAFF))).to_equal(201)
    expect(support.take("A", "u", { headers = { authorization = "Bearer x" } })).to_equal(401)
  end)

  it("cancels their own ticket only", function()
    local bobs, eves = support.ticket("A", "bob"), support.ticket("A", "eve")
    expect(support.cancel(eves, as(BOB))).to_equal(403)
    expect(support.cancel(bobs, as(BOB))).to_equal(200)
    expect(support.cancel(eves, as(STAFF))).to_equal(200)
  end)

  it("does not see whose the others' tickets are", function()
    local eves = support.ticket("A", "eve")
    local _, seen = request("GET", "/tickets/" .. eves, as(BOB))
    expect(seen).to_match { ticketId = eves }
    expect(seen.userId).to_be_nil()
    _, seen = request("GET", "/tickets/" .. eves, as(STAFF))
    expect(seen.userId).to_equal("eve")
  end)

  it("works the counters if they are staff", function()
    local id = support.ticket("A")
    expect(support.serve(id, "1", as(BOB))).to_equal(403)
    expect(support.set("1", { status = "open" }, as(BOB))).to_equal(403)
    expect(request("GET", "/counters", as(BOB))).to_equal(403)
    expect(support.serve(id, "1", as(STAFF))).to_equal(200)
    expect(support.complete(id, as(BOB))).to_equal(403)
    expect(support.complete(id, as(STAFF))).to_equal(200)
    expect(support.set("1", { status = "closed" }, { headers = { ["x-user-role"] = "guest" } }))
      .to_equal(403)
  end)

  it("alone may do what staff do where tokens are required", function()
    settings { ["tickets.require_tokens"] = true }
    expect(support.take("A", "u1")).to_equal(401)
    local _, bobs = request("POST", "/tickets", { user = BOB, json = { serviceType = "A" } })
    local id = bobs.ticketId
    local claimed = { headers = { ["x-user-role"] = "admin" } }
    expect(support.serve(id, "1", claimed)).to_equal(401)
    expect(support.complete(id)).to_equal(401)
    expect(support.cancel(id)).to_equal(401)
    expect(support.set("1", { status = "open" })).to_equal(401)
    expect(request("GET", "/counters")).to_equal(401)
    expect(request("GET", "/queues")).to_equal(200)
    expect(support.show(id).userId).to_be_nil()
    expect(support.serve(id, "1", as(STAFF))).to_equal(200)
  end)
end)

describe("where tokens are required", function()
  it("nobody is believed without one", function()
    settings { ["tickets.require_tokens"] = true }
    local client = support.join()
    expect(client:call("joinDashboard", { userRole = "admin" })).to_equal(refused("token"))
    expect(client:call("joinCounter", { counterId = "1" })).to_equal(refused("token"))
    expect(client:call("joinUserRoom", { userId = "u1" })).to_equal(refused("token"))
    expect(client:call("joinServiceQueue", { serviceType = "A" })).to_match { success = true }
    expect(support.join(as(STAFF)):call("joinDashboard", {})).to_match { success = true }
    expect(support.join(as(BOB)):call("joinUserRoom", { userId = "bob" }))
      .to_match { success = true }
  end)

  it("the setting may be a variable's text", function()
    settings { ["tickets.require_tokens"] = "true" }
    expect(support.join():call("joinCounter", { counterId = "1" })).to_equal(refused("token"))
  end)
end)

describe("the list of clients", function()
  it("is for staff, by their token or as they say", function()
    expect(request("GET", "/clients")).to_equal(401)
    expect(request("GET", "/clients", { headers = { ["x-user-role"] = "customer" } })).to_equal(403)
    expect(request("GET", "/clients", { headers = { ["x-user-role"] = "admin" } })).to_equal(200)
    expect(request("GET", "/clients", as(STAFF))).to_equal(200)
    local both = { user = BOB, headers = { ["x-user-role"] = "admin" } }
    expect(request("GET", "/clients", both)).to_equal(403)
  end)

  it("is for tokens only where they are required", function()
    settings { ["tickets.require_tokens"] = true }
    expect(request("GET", "/clients", { headers = { ["x-user-role"] = "admin" } })).to_equal(401)
    expect(request("GET", "/clients", as(STAFF))).to_equal(200)
  end)

  it("comes by pages, in the order in which they came", function()
    for _ = 1, 5 do support.join() end
    local function page(query)
      local _, list = request("GET", "/clients", { user = STAFF, query = query })
      local ids = {}
      for i, client in ipairs(list.clients) do ids[i] = client.clientId end
      return ids, list.next, list.total
    end
    local ids, following, total = page { limit = "2" }
    expect(ids).to_equal { 1, 2 }
    expect(total).to_equal(5)
    expect((page { limit = "3", after = tostring(following) })).to_equal { 3, 4, 5 }
    expect(select(2, page { limit = "3", after = "2" })).to_be_nil()
    for name, value in pairs { limit = "0", after = "-1" } do
      local status, body = request("GET", "/clients",
                                   { user = STAFF, query = { [name] = value } })
      expect(status).to_equal(422)
      expect(body.error.message).to_match("^" .. name)
    end
  end)
end)
