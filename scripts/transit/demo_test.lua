-- The demo drives the app by messages; what a dashboard sees must make sense.
local support = require "support_test"

local VEHICLES = 12

local function watch(seconds)
  demo()
  local board = {}
  for _, name in ipairs { "vehicle-events", "depot-reservoir", "route-reservoir", "system-events" } do
    board[name] = support.join("/" .. name, "dashboard", "wall")
  end
  advance(seconds)
  return board
end

local function data_of(client, event)
  local all = {}
  for i, message in ipairs(client:received(event)) do
    expect(message).to_match { source = "demo", type = event }
    all[i] = message.data
  end
  return all
end

describe("the demo", function()
  it("is off unless it is asked for", function()
    expect(connect("/transit-demo")).to_be_nil()
    local client = support.join("/vehicle-events", "dashboard", "wall")
    advance(10)
    expect(client:received()).to_equal {}
    expect((request("GET", "/demo/transit/city"))).to_equal(404)
  end)

  it("moves every vehicle along its route", function()
    local moves, last = {}, {}
    for _, data in ipairs(data_of(watch(60)["vehicle-events"], "vehicle:position_update")) do
      local at, before = data.position, last[data.vehicle_id]
      if before and (before.lat ~= at.lat or before.lon ~= at.lon) then
        moves[data.vehicle_id] = (moves[data.vehicle_id] or 0) + 1
      end
      last[data.vehicle_id] = at
    end
    local count = 0
    for _, n in pairs(moves) do
      expect(n > 5).to_equal(true)
      count = count + 1
    end
    expect(count).to_equal(VEHICLES)
  end)

  it("has commuters come, ride and leave, each once, and never too many on board", function()
    local board = watch(200)
    local come, riding, left = {}, {}, 0
    for _, name in ipairs { "depot-reservoir", "route-reservoir" } do
      for _, data in ipairs(data_of(board[name], "commuter:spawned")) do
        expect(come[data.commuter_id]).to_be_nil()
        come[data.commuter_id] = true
      end
      for _, data in ipairs(data_of(board[name], "commuter:picked_up")) do
        expect(riding[data.commuter_id]).to_be_nil()
        riding[data.commuter_id] = data.vehicle_id
      end
    end
    for _, data in ipairs(data_of(board["route-reservoir"], "commuter:dropped_off")) do
      expect(riding[data.commuter_id]).to_equal(data.vehicle_id)
      riding[data.commuter_id], left = nil, left + 1
    end
    local on_board = {}
    for _, vehicle in pairs(riding) do on_board[vehicle] = (on_board[vehicle] or 0) + 1 end
    for _, n in pairs(on_board) do expect(n <= 12).to_equal(true) end
    expect(left > 20).to_equal(true)
  end)

  it("keeps who waits within bounds, and is never refused", function()
    local board = watch(400)
    local answer = support.send(board["system-events"], "system:health_check", {})
    local reservoirs = answer.data.reservoirs
    expect(reservoirs.route.waiting <= 80).to_equal(true)
    expect(reservoirs.depot.waiting <= 50).to_equal(true)
    expect(answer.data.messages.refused).to_equal(0)
    expect(answer.data.vehicles.tracked).to_equal(VEHICLES)
  end)

  it("tells the page what lies beneath", function()
    demo()
    local status, city = request("GET", "/demo/transit/city")
    expect(status).to_equal(200)
    expect(city.depots).to_have_length(3)
    expect(city.routes).to_have_length(4)
    expect(city.routes[1]).to_match { id = "1A" }
  end)
end)
