-- /gateway: dynamic rooms, by events and over HTTP.
local ns = namespace "/gateway"

local schema = require "schema"
local events = require "lib.events"
local identity = require "lib.identity"
local option = require "shared.option"
local paging = require "shared.paging"
local publishing = require "lib.publishing"
local rate = require "lib.rate"
local rooms = require "lib.rooms"
local sending = require "lib.sending"

local SWEEP_SECONDS = option.amount("rooms.sweep_seconds", 30)
local SENDERS, READERS = { "admin", "service" }, { "admin", "service", "monitor" }

local id = identity.id
local WISH = {
  roomId = id,
  access = schema.default(schema.enum { "public", "private" }, "public"),
  members = schema.optional(schema.array(id, { max = 100 })),
  metadata = schema.optional(schema.object {}),
}
local room_wish = schema.named("NewRoom", schema.object(WISH))
local membership = schema.named("Membership", schema.object { roomId = id, userId = id })
local own = schema.named("RoomAndUser", schema.object { roomId = id, userId = schema.optional(id) })
local done = schema.named("InRoom", schema.object { success = schema.enum { true }, roomId = id })
local message = schema.named("RoomMessage", schema.object {
  id = schema.integer(), roomId = id, from = schema.nullable(id), message = schema.any(),
  timestamp = schema.string(), messageId = schema.optional(schema.string()),
})
ns:emits("room_message", message)

local function describe(room_id, room)
  return {
    roomId = room_id, owner = room.owner or null, access = room.access,
    persistent = room.persistent or false, metadata = room.metadata, createdAt = room.created,
    connected = ns:to(rooms.name(room_id)):count(),
  }
end

local function item(entry)
  entry.value.id = entry.id
  return entry.value
end

-- What users do --------------------------------------------------------------------------------

events.on(ns, "create_room", { room_wish, returns = done }, function(socket, wish)
  sending.refuse_unfit("metadata", wish.metadata)
  rooms.create(ns, wish.roomId, socket.data.who.userId, wish)
  return { success = true, roomId = wish.roomId }
end)

events.on(ns, "join_room", { own, returns = done }, function(socket, data)
  local user_id = socket.data.who.userId
  rooms.join(ns, data.roomId, data.userId or user_id, user_id)
  return { success = true, roomId = data.roomId }
end)

events.on(ns, "leave_room", { own, returns = done }, function(socket, data)
  local user_id = socket.data.who.userId
  rooms.leave(ns, data.roomId, data.userId or user_id, user_id)
  return { success = true, roomId = data.roomId }
end)

local function refuse_strangers(socket, room_id)
  local user_id = socket.data.who.userId
  rooms.find(ns.store, room_id)
  if not rooms.is_member(ns.store, room_id, user_id) then
    fail("forbidden", "not a member of room '" .. room_id .. "'")
  end
  return user_id
end

events.on(ns, "room_message", {
  schema.object {
    roomId = id, message = sending.content,
    messageId = schema.optional(schema.string { max = 128 }),
  },
  returns = schema.object { success = schema.enum { true }, id = schema.integer() },
}, function(socket, data)
  rate.refuse_over(ns.state, "messages", socket.data.who.userId)
  sending.refuse_unfit("message", data.message)
  local user_id = refuse_strangers(socket, data.roomId)
  local message_id = publishing.now(ns, "room_message", {
    roomId = data.roomId, from = user_id, message = data.message, messageId = data.messageId,
    timestamp = iso_time(),
  })
  return { success = true, id = message_id }
end)

events.on(ns, "room_history", {
  schema.object(paging.fields { roomId = id }),
  returns = schema.object { items = schema.array(message), next = schema.any() },
}, function(socket, data)
  refuse_strangers(socket, data.roomId)
  local page = paging.stream(ns.store, rooms.stream(data.roomId), paging.of(data), item)
  page.next = page.next or null
  return page
end)

-- What the back end does -----------------------------------------------------------------------

WISH.owner = schema.optional(id)
WISH.persistent = schema.optional(schema.boolean())

events.route(ns, "GET", "/socket/rooms", { roles = READERS }, function(request)
  local page = paging.keys(ns.store, "room:", paging.of(request.query, { by = "key" }),
    function(entry) return describe(entry.key, entry.value) end)
  return 200, { rooms = page.items, next = page.next, total = rooms.count(ns.store) }
end)

events.route(ns, "POST", "/socket/rooms", { roles = SENDERS, body = schema.object(WISH) },
  function(request)
    local wish = request.json
    sending.refuse_unfit("metadata", wish.metadata)
    local room = rooms.create(ns, wish.roomId, wish.owner, wish)
    return 201, { success = true, room = describe(wish.roomId, room) }
  end)

events.route(ns, "GET", "/socket/rooms/:roomId", { roles = READERS }, function(request)
  local room_id = request.params.roomId
  local found = describe(room_id, rooms.find(ns.store, room_id))
  found.members = json.array(rooms.members(ns.store, room_id))
  return 200, found
end)

events.route(ns, "DELETE", "/socket/rooms/:roomId", { roles = SENDERS }, function(request)
  rooms.remove(ns, request.params.roomId)
  return 204
end)

events.route(ns, "GET", "/socket/rooms/:roomId/messages", { roles = READERS }, function(request)
  local room_id = request.params.roomId
  rooms.find(ns.store, room_id)
  local page = paging.stream(ns.store, rooms.stream(room_id), paging.of(request.query), item)
  return 200, { messages = page.items, next = page.next }
end)

for _, what in ipairs { "join", "leave" } do
  events.route(ns, "POST", "/socket/rooms/" .. what, { roles = SENDERS, body = membership },
    function(request)
      local data = request.json
      local sockets = rooms[what](ns, data.roomId, data.userId)
      return 200, { success = true, roomId = data.roomId, userId = data.userId, sockets = sockets }
    end)
end

events.route(ns, "POST", "/socket/rooms/message", {
  roles = SENDERS,
  body = schema.object(sending.when {
    roomId = id, message = sending.content, from = schema.optional(id),
  }),
}, function(request)
  local data = request.json
  sending.refuse_unfit("message", data.message)
  rooms.find(ns.store, data.roomId)
  return sending.send(ns, "room_message", {
    roomId = data.roomId, from = data.from or null, message = data.message, timestamp = iso_time(),
  }, data)
end)

every(SWEEP_SECONDS, function() rooms.sweep(ns) end)
