local roles = require "shared.roles"

describe("roles", function()
  it("are what the token says in any of its fields", function()
    for _, user in ipairs { { role = "admin" }, { userType = "admin" }, { type = "admin" },
                            { roles = { "driver", "admin" } }, { role = "driver", type = "admin" } } do
      expect(roles.has(user, { "admin" })).to_equal(true)
      expect(roles.has(user, { "staff", "admin" })).to_equal(true)
      expect(roles.has(user, { "staff" })).to_equal(false)
      expect(roles.has(user, {})).to_equal(false)
      expect(roles.require(user, { "admin" })).to_equal(user)
    end
  end)

  it("are none of who is nobody, or whose token is odd", function()
    for _, user in ipairs { {}, { role = 7, roles = "admin" }, { role = true, roles = { 1 } },
                            { sub = "admin" }, { roles = {} } } do
      expect(roles.has(user, { "admin" })).to_equal(false)
      local _, refusal = pcall(roles.require, user, { "admin" })
      expect(refusal).to_match { code = "forbidden", message = "not for your role" }
    end
    for _, user in ipairs { null, "admin", false } do
      expect(roles.has(user, { "admin" })).to_equal(false)
      local _, refusal = pcall(roles.require, user, { "admin" })
      expect(refusal).to_match { code = "unauthorized", message = "no token" }
    end
  end)
end)
