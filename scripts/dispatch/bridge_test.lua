-- The bridge by itself, over a connection that the test plays; with a real server it is in
-- tests/e2e/dispatch_bridge_test.js.
local bridges = require "lib.bridge"

local link, done, bridge

--- A connection as the plugin upstream has them.
local function a_link()
  return {
    handlers = {}, sent = {}, full = false,
    on = function(self, event, fn) self.handlers[event] = fn end,
    on_status = function(self, fn) self.tell = fn end,
    emit = function(self, event, data)
      if self.full then return nil, "queue full" end
      self.sent[#self.sent + 1] = { event, data }
      return true
    end,
    status = function()
      return { state = "connected", connected = true, dropped = 2, failed = 1 }
    end,
  }
end

before_each(function()
  link, done = a_link(), {}
  bridge = bridges.new(link, function(event, actor, data, form)
    if data.status == "bad" then fail("invalid", "status is bad") end
    done[#done + 1] = { event, data }
    expect(actor).to_match { id = "upstream", source = "bridge", upstream = true }
    expect(form).to_equal("socket")
    return { success = true }
  end)
end)

describe("what happens here", function()
  it("goes there under the other's names", function()
    for here, there in pairs {
      ["assignment:sent"] = "assignment:sent", ["unit:location"] = "unit:location",
      ["unit:status"] = "unit:status", ["incident:status"] = "incident:status",
      ["incident:timestamp"] = "incident:timestamp", ["metrics:updated"] = "metrics:updated",
      ["transport:completed"] = "transport:completed", ["incident:created"] = "incident:created",
      ["assignment:received"] = "assignment:received",
    } do
      link.sent = {}
      bridge:forward(here, { id = "m-" .. here, unitId = "UNIT-5" })
      expect(link.sent).to_equal { { there, { id = "m-" .. here, unitId = "UNIT-5" } } }
    end
  end)

  it("is counted when the queue is full", function()
    bridge:forward("unit:status", { unitId = "UNIT-5", status = "a" })
    link.full = true
    bridge:forward("unit:status", { unitId = "UNIT-5", status = "b" })
    expect(bridge:status()).to_match {
      connected = true, forwarded_events = 1, failed_events = 1, failed_emissions = 3,
    }
  end)

  it("is not done again when it comes back", function()
    bridge:forward("unit:status", { id = "m-1", unitId = "UNIT-5", status = "a" })
    link.handlers["unit:status:updated"] { id = "m-1", unitId = "UNIT-5", status = "a" }
    bridge:forward("unit:status", { id = "m-2", unitId = "UNIT-5", status = "a" })
    link.handlers["unit:status:updated"] { unitId = "UNIT-5", status = "a", incidentId = null }
    expect(done).to_equal {}
    link.handlers["unit:status:updated"] { unitId = "UNIT-5", status = "a" }
    link.handlers["unit:status:updated"] { unitId = "UNIT-5", status = "b" }
    expect(#done).to_equal(2)
    expect(bridge:status()).to_match { duplicates_events = 1, echoes_events = 1 }
  end)

  it("is news again when something else has happened there meanwhile", function()
    for _, id in ipairs { "m-1", false } do
      done = {}
      bridge:forward("unit:status", { id = id or nil, unitId = "UNIT-5", status = "a" })
      if id then
        link.handlers["unit:status:updated"] { id = id, unitId = "UNIT-5", status = "a" }
      end
      link.handlers["unit:status:updated"] { unitId = "UNIT-6", status = "b" }
      link.handlers["unit:status:updated"] { unitId = "UNIT-5", status = "b" }
      link.handlers["unit:status:updated"] { unitId = "UNIT-5", status = "a" }
      expect(#done).to_equal(3)
      expect(done[3][2].status).to_equal("a")
    end
  end)
end)

describe("what happens there", function()
  it("is done here", function()
    for there, here in pairs {
      ["unit:location:updated"] = "unit:location", ["unit:status:updated"] = "unit:status",
      ["incident:status:updated"] = "incident:status", ["incident:new"] = "incident:created",
      ["incident:timestamp:updated"] = "incident:timestamp",
      ["assignment:received"] = "assignment:received",
      ["transport:completed"] = "transport:completed", ["metrics:updated"] = "metrics:updated",
    } do
      done = {}
      expect(link.handlers[there] { unitId = there }).to_equal { success = true }
      expect(done).to_equal { { here, { unitId = there } } }
    end
  end)

  it("is done once for an id", function()
    link.handlers["unit:status:updated"] { id = "m-1", unitId = "UNIT-5", status = "a" }
    link.handlers["unit:status:updated"] { id = "m-1", unitId = "UNIT-5", status = "a" }
    link.handlers["unit:location:updated"] { id = "m-1", unitId = "UNIT-5" }
    expect(#done).to_equal(2)
  end)

  it("is refused if it does not hold, and may come again", function()
    local bad = { id = "m-1", unitId = "UNIT-5", status = "bad" }
    expect(link.handlers["unit:status:updated"](bad)).to_match { error = { code = "invalid" } }
    expect(link.handlers["unit:status:updated"](bad)).to_match { error = { code = "invalid" } }
    expect(link.handlers["unit:status:updated"]("text")).to_equal { success = true }
    expect(bridge:status()).to_match { refused_events = 2, duplicates_events = 0 }
  end)
end)

describe("without another system", function()
  it("the bridge is disabled", function()
    local none = bridges.new(nil, function() end)
    none:forward("unit:status", { unitId = "UNIT-5" })
    expect(none:status()).to_match { state = "disabled", connected = false }
  end)
end)
