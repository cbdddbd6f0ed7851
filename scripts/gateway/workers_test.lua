local support = require "support_test"

local user, ask_for, get = support.user, support.ask, support.get
local worker, jobs_of, answer = support.worker, support.jobs_of, support.answer

local a
local function open(overrides)
  if overrides then settings(overrides) end
  a = user("u1", "s1")
end

local function statuses(client)
  local list = {}
  for _, each in ipairs(client:received("status_update")) do list[#list + 1] = each.status end
  return list
end

describe("a worker", function()
  it("that dies loses its job to another", function()
    open()
    local w1 = worker("w1")
    ask_for(a, "r1")
    support.settle()
    local w2 = worker("w2")
    w1:drop()
    advance(4)
    expect(jobs_of(w2)).to_equal {}
    advance(3)
    expect(jobs_of(w2)).to_match { { requestId = "r1", attempt = 2 } }
    expect(statuses(a)).to_equal { "queued", "retrying" }
    answer(w2, jobs_of(w2)[1])
    support.settle()
    expect(a:received("ai_response")).to_match { { success = true, attempts = 2 } }
  end)

  it("that dies, as the second did, ends the request", function()
    open()
    local w1, w2, w3 = worker("w1"), worker("w2"), worker("w3")
    ask_for(a, "r1")
    for _, w in ipairs { w1, w2 } do
      support.settle()
      expect(jobs_of(w)).to_have_length(1)
      w:drop()
      advance(7)
    end
    expect(a:received("ai_response"))
      .to_match { { success = false, error = { code = "worker_lost" },
                                                   attempts = 2 } }
    expect(jobs_of(w3)).to_equal {}
  end)

  it("that dies alone ends the request", function()
    open()
    worker("w1", { capacity = 3 }):drop()
    local w = worker("w1")
    ask_for(a, "r1")
    support.settle()
    w:drop()
    advance(7)
    expect(a:received("ai_response"))
      .to_match { { success = false, error = { code = "worker_lost" } } }
  end)

  it("that is back in time keeps what it says that it is at", function()
    open()
    local w = worker("w1", { capacity = 2 })
    ask_for(a, "r1")
    ask_for(a, "r2", { message = "second" })
    support.settle()
    local first = jobs_of(w)[1]
    w:drop()
    advance(3)
    w = worker("w1", { capacity = 2, running = { first.jobId, "long-gone" } })
    support.settle()
    expect(w:received("ai_cancel")).to_equal { { jobId = "long-gone" } }
    expect(jobs_of(w)).to_match { { requestId = "r2", attempt = 2 } }
    expect(jobs_of(w)).to_have_length(1)
    expect(answer(w, first)).to_equal { success = true }
    advance(10)
    expect(a:received("ai_response"))
      .to_match { { requestId = "r1", attempts = 1, success = true } }
    expect(a:received("ai_response")).to_have_length(1)
  end)

  it("that is silent for too long loses its job, and one that speaks does not", function()
    open { ["requests.timeout_seconds"] = 10, ["requests.timeouts"] = { slow = 30 } }
    local w1 = worker("w1", { tools = { "upper", "slow" }, capacity = 2 })
    ask_for(a, "r1")
    ask_for(a, "r2", { toolId = "slow" })
    support.settle()
    local first = jobs_of(w1)[1]
    for _ = 1, 3 do
      advance(8)
      w1:call("status_update", { jobId = first.jobId, progress = 1 })
    end
    local w2 = worker("w2")
    advance(12)
    expect(w1:received("ai_cancel")).to_contain { jobId = first.jobId }
    expect(jobs_of(w2)).to_match { { requestId = "r1", attempt = 2 } }
    expect(answer(w1, first)).to_equal { success = false }
    expect(a:received("ai_response"))
      .to_match { { requestId = "r2", error = { code = "timeout" } } }
    advance(12)
    expect(a:received("ai_response")[2]).to_match { requestId = "r1", error = { code = "timeout" } }
  end)

  it("may not go on for ever", function()
    open { ["requests.longest_seconds"] = 30 }
    local w = worker("w1")
    ask_for(a, "r1")
    support.settle()
    for _ = 1, 7 do
      w:call("status_update", { jobId = jobs_of(w)[1].jobId })
      advance(5)
    end
    expect(a:received("ai_response")).to_match { { error = { code = "timeout" } } }
  end)

  it("gets as much as it says that it can do, and the least busy first", function()
    open()
    local w1, w2 = worker("w1", { capacity = 2 }), worker("w2", { capacity = 2 })
    for i = 1, 2 do ask_for(a, "r" .. i) end
    support.settle()
    for _, w in ipairs { w1, w2 } do expect(jobs_of(w)).to_have_length(1) end
    for i = 3, 5 do ask_for(a, "r" .. i) end
    support.settle()
    expect(jobs_of(w1)).to_have_length(2)
    expect(jobs_of(w2)).to_have_length(2)
    expect(select(2, get("/socket/stats")).requests)
      .to_match { pending = 5, running = 4, workers = 2 }
    answer(w2, jobs_of(w2)[1])
    support.settle()
    expect(jobs_of(w2)).to_have_length(3)
    expect(jobs_of(w2)[3]).to_match { requestId = "r5" }
  end)

  it("needs a token, a role and tools", function()
    local function refusal(options)
      local client, why = connect("/workers", options)
      expect(client).to_be_nil()
      return why.data.code
    end
    local auth = { tools = { "upper" } }
    expect(refusal { auth = auth }).to_equal("unauthorized")
    expect(refusal { auth = auth, user = { sub = "u", role = "service" } }).to_equal("forbidden")
    expect(refusal { user = { sub = "w", role = "worker" } }).to_equal("invalid")
    expect(refusal { auth = { tools = json.array {} }, user = { sub = "w", role = "worker" } })
      .to_equal("invalid")
  end)

  it("can't answer for another", function()
    open()
    local w1 = worker("w1")
    ask_for(a, "r1")
    support.settle()
    local w2 = worker("w2")
    expect(answer(w2, jobs_of(w1)[1])).to_equal { success = false }
    expect(w2:call("status_update", { jobId = jobs_of(w1)[1].jobId })).to_equal { success = false }
    expect(a:received("ai_response")).to_equal {}
  end)

  it("that connects twice is there once", function()
    open()
    local old = worker("w1")
    local new = worker("w1")
    support.settle()
    expect(old.connected).to_equal(false)
    ask_for(a, "r1")
    support.settle()
    expect(jobs_of(new)).to_have_length(1)
    expect(select(2, get("/socket/workers")).workers).to_match { {
      workerId = "w1", kind = "socket", tools = { "upper" }, busy = 1, capacity = 1,
      connected = true } }
  end)

  it("is one too many at the limit", function()
    open { ["workers.limit"] = 1 }
    worker("w1")
    expect(select(2, connect("/workers", {
      user = { sub = "w", role = "worker" },
      auth = { workerId = "w2", tools = { "x" } } })).data.code)
      .to_equal("busy")
    worker("w1")
  end)
end)
