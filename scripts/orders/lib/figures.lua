-- Figures for those who run it: connections, messages a second, latency, reconnections and failed
-- authentications; counted since the process began.
local identity = require "lib.identity"
local suspicion = require "lib.suspicion"

local figures = {}

local SAMPLE_SECONDS = 10
local RETURN_SECONDS, MOST_LEFT = 300, 10000

local function counters(ns)
  local state = ns.state
  if not state.figures then
    state.figures = {
      since = now(), connects = 0, disconnects = 0, reconnections = 0, recoveries = 0,
      failedAuthentications = 0, suspicious = 0, eventsReceived = 0, eventsReceivedPerSecond = 0,
      emitterDone = 0, emitterFailed = 0,
    }
    state.left, state.left_count = {}, 0
  end
  return state.figures
end

function figures.count(ns, name)
  local all = counters(ns)
  all[name] = (all[name] or 0) + 1  -- a newer version's, after a reload
end

function figures.arrive(ns, socket)
  local all, state = counters(ns), ns.state
  local left = state.left[socket.data.user.party]
  all.connects = all.connects + 1
  if socket.recovered then all.recoveries = all.recoveries + 1 end
  if left then
    if now() - left <= RETURN_SECONDS then all.reconnections = all.reconnections + 1 end
    state.left[socket.data.user.party], state.left_count = nil, state.left_count - 1
  end
end

function figures.leave(ns, socket)
  figures.count(ns, "disconnects")
  local state, party = ns.state, socket.data.user.party
  if not state.left[party] then
    if state.left_count >= MOST_LEFT then return end
    state.left_count = state.left_count + 1
  end
  state.left[party] = now()
end

--- Something that looks like mischief of the user.
function figures.suspect(ns, kind, user, address, detail)
  figures.count(ns, "suspicious")
  suspicion.note(ns, {
    kind = kind, user = user and user.party, address = address, detail = detail,
  })
end

--- A token that was none, or not good.
function figures.refuse(ns, socket, why)
  figures.count(ns, "failedAuthentications")
  figures.suspect(ns, "auth_failed", socket.data.user, socket.handshake.address, why)
end

local function latency_of(ns)
  local sum, count = 0, 0
  for _, socket in ipairs(ns:to("users"):fetch()) do
    if socket.latency then sum, count = sum + socket.latency, count + 1 end
  end
  return count > 0 and math.floor(sum / count * 1e4 + 0.5) / 10 or nil
end

--- All of them, as they are now.
function figures.report(ns)
  local all, report = counters(ns), {}
  for name, value in pairs(all) do report[name] = value end
  report.since = iso_time(all.since)
  report.connections = { total = ns:to("users"):count() }
  for _, kind in ipairs(identity.TYPES) do
    report.connections[kind] = ns:to(kind .. "s"):count()
  end
  report.latencyMs = latency_of(ns)
  return report
end

--- Counts by the second, and forgets who left long ago.
function figures.watch(ns)
  local before
  every(SAMPLE_SECONDS, function()
    local all, state = counters(ns), ns.state
    local rate = (all.eventsReceived - (before or all.eventsReceived)) / SAMPLE_SECONDS
    before, all.eventsReceivedPerSecond = all.eventsReceived, rate
    for party, at in pairs(state.left) do
      if now() - at > RETURN_SECONDS then
        state.left[party], state.left_count = nil, state.left_count - 1
      end
    end
  end)
  suspicion.watch(ns)
end

return figures
