-- What the gateway counts. Plain data in state.stats: totals, and by the second for the rates,
-- which are of the last minute. Names that clients make up are counted together.
local stats = {}

local WINDOW = 60
local NAMES = 100

local function all(state)
  if not state.stats then
    state.stats = {
      connections = 0, peak = 0, received = 0, sent = 0, errors = 0,
      received_by_event = {}, sent_by_event = {}, errors_by_code = {}, seconds = {}, names = 0,
    }
  end
  return state.stats
end

--- This second's entry of the ring.
local function second_of(counters)
  local second = math.floor(now())
  local slot = second % WINDOW + 1
  local entry = counters.seconds[slot]
  if not entry or entry.second ~= second then
    entry = { second = second, received = 0, sent = 0, errors = 0 }
    counters.seconds[slot] = entry
  end
  return entry
end

local function add(state, what, by, name, count)
  local counters = all(state)
  counters[what] = counters[what] + count
  local entry = second_of(counters)
  entry[what] = entry[what] + count
  local names = counters[by]
  if not names[name] then
    if counters.names >= NAMES then name = "other" else counters.names = counters.names + 1 end
  end
  names[name] = (names[name] or 0) + count
end

function stats.received(state, event) add(state, "received", "received_by_event", event, 1) end

function stats.failed(state, code) add(state, "errors", "errors_by_code", code, 1) end

--- An event that went out to so many sockets.
function stats.sent(state, event, receivers)
  if receivers > 0 then add(state, "sent", "sent_by_event", event, receivers) end
end

--- A connection, of which there are so many now.
function stats.connected(state, present)
  local counters = all(state)
  counters.connections = counters.connections + 1
  counters.peak = math.max(counters.peak, present)
end

--- The figures; rates are a second, over the last minute (or as long as the broker runs).
function stats.figures(state, uptime)
  local counters = all(state)
  local since = math.floor(now()) - WINDOW
  local sums = { received = 0, sent = 0, errors = 0 }
  for _, entry in pairs(counters.seconds) do
    if entry.second > since then
      for name in pairs(sums) do sums[name] = sums[name] + entry[name] end
    end
  end
  local seconds = math.max(1, math.min(WINDOW, uptime))
  local function rate(sum) return math.floor(sum / seconds * 1000 + 0.5) / 1000 end
  local events = sums.received + sums.errors
  return {
    connections = { total = counters.connections, peak = counters.peak },
    events = {
      received = counters.received, sent = counters.sent,
      receivedByEvent = counters.received_by_event, sentByEvent = counters.sent_by_event,
    },
    errors = { total = counters.errors, byCode = counters.errors_by_code },
    rates = {
      receivedPerSecond = rate(sums.received), sentPerSecond = rate(sums.sent),
      errorsPerSecond = rate(sums.errors),
      errorShare = events == 0 and 0 or math.floor(sums.errors / events * 1000 + 0.5) / 1000,
    },
  }
end

--- Average, 95th percentile and maximum of the sockets' heartbeat round trips, in milliseconds.
function stats.latency(sockets)
  local measured = {}
  for _, socket in ipairs(sockets) do
    if socket.latency then measured[#measured + 1] = socket.latency * 1000 end
  end
  if #measured == 0 then return { measured = 0 } end
  table.sort(measured)
  local sum = 0
  for _, each in ipairs(measured) do sum = sum + each end
  local function rounded(ms) return math.floor(ms * 100 + 0.5) / 100 end
  return {
    measured = #measured, averageMs = rounded(sum / #measured),
    p95Ms = rounded(measured[math.ceil(#measured * 0.95)]), maxMs = rounded(measured[#measured]),
  }
end

return stats
