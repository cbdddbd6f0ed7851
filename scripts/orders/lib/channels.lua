-- Other ways for notifications, such as e-mail, SMS and push: for each a service that is POSTed what
-- to send, from an outbox of its own; and what users want of them, and of notifications at all.
-- In the store: wishes:PARTY {muted = {TYPE…}, channels = {NAME = {enabled, address}}}.
local option = require "shared.option"
local outbox = require "shared.outbox"
local webhook = require "shared.webhook"
local schema = require "schema"

local channels = {}

local URLS = option.of("notifications.channels", schema.map(schema.string()), {})
local SENT = {
  token = option.of("notifications.token", schema.string(), ""),
  timeout = option.amount("notifications.timeout_seconds", 10),
}
local LIMIT = option.count("notifications.limit", 10000)

local boxes = {}  -- by channel

local function key_of(party) return "wishes:" .. party end

--- What a party wants: {muted, channels}, with every channel that there is.
function channels.wishes(ns, party)
  local kept = ns.store:get(key_of(party)) or {}
  local wishes = { muted = kept.muted or json.array {}, channels = {} }
  for name in pairs(boxes) do
    local wish = (kept.channels or {})[name] or {}
    wishes.channels[name] = { enabled = wish.enabled ~= false, address = wish.address }
  end
  return wishes
end

--- Takes in those of `muted` and `channels` that are given; what the party wants then.
function channels.wish(ns, party, given)
  local wishes
  local _, why = ns:lock(key_of(party), function()
    local changed = channels.wishes(ns, party)
    changed.muted = given.muted or changed.muted
    for name, wish in pairs(given.channels or {}) do
      if not boxes[name] then
        fail("invalid", "channels." .. name .. ": there is none of this name",
             { path = "channels." .. name })
      end
      for field, value in pairs(wish) do changed.channels[name][field] = value end
    end
    local ok, problem = ns.store:set(key_of(party), changed)
    if not ok then fail("unavailable", problem) end
    wishes = changed
  end)
  if not wishes then fail("busy", why) end
  return wishes
end

function channels.is_muted(wishes, kind)
  for _, each in ipairs(wishes.muted) do
    if each == kind then return true end
  end
  return false
end

--- In a transaction: writes the notification for each channel that the party wants.
function channels.add(store, party, notification, wishes)
  for name, box in pairs(boxes) do
    local wish = wishes.channels[name]
    if wish.enabled then
      local message = { channel = name, to = party, address = wish.address }
      for field, value in pairs(notification) do message[field] = value end
      -- A service that is away for so long must not hold up what goes to clients.
      local ok, problem = pcall(box.add, box, store, notification.id, message)
      if not ok then
        log.warn("a notification is dropped", { channel = name, reason = problem.message })
      end
    end
  end
end

--- What was written may go.
function channels.wake()
  for _, box in pairs(boxes) do box:wake() end
end

--- By channel: {waiting, setAside, delivered, lastError}.
function channels.status()
  local status = {}
  for name, box in pairs(boxes) do
    local of = box:status()
    status[name] = { waiting = of.waiting, setAside = of.set_aside, delivered = of.delivered,
                     lastError = of.last_error }
  end
  return status
end

--- Tries at once, also up to 100 a channel of what was set aside; how many of these.
function channels.retry()
  local moved = 0
  for _, box in pairs(boxes) do moved = moved + (box:retry() or 0) end
  return moved
end

function channels.open(ns)
  for name, url in pairs(URLS) do
    if url ~= "" then
      boxes[name] = outbox.open(ns, name, {
        limit = LIMIT,
        deliver = function(record) return webhook.post(url, record.id, record.value, SENT) end,
      })
    end
  end
end

return channels
