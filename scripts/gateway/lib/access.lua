-- Who may ask what over HTTP: the roles of a token's claims. An OAuth access token's scopes stand
-- for roles, too: with the prefix "gateway:", "gateway:admin" is the role "admin".
local roles = require "shared.roles"

local access = {}

local PREFIX = setting("auth.scope_prefix", "gateway:")

--- The claims, with the roles that their scopes stand for.
local function with_scopes(claims)
  if type(claims) ~= "table" or type(claims.scope) ~= "string" then return claims end
  local copy, all = {}, {}
  for name, value in pairs(claims) do copy[name] = value end
  if type(claims.roles) == "table" then
    for _, role in ipairs(claims.roles) do all[#all + 1] = role end
  end
  for scope in claims.scope:gmatch("%S+") do
    if scope:sub(1, #PREFIX) == PREFIX then all[#all + 1] = scope:sub(#PREFIX + 1) end
  end
  copy.roles = all
  return copy
end

--- Raises `unauthorized` without claims, `forbidden` without one of these roles.
function access.require(claims, wanted) roles.require(with_scopes(claims), wanted) end

return access
