-- Progress comes as often as workers like, and is passed on at most every so often for each
-- request: the latest counts. Plain data in state.updates = {request -> {sent, waiting}}.
local identity = require "lib.identity"
local option = require "shared.option"
local outlet = require "lib.outlet"
local ticker = require "lib.ticker"

local throttle = {}

local INTERVAL = option.amount("status.interval_ms", 100) / 1000

local function key_of(update) return update.sessionId .. "/" .. update.requestId end

local function send(ns, update)
  outlet.send(ns, identity.session_room(update.sessionId), "status_update", update)
end

--- Sends an update, or keeps it until the request's next turn, in place of one that waits.
function throttle.offer(ns, update)
  ns.state.updates = ns.state.updates or {}
  local updates, key = ns.state.updates, key_of(update)
  local entry = updates[key]
  if entry and now() - entry.sent < INTERVAL then
    entry.waiting = update
  else
    updates[key] = { sent = now() }
    throttle.look_after(ns)
    send(ns, update)
  end
end

--- The request is answered: what waits is out of date.
function throttle.forget(ns, answer)
  if ns.state.updates then ns.state.updates[key_of(answer)] = nil end
end

--- Sends what has waited, and forgets those of which nothing came.
local function tick(ns)
  for key, entry in pairs(ns.state.updates) do
    if now() - entry.sent >= INTERVAL then
      if entry.waiting then
        send(ns, entry.waiting)
        entry.waiting, entry.sent = nil, now()
      else
        ns.state.updates[key] = nil
      end
    end
  end
end

local start

--- Sees to it that what waits goes; called for what waited before a reload, too.
function throttle.look_after(ns)
  start = start or ticker.new(function() return next(ns.state.updates or {}) ~= nil end,
                              function() tick(ns) end)
  start()
end

return throttle
