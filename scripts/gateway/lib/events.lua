-- The one way in: every event and every route goes through here, so that all are checked, counted
-- and refused alike.
local schema = require "schema"
local access = require "lib.access"
local presence = require "lib.presence"
local rate = require "lib.rate"
local stats = require "lib.stats"

local events = {}

local known = {}

--- What holds, with defaults filled in; raises `invalid` with the field that doesn't. `name` is the
--- field that the value itself is.
function events.check(shape, value, name)
  local checked, problem = schema.check(shape, value)
  if not problem then return checked end
  if name then problem.path = "$." .. name end
  local field = problem.path:gsub("^%$%.?", "")
  if field == "" then field = "data" end
  fail("invalid", field .. ": " .. problem.message, problem)
end

--- Passes on what a pcall gave, counting a failure.
local function passed(ns, ok, ...)
  if ok then return ... end
  local problem = ...
  stats.failed(ns.state, type(problem) == "table" and problem.code or "internal")
  error(problem, 0)
end

--- Handles an event with one argument. `contract` holds its schema, and `returns`.
function events.on(ns, event, contract, handler)
  local shape = contract[1]
  contract.check = false  -- here, where it is counted
  known[event] = true
  ns:on(event, contract, function(socket, data)
    stats.received(ns.state, event)
    presence.touch(ns.state, socket)
    return passed(ns, pcall(function()
      rate.refuse_over(ns.state, "events", socket.data.who.userId)
      return handler(socket, events.check(shape, data))
    end))
  end)
end

--- Refuses events that nothing handles, instead of silence.
function events.refuse_others(ns)
  ns:use_event(function(_, event)
    if known[event] then return end
    stats.received(ns.state, "other")
    stats.failed(ns.state, "unknown_event")
    fail("unknown_event", "no event '" .. event:sub(1, 100) .. "' here")
  end)
end

--- A route for who has one of these roles; without roles, for anybody. Options: `roles`, `body` (a
--- schema), `may(request)`, which lets in others, too.
function events.route(ns, method, path, options, handler)
  local guard = options.roles and { auth = true } or {}
  route(method, path, guard, function(request)
    return passed(ns, pcall(function()
      if options.roles and not (options.may and options.may(request)) then
        access.require(request.user, options.roles)
      end
      if options.body then request.json = events.check(options.body, request.json) end
      return handler(request)
    end))
  end)
end

--- What the store says when it can't: `unavailable`. Returns `value`.
function events.stored(value, why)
  if value == nil and why then fail("unavailable", why) end
  return value
end

return events
