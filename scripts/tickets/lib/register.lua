-- The clients that are connected, as staff see them: ns.state.clients = {socket id -> record}.
local option = require "shared.option"

local ROOMS = option.count("tickets.rooms_per_client", 32)

local register = {}

local function all(state)
  if not state.clients then
    state.clients, state.client_count, state.last_client = {}, 0, 0
  end
  return state.clients
end

--- A client's record: the one that it left, if its connection is recovered; else a new one.
function register.add(state, socket)
  local clients, client = all(state), socket.recovered and socket.data.client
  if not client then
    state.last_client = state.last_client + 1
    client = { id = socket.id, clientId = state.last_client,
               connectedAt = iso_time(), rooms = json.array {} }
  end
  clients[socket.id], state.client_count = client, state.client_count + 1
  return client
end

function register.remove(state, socket)
  local client = all(state)[socket.id]
  if client then
    state.clients[socket.id], state.client_count = nil, state.client_count - 1
    socket.data.client = client
  end
  return client
end

function register.of(state, socket) return all(state)[socket.id] end

function register.count(state)
  all(state)
  return state.client_count
end

--- Its place among the client's rooms; nil if it is not in there.
local function place_of(client, room)
  for i, each in ipairs(client.rooms) do
    if each == room then return i end
  end
  return nil
end

function register.is_in(client, room) return place_of(client, room) ~= nil end

--- Notes that a client joins a room; false if it is there already.
function register.join(client, room)
  if register.is_in(client, room) then return false end
  if #client.rooms >= ROOMS then
    fail("busy", string.format("a client may be in %d rooms, which is the limit", ROOMS))
  end
  table.insert(client.rooms, room)
  return true
end

--- Notes that it left; false if it was not there.
function register.leave(client, room)
  local place = place_of(client, room)
  if not place then return false end
  table.remove(client.rooms, place)
  local field = room == "service-" .. tostring(client.serviceType) and "serviceType"
    or room == "counter-" .. tostring(client.counterId) and "counterId"
  if field then client[field] = nil end
  return true
end

--- A copy of a client's record for others; nil if there is none.
function register.shown(client)
  if not client then return nil end
  local shown = {}
  for field, value in pairs(client) do shown[field] = value end
  shown.minute, shown.errors = nil, nil
  return shown
end

--- Clients after this clientId, first come first, at most `limit`; and whether there are more.
function register.page(state, after, limit)
  local found = {}
  for _, client in pairs(all(state)) do
    if client.clientId > after then found[#found + 1] = client end
  end
  table.sort(found, function(a, b) return a.clientId < b.clientId end)
  local page = json.array {}
  for i = 1, math.min(limit, #found) do page[i] = register.shown(found[i]) end
  return page, #found > limit
end

return register
