-- placeholder until orders' lands
local roles = {}
function roles.require(user, wanted)
  if type(user) ~= "table" then fail("unauthorized", "no token") end
  local has = {}
  for _, n in ipairs { "role", "userType", "type" } do if user[n] then has[user[n]] = true end end
  for _, r in ipairs(type(user.roles) == "table" and user.roles or {}) do has[r] = true end
  for _, w in ipairs(wanted) do if has[w] then return end end
  fail("forbidden", "not for your role")
end
return roles
