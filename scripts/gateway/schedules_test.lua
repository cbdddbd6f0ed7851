local support = require "support_test"

local user, post, get = support.user, support.post, support.get
local notify, texts = support.notify, support.texts

describe("a scheduled message", function()
  it("comes at its time", function()
    clock("2026-03-01T08:00:00Z")
    local a = user("u1")
    local status, answer = notify("u1", "later", { delaySeconds = 60 })
    expect(status).to_equal(202)
    expect(answer).to_match { success = true, deliverAt = "2026-03-01T08:01:00.000Z" }
    expect((notify("u1", "by the clock", { deliverAt = "2026-03-01T10:02:00+02:00" })))
      .to_equal(202)
    advance(59)
    expect(texts(a)).to_equal {}
    advance(2)
    expect(texts(a)).to_equal { "later" }
    expect(a:received("notification")[1].timestamp).to_equal("2026-03-01T08:01:00.000Z")
    advance(60)
    expect(texts(a)).to_equal { "later", "by the clock" }
    expect(select(2, get("/socket/schedules")).schedules).to_equal {}
  end)

  it("of the past comes at once", function()
    clock("2026-03-01T08:00:00Z")
    expect((notify("u1", "now", { deliverAt = "2026-02-28T08:00:00Z" }))).to_equal(200)
  end)

  it("is listed, and can be taken back", function()
    local a = user("u1")
    local _, answer = notify("u1", "later", { delaySeconds = 60 })
    local _, list = get("/socket/schedules")
    expect(list.schedules).to_match { { scheduleId = answer.scheduleId, kind = "notification",
                                        message = { userId = "u1", message = "later" } } }
    local path = "/socket/schedules/" .. answer.scheduleId
    expect((support.http("DELETE", path))).to_equal(204)
    expect((support.http("DELETE", path))).to_equal(404)
    advance(120)
    expect(texts(a)).to_equal {}
  end)

  it("for a room or everybody goes where it should", function()
    local a = user("u1")
    a:call("create_room", { roomId = "r" })
    post("/socket/rooms/message", { roomId = "r", message = "to the room", delaySeconds = 5 })
    post("/socket/announcements", { message = "to all", delaySeconds = 6 })
    advance(7)
    expect(texts(a, "room_message")).to_equal { "to the room" }
    expect(texts(a, "announcement")).to_equal { "to all" }
  end)

  it("whose room is gone is over, and logged", function()
    post("/socket/rooms", { roomId = "r" })
    post("/socket/rooms/message", { roomId = "r", message = "m", delaySeconds = 5 })
    support.http("DELETE", "/socket/rooms/r")
    advance(6)
    expect(select(2, get("/socket/schedules")).schedules).to_equal {}
    local found = false
    for _, line in ipairs(logs()) do
      found = found or line.message == "a scheduled message can't be delivered"
    end
    expect(found).to_equal(true)
  end)

  it("needs one time, not too far away", function()
    clock("2026-03-01T08:00:00Z")
    local function field(more)
      local status, answer = notify("u1", "x", more)
      expect(status).to_equal(422)
      return answer.error.data.path
    end
    expect(field { delaySeconds = 5, deliverAt = "2026-03-02T08:00:00Z" })
      .to_equal("$.delaySeconds")
    expect(field { deliverAt = "2036-03-02T08:00:00Z" }).to_equal("$.deliverAt")
    expect(field { deliverAt = "tomorrow" }).to_equal("$.deliverAt")
    expect(field { delaySeconds = -1 }).to_equal("$.delaySeconds")
  end)

  it("is refused when too many are", function()
    settings { ["schedules.limit"] = 1 }
    expect((notify("u1", "x", { delaySeconds = 5 }))).to_equal(202)
    expect((notify("u1", "x", { delaySeconds = 5 }))).to_equal(503)
    advance(6)
    expect((notify("u1", "x", { delaySeconds = 5 }))).to_equal(202)
  end)
end)
