-- What the client matrix asks of a broker (tests/README.md). A `tag` keeps apart the runs that share
-- the broker.
local ns = namespace "/"

ns:on("who", function(socket)
  return { transport = socket.transport, secure = socket.handshake.secure }
end)
ns:on("say", function(socket, value) socket:emit("said", value) end)
ns:on("echo", function(_, value) return value end)
ns:on("ask me", function(socket, question)
  local answer, reason = socket:timeout(10):call("question", question)
  return { answer = answer, reason = reason }
end)
ns:on("tell all", function(_, message) ns:emit("told all", message) end)
ns:on("join", function(socket, tag) socket:join(tag) return true end)
ns:on("tell room", function(_, message) ns:to(message.tag):emit("told room", message) end)

-- Where the clients in a browser live: a page of the broker's own origin.
route("GET", "/page", function()
  return 200, "<!doctype html><title>matrix</title>", { ["content-type"] = "text/html" }
end)
