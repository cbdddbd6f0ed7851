-- Announcements to everybody: those connected get one at once, others when they come back while it
-- is kept. The stream "announcements" holds them, "announced:USER" the last that a user has seen.
local events = require "lib.events"
local option = require "shared.option"
local outlet = require "lib.outlet"
local presence = require "lib.presence"

local announcements = {}

local STREAM = "announcements"
local LIMIT = option.count("announcements.limit", 100)
-- How long a user's mark outlives the announcements.
local MARK_SECONDS = option.amount("announcements.longest_days", 30) * 86400 + 86400

announcements.LONGEST = MARK_SECONDS - 86400

local function mark(ns, user_id, id)
  ns.store:set("announced:" .. user_id, id, { ttl = MARK_SECONDS, durable = false })
end

--- Writes it down in a transaction; `keepSeconds` is how long it is for those who come later.
function announcements.keep(store, message)
  return events.stored(store:append(STREAM, message, { count = LIMIT, age = message.keepSeconds }))
end

--- To all who are there, who then won't get it again.
function announcements.send(ns, message, id)
  message.id = id
  local users = {}
  for user_id in pairs(presence.users(ns.state)) do users[#users + 1] = user_id end
  local present = outlet.send(ns, nil, "announcement", message)
  spawn(function()
    for _, user_id in ipairs(users) do mark(ns, user_id, id) end
  end)
  return present
end

--- What a user missed, to the socket.
function announcements.catch_up(ns, socket)
  local user_id = socket.data.who.userId
  local seen = ns.store:get("announced:" .. user_id) or 0
  local page = ns.store:history(STREAM, { after = seen, limit = LIMIT }) or {}
  if #page == 0 then return end
  for _, entry in ipairs(page) do
    entry.value.id = entry.id
    outlet.to_socket(ns, socket, "announcement", entry.value)
  end
  mark(ns, user_id, page[#page].id)
end

announcements.stream = STREAM

return announcements
