-- Who somebody is, by a token: a service (the bridge of another system) by one of two static
-- tokens, a person by a JSON Web Token. An actor is plain data: {id, source, roles, unit, expires};
-- `unit` is the crew's own, if the token names it.
local schema = require "schema"
local option = require "shared.option"
local roles = require "shared.roles"
local jwt = require "plugin.jwt"

local identity = {}

local text = schema.string()
-- Two at once, so that one can be replaced while both are good.
local TOKENS = { option.of("auth.token", text, ""), option.of("auth.next_token", text, "") }
local CREW_NEEDS_UNIT = option.of("auth.crew_needs_unit", schema.boolean(), false)
local STRONG = 32

for i, token in ipairs(TOKENS) do
  if token ~= "" and #token < STRONG then
    log.warn("a service's token is shorter than 32 characters: it may be guessed", { token = i })
  end
end

--- Without telling by its time how much of it was right.
local function is_same(a, b)
  if #a ~= #b then return false end
  local difference = 0
  for i = 1, #a do difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i))) end
  return difference == 0
end

local ROLES = { "dispatcher", "crew", "admin", "dashboard" }

--- Of the roles here, those that a token gives.
local function roles_of(claims)
  local given = {}
  for _, role in ipairs(ROLES) do
    if roles.has(claims, { role }) then given[#given + 1] = role end
  end
  return given
end

local function text_of(value)
  return (type(value) == "string" and value ~= "") and value or nil
end

--- Whom a token names: a text or a number.
local function name_of(claims)
  for _, field in ipairs { "sub", "id", "email" } do
    local value = claims[field]
    if type(value) == "number" or text_of(value) then return tostring(value) end
  end
  return "nobody"
end

--- The actor that a token stands for. Waits; fails with `unauthorized` or `token_expired`.
function identity.of(token)
  if type(token) ~= "string" or token == "" then fail("unauthorized", "no token") end
  for i, each in ipairs(TOKENS) do
    if each ~= "" and is_same(token, each) then
      return { id = "bridge:" .. i, source = "bridge", roles = ROLES }
    end
  end
  local claims = jwt.verify(token)
  return {
    id = name_of(claims), source = "client",
    roles = roles_of(claims), expires = tonumber(claims.exp),
    unit = text_of(claims.unitId) or text_of(claims.unit_id) or text_of(claims.unit),
  }
end

--- Who has connected without a token, and has not said more yet.
function identity.nobody()
  return { id = "unauthenticated", source = "unauthenticated", roles = {} }
end

--- Crews speak for their own unit only; with a token that names none for any, unless the settings
--- want one.
function identity.refuse_other_unit(actor, unit)
  if roles.has(actor, { "dispatcher", "admin" }) then return end
  if actor.unit and actor.unit == unit then return end
  if actor.unit then fail("forbidden", "this crew's unit is " .. actor.unit) end
  if CREW_NEEDS_UNIT then fail("forbidden", "the token names no unit") end
end

--- Of the Authorization header.
function identity.bearer(request)
  return (request.headers.authorization or ""):match("^[Bb]earer%s+(%S+)%s*$")
end

return identity
