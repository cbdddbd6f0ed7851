-- /gateway: how it is, how much there is, and who is there.
local ns = namespace "/gateway"

local events = require "lib.events"
local paging = require "shared.paging"
local presence = require "lib.presence"
local rooms = require "lib.rooms"
local stats = require "lib.stats"

local READERS = { "admin", "service", "monitor" }

spawn(function() ns.state.started = ns.state.started or now() end)

local function uptime() return now() - (ns.state.started or now()) end

local function rounded(seconds) return math.floor(seconds * 1000) / 1000 end

events.route(ns, "GET", "/socket/health", {}, function()
  local work, problems = ask("/workers", "figures"), {}
  local counts = presence.counts(ns.state)
  local _, why = ns.store:get("health")
  if why then problems[#problems + 1] = "store: " .. why end
  if not work then
    problems[#problems + 1] = "workers: no answer"
  elseif work.workers == 0 then
    problems[#problems + 1] = "workers: none is connected"
  end
  local status = why and "unhealthy" or #problems > 0 and "degraded" or "healthy"
  return why and 503 or 200, {
    status = status, problems = json.array(problems), uptime = rounded(uptime()),
    connections = counts.sockets, users = counts.users, workers = work and work.workers or 0,
    pendingRequests = work and work.pending or 0, timestamp = iso_time(),
  }
end)

events.route(ns, "GET", "/socket/stats", { roles = READERS }, function()
  local figures = stats.figures(ns.state, uptime())
  local counts = presence.counts(ns.state)
  figures.uptime = rounded(uptime())
  figures.connections.current = counts.sockets
  figures.users, figures.sessions = counts.users, counts.sessions
  figures.rooms = rooms.count(ns.store)
  figures.latency = stats.latency(ns:fetch())
  figures.requests = ask("/workers", "figures") or null
  return 200, figures
end)

--- A user's connections; each with its latency.
local function describe(user_id, user)
  local sockets = {}
  for id, socket in pairs(user.sockets) do
    sockets[#sockets + 1] = { socketId = id, sessionId = socket.sessionId,
                              connectedAt = iso_time(socket.since) }
  end
  table.sort(sockets, function(a, b) return a.socketId < b.socketId end)
  for _, socket in ipairs(ns:to("user:" .. user_id):fetch()) do
    for _, described in ipairs(sockets) do
      if described.socketId == socket.id then
        described.transport = socket.transport
        described.latencyMs = socket.latency and rounded(socket.latency * 1000)
      end
    end
  end
  return { userId = user_id, connectedAt = iso_time(user.since),
           lastActivity = iso_time(user.active), sockets = sockets }
end

events.route(ns, "GET", "/socket/users", { roles = READERS }, function(request)
  local asked = paging.of(request.query, { by = "key" })
  local page = paging.table(presence.users(ns.state), asked, describe)
  return 200, { users = page.items, next = page.next, total = presence.counts(ns.state).users }
end)

events.route(ns, "GET", "/socket/users/:userId/connected", {
  roles = READERS, may = function(request) return request.user.sub == request.params.userId end,
}, function(request)
  local user = presence.find(ns.state, request.params.userId)
  return 200, { userId = request.params.userId, connected = user ~= nil,
                sockets = user and user.count or 0 }
end)

events.route(ns, "GET", "/socket/workers", { roles = READERS }, function()
  local list, why = ask("/workers", "list")
  if not list then fail("unavailable", why) end
  return 200, { workers = list }
end)
