local schema = require "schema"
local support = require "support_test"

local TIME = schema.string { format = "date-time" }

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

  it("is not found by a name that is none of a ticket", function()
    local name = ("x"):rep(3000)
    expect((request("GET", "/tickets/" .. name))).to_equal(404)
    expect(support.serve(name, "1")).to_equal(404)
    expect(support.cancel(name)).to_equal(404)
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
    expect(body.error)
      .to_match { code = "busy", message = "2 people wait for A, which is the limit" }
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
    local boss, queue = support.dashboard(), support.join()
    local owner, counter = support.join(), support.join()
    local id = support.ticket("Finance", "u1")
    support.set("5", { status = "open", name = "Desk 5" })
    queue:call("joinServiceQueue", { serviceType = "Finance" })
    owner:call("joinUserRoom", { userId = "u1" })
    counter:call("joinCounter", { counterId = "5" })
    boss:clear()
    advance(30)
    local status, ticket = support.serve(id, "5")
    expect(status).to_equal(200)
    expect(ticket).to_match { status = "serving", counterId = "5", counterName = "Desk 5",
                              userId = "u1" }
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
