-- Messages of the back end (and of rooms): each is kept in one transaction and then sent, now or at
-- a later time. In the store "scheduled:ID" = {kind, message, at, handle}; it goes in the
-- transaction that keeps the message, so none is kept twice, whenever the broker dies.
local announcements = require "lib.announcements"
local events = require "lib.events"
local mailbox = require "lib.mailbox"
local option = require "shared.option"
local outlet = require "lib.outlet"
local rooms = require "lib.rooms"

local publishing = {}

local LIMIT = option.count("schedules.limit", 10000)
local HISTORY = option.count("rooms.history", 1000)
local RETRY_SECONDS = 30
local HISTORY_SECONDS = option.amount("rooms.history_days", 30) * 86400

--- How each kind is kept (in a transaction) and, when that is done, sent; `send` returns how many
--- sockets are there.
local KINDS = {
  notification = {
    keep = function(store, message)
      return mailbox.keep(store, "user:" .. message.userId, "notification", message)
    end,
    send = function(ns, message)
      mailbox.send(ns, "user:" .. message.userId)
      return ns:to("user:" .. message.userId):count()
    end,
  },
  room_message = {
    keep = function(store, message)
      rooms.find(store, message.roomId)
      return events.stored(store:append(rooms.stream(message.roomId), message,
                                        { count = HISTORY, age = HISTORY_SECONDS }))
    end,
    send = function(ns, message, id)
      message.id = id
      return outlet.send(ns, rooms.name(message.roomId), "room_message", message)
    end,
  },
  announcement = { keep = announcements.keep, send = announcements.send },
}

--- Keeps and sends a message; its id, and how many sockets are there.
function publishing.now(ns, kind, message)
  local id, why = ns.store:transaction(function(store) return KINDS[kind].keep(store, message) end)
  if not id then fail("unavailable", why) end
  return id, KINDS[kind].send(ns, message, id)
end

function publishing.key(id) return "scheduled:" .. id end

--- Keeps a message until its time. Returns the schedule's id.
function publishing.later(ns, kind, message, at)
  local id = uuid()
  local done, why = ns.store:transaction(function(store)
    local count = (store:get("schedule_count") or 0) + 1
    if count > LIMIT then
      fail("busy", string.format("%d messages are scheduled, which is the limit", LIMIT))
    end
    local handle = events.stored(store:schedule(at, "publish", { id = id }))
    events.stored(store:set(publishing.key(id),
                            { kind = kind, message = message, at = at, handle = handle }))
    return events.stored(store:set("schedule_count", count))
  end)
  if not done then fail("unavailable", why) end
  return id
end

local function drop(store, id)
  store:delete(publishing.key(id))
  events.stored(store:set("schedule_count", math.max(0, (store:get("schedule_count") or 1) - 1)))
end

--- Forgets a scheduled message.
function publishing.cancel(ns, id)
  local done, why = ns.store:transaction(function(store)
    local scheduled = store:get(publishing.key(id))
    if not scheduled then fail("not_found", "nothing is scheduled as '" .. id .. "'") end
    store:cancel(scheduled.handle)
    drop(store, id)
    return true
  end)
  if not done then fail("unavailable", why) end
end

--- A scheduled message's time has come. While the store can't take it, it is tried again; what
--- can't be kept otherwise (its room is gone, its user's mailbox is full) is logged, and over.
function publishing.due(ns, id)
  local scheduled = ns.store:get(publishing.key(id))
  if not scheduled then return end  -- done before the broker died
  local kind, message = KINDS[scheduled.kind], scheduled.message
  message.timestamp = iso_time()
  local function keep(store)
    if not store:get(publishing.key(id)) then return false end  -- cancelled meanwhile
    local kept = kind.keep(store, message)
    drop(store, id)
    return kept
  end
  while true do
    local ok, kept, why = pcall(ns.store.transaction, ns.store, keep)
    if ok and kept == false then return end
    if ok and kept then return kind.send(ns, message, kept) end
    local code = not ok and type(kept) == "table" and kept.code
    if not ok and code ~= "unavailable" then
      log.warn("a scheduled message can't be delivered", {
        kind = scheduled.kind, schedule = id, why = code and kept.message or tostring(kept),
      })
      return ns.store:transaction(function(store) drop(store, id) end)
    end
    log.warn("a scheduled message waits for the store", { schedule = id, why = why })
    sleep(RETRY_SECONDS)
  end
end

return publishing
