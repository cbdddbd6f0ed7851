-- The broker's side of the fault tests (fault_proxy_test.js): numbers for every client that ever
-- was, also while it is away; ticks for the witnesses; calls both ways, each counted.
local ns = namespace "/"
local state = {
  numbers = {},                 -- client's name -> the last number sent to it
  seen = {}, repeated = 0,      -- a call that runs twice is a call that was delivered twice
  asked = 0, answered = 0, ticks = 0,
}

ns:on_connect(function(socket)
  if socket.recovered then return end
  local name = socket.handshake.auth.name
  socket.data.name = name
  socket:join(name and "client " .. name or socket.handshake.auth.quiet and "quiet" or "witnesses")
  if name then state.numbers[name] = state.numbers[name] or 0 end
end)

local function note(socket, n)
  local key = (socket.data.name or socket.id) .. " " .. n
  if state.seen[key] then state.repeated = state.repeated + 1 end
  state.seen[key] = true
end

ns:on("echo", function(socket, n, value)
  note(socket, n)
  return n, value
end)
ns:on("ask me", function(socket, n)
  note(socket, n)
  state.asked = state.asked + 1
  local answer, reason = socket:timeout(3):call("question", n)
  state.answered = state.answered + 1
  return n, answer or reason
end)
ns:on("tell the quiet", function(_, n)
  ns:to("quiet"):emit("quiet", n)
  return true
end)
ns:on("who", function(socket)
  return { name = socket.data.name, rooms = socket.rooms, recovered = socket.recovered }
end)
ns:on("report", function()
  return { repeated = state.repeated, asked = state.asked, answered = state.answered }
end)

every(0.01, function()
  state.ticks = state.ticks + 1
  ns:to("witnesses"):emit("tick", state.ticks)
  for name, last in pairs(state.numbers) do
    state.numbers[name] = last + 1
    ns:to("client " .. name):emit("number", last + 1)
  end
end)
