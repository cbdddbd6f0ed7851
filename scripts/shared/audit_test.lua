local function note(who, what)
  return ask("/shared-audit-test", "note", { who = who, what = what })
end
local function query(by) return ask("/shared-audit-test", "query", by or {}) end
local function whats(by)
  local list = {}
  for i, item in ipairs(query(by).items) do list[i] = item.what end
  return list
end

describe("an audit log", function()
  it("has the newest first, with its time", function()
    clock("2026-03-01T08:00:00Z")
    note("ann", "came")
    advance(60)
    note("bob", "went")
    local items = query().items
    expect(items[1]).to_match { who = "bob", what = "went", when = "2026-03-01T08:01:00.000Z" }
    expect(items[2]).to_match { who = "ann", when = "2026-03-01T08:00:00.000Z" }
  end)

  it("is asked by what an entry has, and by time", function()
    clock("2026-03-01T08:00:00Z")
    note("ann", "came")
    advance(60)
    note("ann", "went")
    note("bob", "came")
    expect(whats { who = "ann" }).to_equal { "went", "came" }
    expect(whats { what = "came", who = "bob" }).to_equal { "came" }
    expect(whats { since = "2026-03-01T08:00:30.000Z" }).to_equal { "came", "went" }
    expect(whats { ["until"] = "2026-03-01T08:00:30.000Z" }).to_equal { "came" }
  end)

  it("comes by pages", function()
    for i = 1, 5 do note("ann", "w" .. i) end
    local first = query { limit = "2" }
    expect(first.items).to_match { { what = "w5" }, { what = "w4" } }
    local second = query { limit = "2", before = tostring(first.next.before) }
    expect(second.items).to_match { { what = "w3" }, { what = "w2" } }
    local third = query { limit = "2", before = tostring(second.next.before) }
    expect(third.items).to_match { { what = "w1" } }
    expect(third.next).to_be_nil()
  end)

  it("finds what lies far back", function()
    note("ann", "first")
    for i = 1, 1200 do note("bob", "w" .. i) end
    expect(whats { who = "ann" }).to_equal { "first" }
  end)

  it("refuses a bad question with the field", function()
    local none, why, code = query { since = "yesterday" }
    expect(none).to_be_nil()
    expect(why).to_contain("since")
    expect(code).to_equal("invalid")
    local _, other = query { whom = "ann" }
    expect(other).to_contain("whom")
  end)

  it("forgets what is old", function()
    note("ann", "old")
    advance(2 * 86400)
    note("ann", "new")
    expect(whats()).to_equal { "new" }
  end)

  it("lets its users go on when it can't be written", function()
    expect(ask("/shared-audit-test", "note too many", { who = "a", what = "b" })).to_equal(null)
    local warned = 0
    for _, line in ipairs(logs()) do
      if line.message == "the audit log is not written" then warned = warned + 1 end
    end
    expect(warned).to_equal(1)
  end)
end)
