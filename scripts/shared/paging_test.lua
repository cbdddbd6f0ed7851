local NSP = "/shared-paging-test"

local function get(name, ...) return (ask(NSP, name, ...)) end

describe("what a page asks for", function()
  it("has a size and a place, or the defaults", function()
    expect(get("of", {})).to_equal { limit = 50 }
    expect(get("of", { limit = "7", after = "12" })).to_equal { limit = 7, after = 12 }
    expect(get("of", { limit = 7, before = 12 })).to_equal { limit = 7, before = 12 }
    expect(get("of", {}, { limit = 5 })).to_equal { limit = 5 }
    expect(get("of", { after = "b" }, { by = "key" })).to_equal { limit = 50, after = "b" }
  end)

  it("names the field that is wrong", function()
    local function wrong(query, options)
      local _, why, code = ask(NSP, "of", query, options or {})
      expect(code).to_equal("invalid")
      return (why:match("^%a+"))
    end
    for _, limit in ipairs { "0", "201", "x", "1.5", -1 } do
      expect(wrong { limit = limit }).to_equal("limit")
    end
    expect(wrong { after = "x" }).to_equal("after")
    expect(wrong { before = "-1" }).to_equal("before")
    expect(wrong { after = 1, before = 2 }).to_equal("before")
    expect(wrong({ before = "a" }, { by = "key" })).to_equal("before")
  end)
end)

describe("a page", function()
  it("of a stream begins at its end, and leads both ways", function()
    local ids = {}
    for i = 1, 5 do ids[i] = get("say", "w" .. i) end
    expect(get("stream", { limit = 2 }))
      .to_equal { items = { "w4", "w5" }, next = { before = ids[4] } }
    expect(get("stream", { limit = 3, before = ids[4] })).to_equal { items = { "w1", "w2", "w3" } }
    expect(get("stream", { limit = 2, before = ids[4] }))
      .to_equal { items = { "w2", "w3" }, next = { before = ids[2] } }
    expect(get("stream", { limit = 2, after = ids[1] }))
      .to_equal { items = { "w2", "w3" }, next = { after = ids[3] } }
    expect(get("stream", { limit = 2, after = ids[3] })).to_equal { items = { "w4", "w5" } }
    expect(get("stream", { after = ids[5] }).items).to_equal {}
  end)

  it("of keys goes on after a name", function()
    for _, key in ipairs { "b", "a", "c" } do get("set", key) end
    expect(get("keys", { limit = 2 })).to_equal { items = { "a=A", "b=B" }, next = { after = "b" } }
    expect(get("keys", { limit = 2, after = "b" })).to_equal { items = { "c=C" } }
    expect(get("keys", { limit = 3 })).to_equal { items = { "a=A", "b=B", "c=C" } }
  end)

  it("of a table is sorted by its keys", function()
    local values = { b = 2, a = 1, c = 3 }
    expect(get("table", values, { limit = 2 }))
      .to_equal { items = { "a=1", "b=2" }, next = { after = "b" } }
    expect(get("table", values, { limit = 2, after = "b" })).to_equal { items = { "c=3" } }
    expect(get("table", values, { limit = 3 }).next).to_be_nil()
  end)
end)
