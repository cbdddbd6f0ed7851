local machine = require "shared.machine"

local DOOR = { open = { "closed" }, closed = { "open", "gone" }, gone = {} }

describe("a state machine", function()
  it("moves where it is allowed to", function()
    local door = machine.new("door", DOOR)
    expect(door:move("open", "closed")).to_equal("closed")
    expect(door:allows("closed", "gone")).to_equal(true)
    expect(door:allows("open", "gone")).to_equal(false)
    expect(door:allows("open", "open")).to_equal(false)
    expect(door:allows("nowhere", "open")).to_equal(false)
  end)

  it("refuses all else with a conflict that names both states", function()
    local door = machine.new("door", DOOR)
    local ok, refusal = pcall(door.move, door, "open", "gone", "7")
    expect(ok).to_equal(false)
    expect(refusal).to_match { code = "conflict", message = "door 7 is open and can't become gone",
                               data = { from = "open", to = "gone" } }
    local _, unnamed = pcall(door.move, door, "gone", "nowhere")
    expect(unnamed.message).to_equal("door is gone and can't become nowhere")
  end)

  it("knows its states, and which are the last", function()
    local door = machine.new("door", DOOR)
    expect(door:states()).to_equal { "closed", "gone", "open" }
    expect(door:ends("gone")).to_equal(true)
    expect(door:ends("open")).to_equal(false)
  end)

  it("does not lead to where nothing is", function()
    expect(function() machine.new("door", { open = { "clsoed" }, closed = {} }) end)
      .to_error("a door can't go from 'open' to 'clsoed'")
  end)
end)
