local schema = require "schema"
local support = require "support_test"

local TIME = schema.string { format = "date-time" }

describe("a counter", function()
  it("opens, pauses and closes, and those concerned hear", function()
    local boss, clerk = support.dashboard(), support.join()
    clerk:call("joinCounter", { counterId = "5" })
    local status, counter = support.set("5", { status = "open", name = "Desk 5",
                                               services = { "A" } })
    expect(status).to_equal(200)
    expect(counter).to_equal {
      counterId = "5", name = "Desk 5", status = "open", services = { "A" },
      served = 0, averageServiceSeconds = 0, load = 0,
    }
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
