-- Who may do what. A token that is given rules, whatever else is said; without one, the document's
-- clients are believed when they say their role, unless settings demand tokens.
local schema = require "schema"
local contract = require "lib.contract"
local option = require "shared.option"
local roles = require "shared.roles"

local ROLES = option.of("tickets.staff_roles", schema.array(contract.role, { min = 1 }),
                        { "admin", "manager", "supervisor", "staff" })
-- A text when it comes from a variable.
local FLAG = schema.one_of { schema.boolean(), schema.enum { "true", "false" } }
local REQUIRED = option.of("tickets.require_tokens", FLAG, false)
local TOKENS_REQUIRED = REQUIRED == true or REQUIRED == "true"

local staff = {}

--- Refuses who is not of the staff: `user` are a token's claims (nil without one), `role` what the
--- client says it is (nil if it says nothing).
function staff.require(user, role)
  if user then return roles.require(user, ROLES) end
  if TOKENS_REQUIRED then fail("unauthorized", "a token of the staff's is needed") end
  if role == nil then fail("unauthorized", "for staff: say your role, or bring a token") end
  roles.require({ role = role }, ROLES)
end

--- The same where the document asks for no role: nobody is refused for saying none.
function staff.require_if_said(user, role)
  if user or role or TOKENS_REQUIRED then staff.require(user, role) end
end

--- Refuses who is neither this user nor of the staff.
function staff.require_self(user, user_id)
  if not user and not TOKENS_REQUIRED then return end
  if user and user.sub == user_id then return end
  staff.require(user)
end

--- The role that a token gives a client of the staff.
function staff.role_of(user)
  for _, role in ipairs(ROLES) do
    if roles.has(user, { role }) then return role end
  end
  return nil
end

return staff
