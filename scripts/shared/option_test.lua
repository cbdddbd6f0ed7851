local option = require "shared.option"

describe("a setting", function()
  it("is of its kind, or says so while the file loads", function()
    expect(option.count("none.of.this.name", 5, 10)).to_equal(5)
    expect(option.days("none.of.this.name", 2)).to_equal(172800)
    local function refused(what, ...)
      local ok, why = pcall(option[what], "none.of.this.name", ...)
      expect(ok).to_equal(false)
      expect(why).to_contain("settings.none.of.this.name must be")
    end
    refused("count", 0)
    refused("count", 11, 10)
    refused("count", 1.5)
    refused("amount", -1)
    refused("days", 0)
  end)
end)
