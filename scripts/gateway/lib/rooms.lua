-- Dynamic rooms and who is a member. In the store: "room:ID" = {owner, access, persistent,
-- metadata, created}, "member:ID/USER" and "rooms:USER/ID". Members' sockets are in the Socket.IO
-- room "room:ID", again after each return.
local events = require "lib.events"
local option = require "shared.option"

local rooms = {}

local LIMIT = option.count("rooms.limit", 10000)
local PER_USER = option.count("rooms.per_user", 100)
local MEMBERS = option.count("rooms.members", 1000)
local CHUNK = 100  -- of deletions in a transaction
local EMPTY_SECONDS = option.amount("rooms.empty_seconds", 300)

local function room_key(room_id) return "room:" .. room_id end
local function member_key(room_id, user_id) return "member:" .. room_id .. "/" .. user_id end
local function index_key(user_id, room_id) return "rooms:" .. user_id .. "/" .. room_id end

--- The Socket.IO room.
function rooms.name(room_id) return "room:" .. room_id end

function rooms.stream(room_id) return "messages:" .. room_id end

function rooms.find(store, room_id)
  local room = store:get(room_key(room_id))
  if not room then fail("not_found", "no room '" .. room_id .. "'") end
  return room
end

function rooms.is_member(store, room_id, user_id)
  return store:get(member_key(room_id, user_id)) ~= nil
end

--- Keys with a prefix, without it; at most `most` of them.
local function names(store, prefix, most)
  local list, after, size = {}, nil, math.min(most, 1000)
  repeat
    local page = events.stored(store:scan(prefix, { limit = size, after = after }))
    for _, entry in ipairs(page) do
      list[#list + 1] = entry.key:sub(#prefix + 1)
      after = entry.key
    end
  until #page < size or #list >= most
  return list
end

--- The rooms that a user is a member of.
function rooms.of_user(store, user_id) return names(store, "rooms:" .. user_id .. "/", PER_USER) end

--- Its members, all or at most so many.
function rooms.members(store, room_id, most)
  return names(store, "member:" .. room_id .. "/", most or MEMBERS)
end

--- Adds a member to a room, which the caller writes.
local function enrol(store, room_id, room, user_id)
  if rooms.is_member(store, room_id, user_id) then return end
  if #rooms.of_user(store, user_id) >= PER_USER then
    fail("too_many_rooms",
         string.format("%s is in %d rooms, which is the limit", user_id, PER_USER))
  end
  if room.members >= MEMBERS then
    fail("room_full",
         string.format("room '%s' has %d members, which is the limit", room_id, MEMBERS))
  end
  room.members = room.members + 1
  events.stored(store:set(member_key(room_id, user_id), true))
  events.stored(store:set(index_key(user_id, room_id), true))
end

local function write(store, room_id, room) events.stored(store:set(room_key(room_id), room)) end

--- What `fn` does happens all or nothing.
local function change(ns, fn)
  local result, why = ns.store:transaction(fn)
  if result == nil then fail("unavailable", why) end
  return result
end

--- Makes a room, with its first members. Owner may be nil: the back end's.
function rooms.create(ns, room_id, owner, wish)
  local room = { owner = owner, access = wish.access, persistent = wish.persistent,
                 metadata = wish.metadata, created = iso_time(), members = 0 }
  local members = wish.members or {}
  change(ns, function(store)
    if store:get(room_key(room_id)) then
      fail("conflict", "room '" .. room_id .. "' is there already")
    end
    local count = (store:get("room_count") or 0) + 1
    if count > LIMIT then
      fail("too_many_rooms", string.format("there are %d rooms, which is the limit", LIMIT))
    end
    events.stored(store:set("room_count", count))
    if owner then enrol(store, room_id, room, owner) end
    for _, user_id in ipairs(members) do enrol(store, room_id, room, user_id) end
    write(store, room_id, room)
    return true
  end)
  if owner then ns:to("user:" .. owner):join(rooms.name(room_id)) end
  for _, user_id in ipairs(members) do ns:to("user:" .. user_id):join(rooms.name(room_id)) end
  return room
end

--- `user_id` becomes a member; `by` is the user who asks, nil for the back end. Anybody joins a
--- public room; a private one's owner lets in others.
function rooms.join(ns, room_id, user_id, by)
  change(ns, function(store)
    local room = rooms.find(store, room_id)
    local allowed = by == nil or by == room.owner
      or (by == user_id and (room.access == "public" or rooms.is_member(store, room_id, user_id)))
    if not allowed then
      fail("forbidden", by == user_id and "room '" .. room_id .. "' is private"
        or "only the owner of room '" .. room_id .. "' adds others")
    end
    enrol(store, room_id, room, user_id)
    write(store, room_id, room)
    return true
  end)
  local sockets = ns:to("user:" .. user_id)
  sockets:join(rooms.name(room_id))
  return sockets:count()
end

--- `user_id` is no member any more. Users leave themselves; the owner puts others out, too.
function rooms.leave(ns, room_id, user_id, by)
  change(ns, function(store)
    local room = rooms.find(store, room_id)
    if by ~= nil and by ~= user_id and by ~= room.owner then
      fail("forbidden", "only the owner of room '" .. room_id .. "' puts others out")
    end
    if not rooms.is_member(store, room_id, user_id) then
      fail("not_found", user_id .. " is not in room '" .. room_id .. "'")
    end
    store:delete(member_key(room_id, user_id))
    store:delete(index_key(user_id, room_id))
    room.members = room.members - 1
    write(store, room_id, room)
    return true
  end)
  local sockets = ns:to("user:" .. user_id)
  sockets:leave(rooms.name(room_id))
  return sockets:count()
end

--- Removes a room, its members and its history. The room goes last: what is interrupted can be done
--- again.
function rooms.remove(ns, room_id)
  rooms.find(ns.store, room_id)
  local function expel(store, members)
    for _, user_id in ipairs(members) do
      store:delete(member_key(room_id, user_id))
      store:delete(index_key(user_id, room_id))
    end
    return #members
  end
  repeat
    local gone = change(ns, function(store)
      return expel(store, rooms.members(store, room_id, CHUNK))
    end)
  until gone < CHUNK
  change(ns, function(store)
    rooms.find(store, room_id)
    expel(store, rooms.members(store, room_id))  -- who joined meanwhile
    store:clear_stream(rooms.stream(room_id))
    store:delete(room_key(room_id))
    events.stored(store:set("room_count", math.max(0, (store:get("room_count") or 1) - 1)))
    return true
  end)
  ns:to(rooms.name(room_id)):leave(rooms.name(room_id))
end

--- How many there are.
function rooms.count(store) return store:get("room_count") or 0 end

--- Removes the rooms that have been without a connected member for too long, unless persistent.
function rooms.sweep(ns)
  local state = ns.state
  local before, still = state.empty_rooms or {}, {}
  local after
  repeat
    local page = ns.store:scan("room:", { limit = 200, after = after }) or {}
    for _, entry in ipairs(page) do
      after = entry.key
      local room_id = entry.key:sub(6)
      if not entry.value.persistent and ns:to(rooms.name(room_id)):count() == 0 then
        local since = before[room_id] or now()
        if now() - since >= EMPTY_SECONDS then
          pcall(rooms.remove, ns, room_id)
        else
          still[room_id] = since
        end
      end
    end
  until #page < 200
  state.empty_rooms = still
end

return rooms
