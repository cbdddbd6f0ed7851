local schema = require "schema"
local support = require "support_test"

local TIME = schema.string { format = "date-time" }
local STAFF = { sub = "ann", role = "staff" }
local BOB = { sub = "bob", role = "customer" }

describe("a ticket", function()
  it("is numbered by its service, and told to its queue, the dashboard and its owner", function()
    local boss = support.dashboard()
    local queue, owner, both, other = support.join(), support.join(), support.join(), support.join()
    queue:call("joinServiceQueue", { serviceType = "Finance" })
    owner:call("joinUserRoom", { userId = "u1" })
    both:call("joinServiceQueue", { serviceType = "Finance" })
    both:call("joinUserRoom", { userId = "u1" })
    other:call("joinUserRoom", { userId = "u2" })
    local status, ticket = support.take("Finance", "u1")
    expect(status).to_equal(201)
    local public = {
      ticketId = ticket.ticketId, ticketNumber = "F-001", number = 1, serviceType = "Finance",
      status = "waiting", position = 1, estimatedWaitSeconds = 300, createdAt = TIME,
      timestamp = TIME,
    }
    for _, client in ipairs { boss, queue, owner, both } do
      expect(client:received("ticketCreated")).to_equal { public }
    end
    expect(other:received("ticketCreated")).to_equal {}
    local updated = { { serviceType = "Finance", waiting = 1, serving = 0,
                        estimatedWaitSeconds = 600, timestamp = TIME } }
    expect(boss:received("queueUpdated")).to_equal(updated)
    expect(queue:received("queueUpdated")).to_equal(updated)
    expect(owner:received("queueUpdated")).to_equal {}
    public.userId = "u1"
    expect(ticket).to_equal(public)
    expect(support.show(ticket.ticketId)).to_equal(public)
  end)

  it("has its place in its service's queue", function()
    local _, first = support.take("Finance", "u1")
    local _, second = support.take("Finance", "u2")
    local _, elsewhere = support.take("Registry", "u3")
    expect(first).to_match { number = 1, position = 1 }
    expect(second).to_match { number = 2, position = 2, ticketNumber = "F-002" }
    expect(elsewhere).to_match { number = 1, position = 1, ticketNumber = "R-001" }
    support.serve(first.ticketId, "1")
    expect(support.show(second.ticketId)).to_match { position = 1 }
    expect(support.show(first.ticketId).position).to_be_nil()
  end)

  it("has a prefix that no other service has", function()
    local function prefix(service)
      local _, ticket = support.take(service, "u1")
      return ticket.ticketNumber
    end
    expect(prefix("Finance")).to_equal("F-001")
    expect(prefix("Facilities")).to_equal("FA-001")
    expect(prefix("Fa")).to_equal("F2-001")
    expect(prefix("Ämter")).to_equal("M-001")
    expect(prefix("窓口")).to_equal("T-001")
  end)

  it("needs a service and an owner, and changes nothing without", function()
    local boss = support.dashboard()
    for field, json in pairs { serviceType = { userId = "u1" }, userId = { serviceType = "A" } } do
      local status, body = request("POST", "/tickets", { json = json })
      expect(status).to_equal(422)
      expect(body.error.code).to_equal("invalid")
      expect(body.error.message).to_match(field)
      expect(body.error.data.path).to_equal(field)
    end
    expect(support.take("", "u1")).to_equal(422)
    expect(support.take("a\nb", "u1")).to_equal(422)
    expect(support.take(7, "u1")).to_equal(422)
    expect(support.take("A", ("x"):rep(129))).to_equal(422)
    expect(request("POST", "/tickets", { body = "not json" })).to_equal(422)
    expect(boss:received()).to_equal {}
    expect(support.queue("A")).to_be_nil()
  end)

  it("is of a service that settings list, if they do", function()
    settings { ["tickets.services"] = { "Finance" } }
    expect(support.take("Finance", "u1")).to_equal(201)
    local status, body = support.take("Bakery", "u1")
    expect(status).to_equal(422)
    expect(body.error.message).to_match("Bakery")
  end)

  it("is not given out beyond the limits", function()
    settings { ["tickets.queue_limit"] = 2, ["tickets.services_limit"] = 2,
               ["tickets.open_per_user"] = 3 }
    local first = support.ticket("A", "u1")
    support.ticket("A", "u1")
    local status, body = support.take("A", "u2")
    expect(status).to_equal(503)
    expect(body.error).to_match { code = "busy", message = "2 people wait for A, which is the limit" }
    support.ticket("B", "u1")
    status, body = support.take("B", "u1")
    expect(status).to_equal(409)
    expect(body.error.message).to_match("3 open tickets")
    expect(support.take("C", "u2")).to_equal(503)
    support.cancel(first)
    expect(support.take("A", "u1")).to_equal(201)
  end)

  it("is not there if nobody took it", function()
    expect(request("GET", "/tickets/none")).to_equal(404)
    expect(support.serve("none", "1")).to_equal(404)
    expect(support.complete("none")).to_equal(404)
    expect(support.cancel("none")).to_equal(404)
  end)
end)

describe("serving", function()
  it("calls a ticket to a counter, and everybody hears", function()
    local boss, queue, owner, counter = support.dashboard(), support.join(), support.join(), support.join()
    local id = support.ticket("Finance", "u1")
    support.set("5", { status = "open", name = "Desk 5" })
    queue:call("joinServiceQueue", { serviceType = "Finance" })
    owner:call("joinUserRoom", { userId = "u1" })
    counter:call("joinCounter", { counterId = "5" })
    boss:clear()
    advance(30)
    local status, ticket = support.serve(id, "5")
    expect(status).to_equal(200)
    expect(ticket).to_match { status = "serving", counterId = "5", counterName = "Desk 5", userId = "u1" }
    expect(ticket.waitSeconds).to_be_near(30, 0.1)
    for _, client in ipairs { boss, queue, owner } do
      expect(client:received("ticketServing"))
        .to_match { { ticketNumber = "F-001", status = "serving", counterName = "Desk 5" } }
    end
    expect(counter:received("ticketServing")).to_equal {}
    local change = { { counterId = "5", name = "Desk 5", status = "busy", previousStatus = "open",
                       ticketId = id, ticketNumber = "F-001", timestamp = TIME } }
    expect(counter:received("counterStatusChange")).to_equal(change)
    expect(boss:received("counterStatusChange")).to_equal(change)
    expect(queue:received("queueUpdated")).to_match { { waiting = 0, serving = 1 } }
  end)

  it("is for one counter, even if two ask at the same moment", function()
    local id = support.ticket("Finance")
    expect(support.serve(id, "1")).to_equal(200)
    local status, body = support.serve(id, "2")
    expect(status).to_equal(409)
    expect(body.error).to_match { code = "conflict", message = "F-001 is being served at 1",
                                  data = { counterId = "1" } }
    expect(support.counter("2")).to_be_nil()
  end)

  it("is of one ticket at a time", function()
    local first, second = support.ticket("Finance"), support.ticket("Finance")
    support.serve(first, "1")
    local status, body = support.serve(second, "1")
    expect(status).to_equal(409)
    expect(body.error.message).to_match("1 is serving F%-001")
    expect(support.show(second)).to_match { status = "waiting", position = 1 }
  end)

  it("needs a counter that is open, and serves this service", function()
    local id = support.ticket("Finance")
    support.set("1", { status = "open", services = { "Registry" } })
    local status, body = support.serve(id, "1")
    expect(status).to_equal(409)
    expect(body.error.message).to_match("1 does not serve Finance")
    support.set("1", { services = { "Registry", "Finance" }, status = "paused" })
    status, body = support.serve(id, "1")
    expect(status).to_equal(409)
    expect(body.error.message).to_match("1 is paused")
    expect(support.serve(id)).to_equal(422)
    support.set("1", { services = json.array {}, status = "open" })
    expect(support.serve(id, "1")).to_equal(200)
  end)
end)

describe("completing", function()
  it("ends the ticket and frees the counter", function()
    local boss, owner = support.dashboard(), support.join()
    owner:call("joinUserRoom", { userId = "u1" })
    local id = support.ticket("Finance", "u1")
    support.serve(id, "1")
    advance(120)
    boss:clear()
    local status, ticket = support.complete(id)
    expect(status).to_equal(200)
    expect(ticket).to_match { status = "completed", closedAt = TIME, counterId = "1" }
    expect(ticket.serviceSeconds).to_be_near(120, 0.1)
    expect(boss:received("ticketCompleted")).to_match { { ticketId = id, status = "completed" } }
    expect(owner:received("ticketCompleted")).to_match { { ticketId = id } }
    expect(boss:received("counterStatusChange"))
      .to_match { { counterId = "1", status = "open", previousStatus = "busy" } }
    expect(boss:received("queueUpdated")).to_match { { waiting = 0, serving = 0 } }
    expect(support.counter("1")).to_match { status = "open", served = 1 }
    expect(support.show(id)).to_match { status = "completed" }
  end)

  it("comes after serving, and once", function()
    local id = support.ticket("Finance")
    local status, body = support.complete(id)
    expect(status).to_equal(409)
    expect(body.error).to_match { message = "ticket F-001 is waiting and can't become completed",
                                  data = { from = "waiting", to = "completed" } }
    support.serve(id, "1")
    support.complete(id)
    expect(support.complete(id)).to_equal(409)
    expect(support.serve(id, "1")).to_equal(409)
    expect(support.cancel(id)).to_equal(409)
    expect(support.counter("1")).to_match { served = 1 }
  end)

  it("is remembered for some days", function()
    settings { ["tickets.keep_days"] = 2 }
    local id = support.ticket("Finance")
    support.serve(id, "1")
    support.complete(id)
    advance(2 * 86400 - 60)
    expect(support.show(id)).to_match { status = "completed" }
    advance(120)
    expect(request("GET", "/tickets/" .. id)).to_equal(404)
  end)
end)

describe("cancelling", function()
  it("takes who waits out of the queue", function()
    local boss = support.dashboard()
    local first, second = support.ticket("Finance", "u1"), support.ticket("Finance", "u2")
    boss:clear()
    local status, ticket = support.cancel(first)
    expect(status).to_equal(200)
    expect(ticket.status).to_equal("cancelled")
    expect(ticket.serviceSeconds).to_be_nil()
    expect(boss:received("ticketCancelled")).to_match { { ticketId = first, status = "cancelled" } }
    expect(boss:received("counterStatusChange")).to_equal {}
    expect(support.show(second).position).to_equal(1)
    expect(support.cancel(first)).to_equal(409)
  end)

  it("of one who was called frees the counter, and is not measured", function()
    local id = support.ticket("Finance")
    support.serve(id, "1")
    advance(500)
    support.cancel(id)
    expect(support.counter("1")).to_match { status = "open", served = 0, averageServiceSeconds = 0 }
    local _, following = support.take("Finance", "u2")
    expect(following.estimatedWaitSeconds).to_equal(0)
    support.set("1", { status = "closed" })
    expect(support.show(following.ticketId).estimatedWaitSeconds).to_equal(300)
  end)
end)

describe("a counter", function()
  it("opens, pauses and closes, and those concerned hear", function()
    local boss, clerk = support.dashboard(), support.join()
    clerk:call("joinCounter", { counterId = "5" })
    local status, counter = support.set("5", { status = "open", name = "Desk 5", services = { "A" } })
    expect(status).to_equal(200)
    expect(counter).to_equal { counterId = "5", name = "Desk 5", status = "open", services = { "A" },
                               served = 0, averageServiceSeconds = 0, load = 0 }
    expect(clerk:received("counterStatusChange")).to_equal { {
      counterId = "5", name = "Desk 5", status = "open", previousStatus = "closed",
      timestamp = TIME } }
    support.set("5", { status = "paused" })
    expect(support.set("5", { status = "closed" })).to_equal(200)
    expect(support.set("5", { status = "closed" })).to_equal(200)
    expect(boss:received("counterStatusChange")).to_match {
      { status = "open" }, { status = "paused" }, { status = "closed", previousStatus = "paused" } }
    local refused, body = support.set("5", { status = "paused" })
    expect(refused).to_equal(409)
    expect(body.error.data).to_equal { from = "closed", to = "paused" }
    expect(support.set("5", { status = "busy" })).to_equal(422)
    expect(support.set("a%0Ab", { status = "open" })).to_equal(422)
  end)

  it("stays while it serves", function()
    local id = support.ticket("Finance")
    support.serve(id, "1")
    local status, body = support.set("1", { status = "closed" })
    expect(status).to_equal(409)
    expect(body.error.message).to_match("1 is serving F%-001: complete or cancel it first")
    expect(support.set("1", { name = "Desk 1" })).to_equal(200)
    support.complete(id)
    expect(support.set("1", { status = "closed" })).to_equal(200)
  end)

  it("is one of so many, for services that there are", function()
    settings { ["tickets.counters_limit"] = 1, ["tickets.services"] = { "A" } }
    expect(support.set("1", { status = "open" })).to_equal(200)
    expect(support.set("2", { status = "open" })).to_equal(503)
    expect(support.set("1", { services = { "B" } })).to_equal(422)
    expect(support.serve(support.ticket("A"), "2")).to_equal(503)
  end)
end)

describe("GET /queues", function()
  it("shows who is served where, and who is next", function()
    for i = 1, 22 do support.ticket("Finance", "u" .. i) end
    support.ticket("Archive", "u1")
    local ids = {}
    for i, ticket in ipairs(support.queue("Finance").tickets) do ids[i] = ticket.ticketId end
    support.serve(ids[2], "1")
    advance(1)
    support.serve(ids[1], "2")
    local _, body = request("GET", "/queues")
    expect(#body.queues).to_equal(2)
    expect(body.queues[1].serviceType).to_equal("Archive")
    local queue = body.queues[2]
    expect(queue).to_match { serviceType = "Finance", waiting = 20, serving = 2 }
    expect(queue.nowServing).to_match { { ticketNumber = "F-001", counterId = "2" },
                                        { ticketNumber = "F-002", counterId = "1" } }
    expect(queue.nowServing[1].userId).to_be_nil()
    expect(#queue.tickets).to_equal(20)
    expect(queue.tickets[1]).to_match { ticketNumber = "F-003", position = 1 }
    support.ticket("Finance", "u23")
    expect(#support.queue("Finance").tickets).to_equal(20)
  end)
end)

describe("who brings a token", function()
  local function as(user) return { user = user } end

  it("takes tickets for themselves, staff for anybody", function()
    local status, ticket = request("POST", "/tickets", { user = BOB, json = { serviceType = "A" } })
    expect(status).to_equal(201)
    expect(ticket.userId).to_equal("bob")
    expect(support.take("A", "eve", as(BOB))).to_equal(403)
    expect(support.take("A", "eve", as(STAFF))).to_equal(201)
    expect(request("POST", "/tickets", { headers = { authorization = "Bearer x" },
                                         json = { serviceType = "A", userId = "u" } })).to_equal(401)
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
