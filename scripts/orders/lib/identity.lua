-- Who a token speaks for. A user here is {id, userType, email, exp}; `party` is the name of their
-- room and of their mailbox, "driver:7".
local jwt = require "plugin.jwt"
local roles = require "shared.roles"
local schema = require "schema"

local identity = {}

-- A type beyond these could name a room that is not the user's own: "order".
identity.TYPES = { "admin", "customer", "driver", "merchant" }
identity.NO_TOKEN = "Authentication required"
identity.BAD_TOKEN = "Invalid authentication token"

-- Ids of users and orders come in as texts or as whole numbers, and are texts from then on.
local text = schema.string { min = 1, max = 100, pattern = "^[%w_.@+-]+$" }
identity.ID = schema.one_of { text, schema.integer { min = 0 } }

--- The id as text, or nil if it is none.
function identity.id(value)
  local checked = schema.check(identity.ID, value)
  if type(checked) == "number" then return string.format("%.0f", checked) end
  return checked
end

--- The user of a token's claims, or nil if they name none that is known here. `userType` says of
--- what type; a service's token may say `role` or `roles` instead.
function identity.of(claims)
  local id = type(claims) == "table" and identity.id(claims.sub)
  if not id then return nil end
  for _, kind in ipairs(identity.TYPES) do
    local is = claims.userType == kind
    if claims.userType == nil then is = roles.has(claims, { kind }) end
    if is then
      return {
        id = id, userType = kind, party = kind .. ":" .. id,
        email = type(claims.email) == "string" and claims.email or nil,
        exp = type(claims.exp) == "number" and claims.exp or nil,
      }
    end
  end
  return nil
end

--- The user of a client's token, or nil and what the client is told.
function identity.verify(token)
  if type(token) ~= "string" or token == "" then return nil, identity.NO_TOKEN end
  local ok, claims = pcall(jwt.verify, token)
  if not ok and type(claims) == "table" and claims.code == "unavailable" then
    return nil, "Authentication is not available now"
  end
  local user = ok and identity.of(claims)
  if not user then return nil, identity.BAD_TOKEN end
  return user
end

--- Where a client's token is: in `auth.token`, else in `?token=`.
function identity.token(handshake)
  local auth = handshake.auth
  local token = type(auth) == "table" and auth.token
  if type(token) == "string" and token ~= "" then return token end
  return handshake.query.token
end

--- Whether the user is one of these types; an admin always is.
function identity.is(user, ...)
  if user.userType == "admin" then return true end
  for _, kind in ipairs { ... } do
    if user.userType == kind then return true end
  end
  return false
end

--- A request's user, who must be of one of these types (any, if none is given).
function identity.require(request, ...)
  local user = identity.of(request.user)
  if not user then fail("unauthorized", identity.BAD_TOKEN) end
  if select("#", ...) > 0 and not identity.is(user, ...) then
    fail("forbidden", "not for your role")
  end
  return user
end

return identity
