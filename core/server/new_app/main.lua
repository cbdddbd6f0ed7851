-- Messages between everybody in a room.
local ns = namespace "/{{name}}"
local schema = require "schema"

local MAX_LENGTH = setting("{{name}}.max_length", 500)

-- What clients send and hear: checked here, and what `moonwire types` writes types from.
local Room = schema.string { min = 1, max = 64 }
local Draft = schema.named("Draft", schema.object {
  room = Room,
  text = schema.string { min = 1, max = MAX_LENGTH },
})
local Message = schema.named("Message", schema.object {
  room = Room,
  text = schema.string(),
  from = schema.string(),
  at = schema.string { format = "date-time" },
})

ns:emits("message", Message)

-- Before a client is in: who is it?
ns:use(function(socket)
  local name = socket.handshake.auth.name
  if type(name) ~= "string" or name == "" then fail("unauthorized", "auth.name is missing") end
  socket.data.user = { name = name }
end)

ns:on("join", { Room, returns = schema.object { members = schema.integer() } }, function(socket, room)
  socket:join("room:" .. room)
  return { members = ns:to("room:" .. room):count() }
end)

ns:on("send", { Draft, returns = schema.object { ok = schema.boolean() } }, function(socket, draft)
  ns:to("room:" .. draft.room):emit("message", {
    room = draft.room, text = draft.text, from = socket.data.user.name, at = iso_time(),
  })
  return { ok = true }
end)

-- Needs no code: to the others in the room, at most five a second from each client.
ns:relay("typing", {
  to = "room:{room}", volatile = true, rate = { 5, 1 }, schema = schema.object { room = Room },
})
