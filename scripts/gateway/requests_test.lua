local support = require "support_test"

local user, ask_for, get = support.user, support.ask, support.get

--- A connected worker; `more` is added to its auth.
local function worker(worker_id, more)
  local auth = { workerId = worker_id, tools = { "upper" } }
  for name, value in pairs(more or {}) do auth[name] = value end
  local client, refusal = connect("/workers", { user = { sub = "w", role = "worker" }, auth = auth })
  if not client then error("refused: " .. refusal.message, 2) end
  return client
end

local function jobs_of(client) return client:received("ai_request") end

local function answer(client, job, more)
  local says = { jobId = job.jobId, response = job.message:upper() }
  for name, value in pairs(more or {}) do says[name] = value end
  return client:call("ai_response", says)
end

local function statuses(client)
  local list = {}
  for _, each in ipairs(client:received("status_update")) do list[#list + 1] = each.status end
  return list
end

local a
local function open(overrides)
  if overrides then settings(overrides) end
  a = user("u1", "s1")
end

describe("a request", function()
  it("goes to a worker, whose progress and answer come back to the session", function()
    open()
    local same, other = user("u1", "s1"), user("u1", "s2")
    local w = worker("w1")
    expect(ask_for(a, "r1", { sessionId = "s1", parameters = { n = 1 } }))
      .to_equal { success = true, requestId = "r1", status = "accepted" }
    support.settle()
    local job = jobs_of(w)[1]
    expect(job).to_match { requestId = "r1", toolId = "upper", message = "hello", userId = "u1",
                           sessionId = "s1", attempt = 1, parameters = { n = 1 } }
    advance(1)
    expect(w:call("status_update", { jobId = job.jobId, progress = 40, message = "busy" }))
      .to_equal { success = true }
    advance(1)
    expect(answer(w, job)).to_equal { success = true }
    support.settle()
    for _, client in ipairs { a, same } do
      expect(client:received("status_update")).to_match {
        { requestId = "r1", sessionId = "s1", toolId = "upper", status = "queued" },
        { requestId = "r1", status = "processing", progress = 40, message = "busy" } }
      expect(client:received("ai_response")).to_match { {
        requestId = "r1", sessionId = "s1", userId = "u1", toolId = "upper", success = true,
        response = "HELLO", attempts = 1, durationMs = 2200 } }
    end
    expect(other:received("ai_response")).to_equal {}
    expect(other:received("status_update")).to_equal {}
  end)

  it("may fail, as its worker says", function()
    open()
    local w = worker("w1")
    ask_for(a, "r1")
    support.settle()
    answer(w, jobs_of(w)[1], { response = null, error = { code = "too_hard", message = "no idea" } })
    support.settle()
    expect(a:received("ai_response")).to_match { {
      requestId = "r1", success = false, error = { code = "too_hard", message = "no idea" } } }
  end)

  it("without a worker is answered with an error", function()
    open()
    worker("w1", { tools = { "lower" } })
    ask_for(a, "r1")
    advance(4)
    expect(a:received("ai_response")).to_equal {}
    advance(3)
    expect(a:received("ai_response")).to_match { {
      requestId = "r1", success = false, error = { code = "no_worker" }, attempts = 0 } }
  end)

  it("waits a moment for a worker to come", function()
    open()
    ask_for(a, "r1")
    advance(3)
    local w = worker("w1")
    support.settle()
    expect(jobs_of(w)).to_have_length(1)
  end)

  it("asked twice is done once", function()
    open()
    local w = worker("w1")
    ask_for(a, "r1")
    expect(ask_for(a, "r1")).to_match { status = "pending" }
    support.settle()
    answer(w, jobs_of(w)[1])
    support.settle()
    expect(ask_for(a, "r1")).to_match { status = "answered" }
    support.settle()
    expect(jobs_of(w)).to_have_length(1)
    expect(a:received("ai_response")).to_have_length(1)
    local b = user("u2", "s2")  -- the same id in another session is another request
    expect(ask_for(b, "r1")).to_match { status = "accepted" }
  end)

  it("for another's session is refused", function()
    open()
    user("u2", "s2")
    expect(ask_for(a, "r1", { sessionId = "s2" }).error).to_match {
      code = "forbidden", data = { path = "$.sessionId" } }
    expect(a:call("ai_cancel", { requestId = "r1", sessionId = "s2" }).error.code).to_equal("forbidden")
  end)

  it("names the field that is wrong, with or without an acknowledgement", function()
    open()
    expect(ask_for(a, "r1", { toolId = "a b" }).error.data.path).to_equal("$.toolId")
    expect(ask_for(a, "").error.data.path).to_equal("$.requestId")
    a:emit("ai_request", { toolId = "upper", requestId = "r" })
    support.settle()
    expect(a:received("error")).to_match { { code = "invalid", data = { path = "$.message" } } }
    expect(select(2, get("/socket/stats")).requests.pending).to_equal(0)
  end)

  it("whose client is away is answered when it is back", function()
    open()
    local w = worker("w1")
    ask_for(a, "r1")
    support.settle()
    a:disconnect()
    answer(w, jobs_of(w)[1])
    advance(60)
    a = user("u1", "s1")
    support.settle()
    expect(a:received("ai_response")).to_match { { requestId = "r1", response = "HELLO" } }
    a:disconnect()
    a = user("u1", "s1")
    support.settle()
    expect(a:received("ai_response")).to_equal {}
  end)

  it("is answered once, however often /workers says so", function()
    open()
    for _ = 1, 2 do
      expect(ask("/gateway", "respond", {
        requestId = "r1", sessionId = "s1", userId = "u1", toolId = "upper", success = true,
        response = "HELLO", attempts = 1, durationMs = 1,
      })).to_equal(true)
    end
    support.settle()
    expect(a:received("ai_response")).to_have_length(1)
  end)

  it("can be cancelled", function()
    open()
    local w = worker("w1")
    ask_for(a, "r1")
    support.settle()
    local job = jobs_of(w)[1]
    expect(a:call("ai_cancel", { requestId = "r1" })).to_equal { success = true, requestId = "r1" }
    support.settle()
    expect(w:received("ai_cancel")).to_equal { { jobId = job.jobId } }
    expect(a:received("ai_response")).to_match { { success = false, error = { code = "cancelled" } } }
    expect(answer(w, job)).to_equal { success = false }
    expect(a:call("ai_cancel", { requestId = "r1" }).error.code).to_equal("not_found")
    ask_for(a, "r2")
    support.settle()
    expect(jobs_of(w)).to_have_length(2)  -- it is free again
  end)
end)

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
    expect(a:received("ai_response")).to_match { { success = false, error = { code = "worker_lost" },
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
    expect(a:received("ai_response")).to_match { { success = false, error = { code = "worker_lost" } } }
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
    expect(a:received("ai_response")).to_match { { requestId = "r1", attempts = 1, success = true } }
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
    expect(a:received("ai_response")).to_match { { requestId = "r2", error = { code = "timeout" } } }
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
    expect(select(2, get("/socket/stats")).requests).to_match { pending = 5, running = 4, workers = 2 }
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
      workerId = "w1", kind = "socket", tools = { "upper" }, busy = 1, capacity = 1, connected = true } }
  end)

  it("is one too many at the limit", function()
    open { ["workers.limit"] = 1 }
    worker("w1")
    expect(select(2, connect("/workers", {
      user = { sub = "w", role = "worker" }, auth = { workerId = "w2", tools = { "x" } } })).data.code)
      .to_equal("busy")
    worker("w1")
  end)
end)

describe("limits of requests", function()
  it("hold for a user, for all, and by the minute", function()
    open { ["requests.per_user"] = 2, ["requests.limit"] = 3, ["limits.requests_per_minute"] = 3 }
    worker("w1")
    ask_for(a, "r1")
    ask_for(a, "r2")
    expect(ask_for(a, "r3").error.code).to_equal("too_many_requests")
    expect(ask_for(a, "r4").error.code).to_equal("rate_limited")
    local b, c = user("u2"), user("u3")
    expect(ask_for(b, "r1")).to_match { success = true }
    expect(ask_for(c, "r1").error.code).to_equal("busy")
    a:call("ai_cancel", { requestId = "r2" })
    expect(ask_for(a, "r5").error.code).to_equal("rate_limited")
    advance(60)
    expect(ask_for(a, "r6")).to_match { success = true }
  end)

  it("hold for progress: the latest counts", function()
    open { ["status.interval_ms"] = 1000 }
    local w = worker("w1")
    ask_for(a, "r1")
    advance(2)
    for i = 1, 9 do w:call("status_update", { jobId = jobs_of(w)[1].jobId, progress = i }) end
    advance(2)
    local seen = {}
    for _, each in ipairs(a:received("status_update")) do seen[#seen + 1] = each.progress or 0 end
    expect(seen).to_equal { 0, 1, 9 }
    w:call("status_update", { jobId = jobs_of(w)[1].jobId, progress = 10 })
    w:call("status_update", { jobId = jobs_of(w)[1].jobId, progress = 11 })
    answer(w, jobs_of(w)[1])
    advance(2)
    expect(a:received("status_update")).to_have_length(4)  -- 11 is out of date
  end)
end)
