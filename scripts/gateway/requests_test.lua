local support = require "support_test"

local user, ask_for, get = support.user, support.ask, support.get
local worker, jobs_of, answer = support.worker, support.jobs_of, support.answer

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
    answer(w, jobs_of(w)[1], {
      response = null, error = { code = "too_hard", message = "no idea" } })
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

  it("that nobody could do leaves nothing behind", function()
    open()
    ask_for(a, "r1", { toolId = "nobodys" })
    advance(7)
    ask_for(a, "r2", { toolId = "nobodys" })
    a:call("ai_cancel", { requestId = "r2" })
    expect(a:received("ai_response")).to_have_length(2)
    expect(next(state("/workers").queues)).to_be_nil()
    expect(next(state("/workers").jobs)).to_be_nil()
  end)

  it("has no binary, and says so", function()
    open()
    for field, value in pairs { message = { picture = bytes "x" }, parameters = { bytes "x" } } do
      expect(ask_for(a, "r1", { [field] = value, toolId = "upper" }))
        .to_match { error = { code = "invalid", data = { path = "$." .. field } } }
    end
    expect(ask_for(a, "r1", { parameters = { text = ("x"):rep(70000) } }))
      .to_match { error = { code = "invalid", data = { path = "$.parameters" } } }
  end)

  it("whose answer is too large for the store is answered all the same", function()
    open()
    local w = worker("w1")
    ask_for(a, "r1")
    support.settle()
    expect(answer(w, jobs_of(w)[1], { response = ("x"):rep(2 ^ 20) })).to_equal { success = true }
    support.settle()
    expect(a:received("ai_response"))
      .to_match { { requestId = "r1", success = false, error = { code = "too_large" } } }
    expect(next(state("/workers").jobs)).to_be_nil()
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
    expect(a:call("ai_cancel", { requestId = "r1", sessionId = "s2" }).error.code)
      .to_equal("forbidden")
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
    expect(a:received("ai_response"))
      .to_match { { success = false, error = { code = "cancelled" } } }
    expect(answer(w, job)).to_equal { success = false }
    expect(a:call("ai_cancel", { requestId = "r1" }).error.code).to_equal("not_found")
    ask_for(a, "r2")
    support.settle()
    expect(jobs_of(w)).to_have_length(2)  -- it is free again
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
