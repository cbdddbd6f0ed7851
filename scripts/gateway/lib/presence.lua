-- Who is connected. Plain data: state.users = {userId -> {sockets = {id -> {sessionId, since}},
-- count, since, active}}, and how many there are of sockets and users.
local presence = {}

local function all(state)
  if not state.users then state.users, state.user_count, state.socket_count = {}, 0, 0 end
  return state.users
end

--- A socket is in (or has come back).
function presence.add(state, socket)
  local who = socket.data.who
  local users = all(state)
  local user = users[who.userId]
  if not user then
    user = { sockets = {}, count = 0, since = now() }
    users[who.userId] = user
    state.user_count = state.user_count + 1
  end
  user.active = now()
  if user.sockets[socket.id] then return end
  user.sockets[socket.id] = { sessionId = who.sessionId, since = now() }
  user.count = user.count + 1
  state.socket_count = state.socket_count + 1
end

function presence.remove(state, socket)
  local who = socket.data.who
  local user = all(state)[who.userId]
  if not user or not user.sockets[socket.id] then return end
  user.sockets[socket.id] = nil
  user.count = user.count - 1
  state.socket_count = state.socket_count - 1
  if user.count == 0 then
    state.users[who.userId] = nil
    state.user_count = state.user_count - 1
  end
end

--- The user does something.
function presence.touch(state, socket)
  local user = all(state)[socket.data.who.userId]
  if user then user.active = now() end
end

function presence.users(state) return all(state) end

function presence.find(state, user_id) return all(state)[user_id] end

--- The sessions of those who are here, {sessionId -> userId}.
function presence.sessions(state)
  local sessions = {}
  for user_id, user in pairs(all(state)) do
    for _, socket in pairs(user.sockets) do sessions[socket.sessionId] = user_id end
  end
  return sessions
end

--- How many sockets, users and sessions.
function presence.counts(state)
  local different = 0
  for _ in pairs(presence.sessions(state)) do different = different + 1 end
  return { sockets = state.socket_count, users = state.user_count, sessions = different }
end

return presence
