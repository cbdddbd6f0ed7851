local support = require "support_test"

describe("the demo", function()
  it("works: incidents come, units are sent, confirm, drive, and are done", function()
    demo()
    local status, body = request("GET", "/demo/dispatch/token")
    expect(status).to_equal(200)
    expect(#body.token > 100).to_equal(true)
    local dispatcher = support.join("dispatcher")
    advance(240)
    local heard = {}
    for _, event in ipairs(dispatcher:received()) do heard[event[1]] = (heard[event[1]] or 0) + 1 end
    for _, event in ipairs { "incident:new", "assignment:updated", "unit:location:updated",
                             "unit:status:updated", "incident:status:updated", "metrics:updated",
                             "incident:timestamp:updated", "transport:completed" } do
      expect({ event, (heard[event] or 0) > 0 }).to_equal { event, true }
    end
  end)
end)
