local function call(...) return ask("/shared-outbox-test", ...) end
local function tries() return call("tries") end

describe("an outbox", function()
  it("delivers in order", function()
    expect(call("add", "a", "1")).to_equal(true)
    expect(call("add", "b", "2")).to_equal(true)
    advance(0.1)
    expect(tries()).to_equal { "a 1 1", "b 1 2" }
    expect(call("status")).to_match { waiting = 0, delivered = 2, set_aside = 0 }
  end)

  it("takes an id once, also after it was delivered", function()
    call("add", "a", "1")
    expect(call("add", "a", "1")).to_equal(false)
    advance(1)
    expect(call("add", "a", "1")).to_equal(false)
    advance(900)
    expect(call("add", "a", "1")).to_equal(true)
  end)

  it("has nothing of what was undone", function()
    expect(call("undone", "a")).to_equal(false)
    advance(1)
    expect(tries()).to_equal {}
    expect(call("status").waiting).to_equal(0)
    expect(call("add", "a", "1")).to_equal(true)
  end)

  it("tries again, ever more seldom, and the others wait behind", function()
    call("how", "away")
    call("add", "a", "1")
    call("add", "b", "2")
    advance(0.2)
    expect(#tries()).to_equal(1)
    advance(1.4)
    expect(#tries()).to_equal(2)
    advance(1)
    expect(#tries()).to_equal(2)
    advance(1.5)
    expect(#tries()).to_equal(3)
    expect(call("status")).to_match { waiting = 2, attempt = 3, last_error = "away" }
    call("how", "well")
    advance(5)
    expect(tries()).to_equal { "a 1 1", "a 2 1", "a 3 1", "a 4 1", "b 1 2" }
  end)

  it("takes an error in the delivery for a refusal", function()
    call("how", "broken")
    call("add", "a", "1")
    advance(0.2)
    expect(call("status").waiting).to_equal(1)
    expect(call("status").last_error).to_contain("broken")
    call("add", "b", "2")
    advance(20)
    expect(call("status")).to_match { waiting = 0, set_aside = 2 }
  end)

  it("does not deliver twice at once", function()
    call("how", "slow")
    call("add", "a", "1")
    call("add", "b", "1")
    advance(4)
    expect(tries()).to_equal { "a 1 1" }
    advance(7)
    expect(tries()).to_equal { "a 1 1", "b 1 1" }
  end)

  it("refuses more than its limit", function()
    call("how", "away")
    for _, id in ipairs { "a", "b", "c" } do call("add", id, "1") end
    local none, why, code = call("add", "d", "1")
    expect(none).to_be_nil()
    expect(why).to_contain("3 messages")
    expect(code).to_equal("busy")
  end)

  it("sets aside what is refused, and retries it when asked", function()
    call("how", "refused")
    call("add", "a", "1")
    advance(2)
    expect(call("status")).to_match { waiting = 0, set_aside = 1 }
    call("how", "well")
    call("add", "b", "1")
    expect(call("retry")).to_equal(1)
    advance(1)
    expect(call("status")).to_match { waiting = 0, set_aside = 0, delivered = 2 }
    expect(call("add", "a", "1")).to_equal(false)
  end)
end)
