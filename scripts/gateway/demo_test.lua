local schema = require "schema"
local support = require "support_test"

--- What a user of its own gets from a tool.
local function answer_of(tool, message)
  local a = support.user("user-of-" .. tool .. type(message))
  a:call("ai_request", { toolId = tool, message = message, requestId = "r" })
  advance(4)
  return a:received("ai_response")[1], a:received("status_update")
end

describe("the demo's tools", function()
  before_each(demo)

  it("choose the sentences that say most, and tell how far they are", function()
    local text = "Brokers pass messages. It rains. Messages reach brokers' clients, and clients "
      .. "answer messages. Bread is tasty!"
    local answer, updates = answer_of("summarise", text)
    expect(answer).to_match {
      success = true,
      response = "Brokers pass messages. Messages reach brokers' clients, and clients answer "
        .. "messages.",
    }
    local last = -1
    for i = 2, #updates do
      expect(updates[i].progress > last).to_equal(true)
      last = updates[i].progress
    end
    expect(last >= 80).to_equal(true)
  end)

  it("count, repeat and fail", function()
    expect(answer_of("statistics", "two words\nthree more words").response)
      .to_equal("26 characters, 5 words, 2 lines")
    expect(answer_of("echo", { any = "thing" })).to_match { response = { any = "thing" } }
    expect(answer_of("fail", "x")).to_match { success = false, error = { code = "too_hard" } }
    expect(answer_of("summarise", { not_a = "text" })).to_match { error = { code = "invalid" } }
  end)

  it("are the broker's own, and make it healthy", function()
    expect(select(2, support.get("/socket/workers")).workers).to_match { {
      workerId = "broker", kind = "tool", tools = { "echo", "fail", "statistics", "summarise" } } }
    expect(select(2, support.get("/socket/health"))).to_match { status = "healthy" }
  end)

  it("come with tips, and tokens for visitors", function()
    local a = support.user("u1")
    advance(2)
    expect(a:received("announcement")).to_have_length(1)
    expect(support.user("u2"):received("announcement")).to_have_length(1)
    local status, answer = request("GET", "/demo/gateway/token?user=ann")
    expect(status).to_equal(200)
    expect(answer).to_equal { token = schema.string { min = 20 } }
    local client = connect("/gateway", { auth = { token = answer.token } })
    expect(client:received("connected")).to_match { { userId = "ann" } }
    expect((request("GET", "/demo/gateway/token?user=a/b"))).to_equal(422)
  end)
end)
