-- Who may: what a user's token says of their roles. A user is the token's claims, as `request.user`
-- and `socket.data.user` are; their roles are `role`, `userType` and `type`, and the list `roles`.
--
--   roles.require(request.user, { "dispatcher", "admin" })
local roles = {}

local FIELDS = { "role", "userType", "type" }

--- Whether the user has one of the roles; nobody has any.
function roles.has(user, wanted)
  if type(user) ~= "table" then return false end
  local is = {}
  for _, field in ipairs(FIELDS) do
    if type(user[field]) == "string" then is[user[field]] = true end
  end
  if type(user.roles) == "table" then
    for _, role in ipairs(user.roles) do is[role] = true end
  end
  for _, role in ipairs(wanted) do
    if is[role] then return true end
  end
  return false
end

--- Returns the user, or fails: `unauthorized` if there is none, `forbidden` without one of the roles.
function roles.require(user, wanted)
  if type(user) ~= "table" then fail("unauthorized", "no token") end
  if not roles.has(user, wanted) then fail("forbidden", "not for your role") end
  return user
end

return roles
