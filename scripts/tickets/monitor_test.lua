local schema = require "schema"
local support = require "support_test"

--- Serves one for so many seconds.
local function serve_for(seconds, service, counter)
  local id = support.ticket(service, "someone")
  support.serve(id, counter)
  advance(seconds)
  support.complete(id)
end

describe("the metrics", function()
  it("come every ten seconds to the dashboard alone", function()
    local boss, other = support.dashboard(), support.join()
    advance(9)
    local before = #boss:received("loadBalancingMetrics")
    advance(21)
    expect(#boss:received("loadBalancingMetrics") - before).to_equal(3 - before)
    expect(other:received("loadBalancingMetrics")).to_equal {}
  end)

  it("have all figures, measured", function()
    local boss = support.dashboard()
    support.set("1", { status = "open", name = "Desk 1" })
    serve_for(100, "Finance", "1")
    local id = support.ticket("Finance")
    advance(40)
    support.serve(id, "1")
    support.ticket("Finance")
    support.cancel(support.ticket("Finance"))
    advance(50)
    local metrics = support.metrics(boss)
    expect(metrics).to_match { connectedClients = 1, totalWaiting = 1, totalServing = 1,
                               openCounters = 1 }
    local service, counter = metrics.services[1], metrics.counters[1]
    expect(service).to_match { serviceType = "Finance", waiting = 1, serving = 1, created = 4,
                               completed = 1, cancelled = 1, expired = 0 }
    expect(service.averageServiceSeconds).to_be_near(100, 0.5)
    expect(service.averageWaitSeconds).to_be_near(8, 0.5)   -- 0, then a fifth of 40
    expect(service.longestWaitSeconds).to_be_near(60, 1)
    expect(service.estimatedWaitSeconds).to_be_near(200, 1)
    expect(counter).to_match { counterId = "1", name = "Desk 1", status = "busy", ticketId = id,
                               ticketNumber = "F-002", served = 1 }
    expect(counter.averageServiceSeconds).to_be_near(100, 0.5)
    expect(counter.load).to_be_near(0.8, 0.01)              -- 160 of 200 seconds
  end)

  it("weigh the newest measurement as settings say", function()
    settings { ["tickets.newest_weight"] = 0.5 }
    local boss = support.dashboard()
    serve_for(100, "Finance", "1")
    serve_for(200, "Finance", "1")
    expect(support.metrics(boss).services[1].averageServiceSeconds).to_be_near(150, 0.5)
  end)
end)

describe("the estimated wait", function()
  it("is shared by the counters that serve, and none at a free one", function()
    settings { ["tickets.service_seconds"] = 60 }
    local function wait_of(ticket_id) return support.show(ticket_id).estimatedWaitSeconds end
    local ids = {}
    for i = 1, 4 do ids[i] = support.ticket("Finance", "u" .. i) end
    expect(wait_of(ids[2])).to_equal(120)
    support.set("1", { status = "open" })
    support.set("2", { status = "open", services = { "Registry" } })
    support.set("3", { status = "paused" })
    expect(wait_of(ids[1])).to_equal(0)
    expect(wait_of(ids[2])).to_equal(60)
    support.serve(ids[1], "1")
    expect(wait_of(ids[2])).to_equal(60)
    support.set("3", { status = "open" })
    expect(wait_of(ids[2])).to_equal(0)
    expect(wait_of(ids[4])).to_equal(60)
  end)

  it("follows what is measured", function()
    serve_for(40, "Finance", "1")
    support.serve(support.ticket("Finance", "u1"), "1")
    local _, ticket = support.take("Finance", "u2")
    expect(ticket.estimatedWaitSeconds).to_be_near(40, 0.5)
  end)
end)

describe("the advice", function()
  it("sends a free counter where most work waits", function()
    serve_for(10, "Quick", "1")
    serve_for(100, "Slow", "1")
    for i = 1, 3 do support.ticket("Quick", "q" .. i) end
    local slow = support.ticket("Slow", "s1")
    expect(support.counter("1")).to_match { nextService = "Slow", nextTicketId = slow,
                                            nextTicketNumber = "S-002" }
    support.set("1", { services = { "Quick" } })
    expect(support.counter("1")).to_match { nextService = "Quick", nextTicketNumber = "Q-002" }
    support.set("1", { services = { "Other" } })
    expect(support.counter("1").nextService).to_be_nil()
  end)

  it("sends two counters to two tickets, who can choose least first", function()
    support.set("1", { status = "open" })
    support.set("2", { status = "open", services = { "Finance" } })
    support.ticket("Finance", "u1")
    advance(1)
    support.ticket("Registry", "u2")
    expect(support.counter("2")).to_match { nextTicketNumber = "F-001" }
    expect(support.counter("1")).to_match { nextTicketNumber = "R-001" }
    support.ticket("Finance", "u3")
    support.ticket("Finance", "u4")
    expect(support.counter("2")).to_match { nextTicketNumber = "F-001" }
    expect(support.counter("1")).to_match { nextTicketNumber = "F-002" }
  end)

  it("takes who has waited longer if the work is the same", function()
    local first = support.ticket("B", "u1")
    advance(5)
    support.ticket("A", "u2")
    support.set("1", { status = "open" })
    expect(support.counter("1")).to_match { nextService = "B" }
    -- And the other way round, for whichever of the two a table happens to have first.
    support.cancel(first)
    advance(5)
    support.ticket("B", "u3")
    expect(support.counter("1")).to_match { nextService = "A" }
  end)

  it("is for counters that are open and free", function()
    local id = support.ticket("Finance")
    support.set("1", { status = "open" })
    support.set("1", { status = "paused" })
    expect(support.counter("1").nextService).to_be_nil()
    support.set("1", { status = "open" })
    support.serve(id, "1")
    support.ticket("Finance")
    expect(support.counter("1").nextService).to_be_nil()
  end)
end)

describe("a new day", function()
  it("begins the numbers anew, and lets expire who still waits", function()
    clock "2026-03-01T23:50:00Z"
    local boss, owner = support.dashboard(), support.join()
    owner:call("joinUserRoom", { userId = "u1" })
    local waiting, served = support.ticket("Finance", "u1"), support.ticket("Finance", "u2")
    support.serve(served, "1")
    advance(11 * 60)
    expect(support.show(waiting)).to_match { status = "expired" }
    expect(owner:received("ticketCancelled"))
      .to_match { { ticketId = waiting, status = "expired" } }
    expect(support.queue("Finance")).to_match { waiting = 0, serving = 1 }
    expect(support.complete(served)).to_equal(200)
    local _, ticket = support.take("Finance", "u3")
    expect(ticket).to_match { number = 1, ticketNumber = "F-001", position = 1 }
    local metrics = support.metrics(boss)
    expect(metrics.services[1]).to_match { created = 1, completed = 1, expired = 1 }
    expect(metrics.counters[1]).to_match { served = 1 }
  end)

  it("begins where the office is", function()
    clock "2026-03-01T20:50:00Z"
    settings { ["tickets.utc_offset_hours"] = 3 }
    support.ticket("Finance", "u1")
    advance(5 * 60)
    expect(select(2, support.take("Finance", "u1")).number).to_equal(2)
    advance(10 * 60)
    expect(select(2, support.take("Finance", "u1")).number).to_equal(1)
  end)

  it("finds them waiting still if settings say so, before those of the day", function()
    clock "2026-03-01T23:50:00Z"
    settings { ["tickets.carry_over"] = true }
    local yesterdays = support.ticket("Finance", "u1")
    advance(11 * 60)
    local _, ticket = support.take("Finance", "u2")
    expect(ticket).to_match { number = 1, position = 2 }
    expect(support.show(yesterdays)).to_match { status = "waiting", position = 1 }
  end)

  it("forgets services and counters that were not used for long", function()
    settings { ["tickets.keep_days"] = 2, ["tickets.services_limit"] = 1,
               ["tickets.counters_limit"] = 1 }
    serve_for(1, "Finance", "1")
    expect(support.take("Registry", "u1")).to_equal(503)
    advance(86400)
    expect(support.queue("Finance")).to_match { waiting = 0 }
    expect(support.counter("1")).to_match { served = 0, averageServiceSeconds = 1 }
    advance(3 * 86400)
    expect(support.queue("Finance")).to_be_nil()
    expect(support.counter("1")).to_be_nil()
    serve_for(1, "Registry", "2")
  end)
end)
