-- The events every test namespace understands; a client tells the server what to do to it.
return function(ns)
  -- In a family, `ns` is all of its members: this is the one that the client is in.
  local function here(socket) return namespace_of(socket.nsp) end

  ns:on("message", function(socket, ...) socket:emit("message-back", ...) end)
  ns:on("message-with-ack", function(socket, ...) return ... end)

  -- What the server knows of the client.
  ns:on("who", function(socket)
    local handshake = socket.handshake
    return {
      id = socket.id, nsp = socket.nsp, params = socket.params, transport = socket.transport,
      rooms = socket.rooms, recovered = socket.recovered,
      headers = handshake.headers, query = handshake.query, auth = handshake.auth,
      address = handshake.address, secure = handshake.secure, xdomain = handshake.xdomain,
      url = handshake.url, issued = handshake.issued,
    }
  end)
  ns:on("transport", function(socket) return socket.transport end)

  -- Rooms and broadcasts.
  ns:on("join", function(socket, room) socket:join(room) return true end)
  ns:on("leave", function(socket, room) socket:leave(room) return true end)
  ns:on("all", function(socket, ...) here(socket):emit("said", ...) end)
  ns:on("family", function(socket, ...) ns:emit("said", ...) end)
  ns:on("others", function(socket, ...) socket:broadcast():emit("said", ...) end)
  ns:on("room", function(socket, room, ...) here(socket):to(room):emit("said", ...) end)
  ns:on("room-event", function(socket, room, ...) here(socket):to(room):emit(...) end)
  ns:on("room-others", function(socket, room, ...) socket:to(room):emit("said", ...) end)
  ns:on("except", function(socket, room, ...) here(socket):except(room):emit("said", ...) end)

  -- The server asks: the client's answers come back in the acknowledgement.
  ns:on("call-me", function(socket, seconds, ...)
    local replies = { socket:timeout(seconds):call(...) }
    if replies[1] == nil then return { error = replies[2] } end
    return { replies = json.array(replies) }
  end)
  ns:on("call-room", function(socket, room, seconds, ...)
    local replies, err = here(socket):to(room):timeout(seconds):call(...)
    return { replies = replies, error = err }
  end)

  -- Sending in ways of its own.
  ns:on("count", function(socket, n)
    for i = 1, n do socket:emit("number", i) end
  end)
  ns:on("volatile", function(socket, n)
    for i = 1, n do socket:volatile():emit("maybe", i, ("x"):rep(1000)) end
    return n
  end)
  ns:on("big", function(socket, n) return ("x"):rep(n) end)
  ns:on("later", function(socket, seconds, ...)
    sleep(seconds)
    return ...
  end)

  -- Failing and leaving.
  ns:on("refuse", function(socket, code, message, data) fail(code, message, data) end)
  ns:on("bug", function(socket) error("a bug of the test's own") end)
  ns:on("silent", function(socket) return noack end)
  ns:on("kick", function(socket, close)
    socket:disconnect(close)
    return true
  end)

  -- Watchers hear of everyone who leaves.
  ns:on("watch", function(socket) socket:join("watchers") return true end)
  ns:on_disconnect(function(socket, reason)
    here(socket):to("watchers"):emit("left", socket.id, reason)
  end)
end
