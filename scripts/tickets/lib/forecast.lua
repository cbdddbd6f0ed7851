-- What the figures say: how long one will wait, how loaded each counter is, and which service a
-- free counter should take next.
local counters = require "lib.counters"
local queues = require "lib.queues"
local services = require "lib.services"

local forecast = {}

local function rounded(seconds) return math.floor(math.max(0, seconds) * 10 + 0.5) / 10 end

--- Seconds that who stands at this place of the queue will wait: those before it share the counters
--- that serve (at least one, which will open), and free counters take the first ones at once.
function forecast.wait(records, service_type, position)
  local able, free = 0, 0
  for _, counter in pairs(records.counters) do
    if counters.serves(counter, service_type) then
      if counter.status == "open" then free = free + 1 end
      if counter.status == "open" or counter.status == "busy" then able = able + 1 end
    end
  end
  local each = services.seconds(records.services[service_type])
  return rounded(math.max(0, position - free) * each / math.max(1, able))
end

--- The tickets that are being served, {service -> list}, as far as there are any.
function forecast.serving(records)
  local serving = {}
  for _, ticket in pairs(records.tickets) do
    if ticket.status == "serving" then
      serving[ticket.serviceType] = serving[ticket.serviceType] or {}
      table.insert(serving[ticket.serviceType], ticket)
    end
  end
  return serving
end

local function numbers_of_services(records)
  local serving, list = forecast.serving(records), {}
  for service_type, record in pairs(records.services) do
    local today, queue = services.figures(record), queues.of(records, service_type)
    local first = records.tickets[queue[1]]
    list[#list + 1] = {
      serviceType = service_type, waiting = #queue, serving = #(serving[service_type] or {}),
      longestWaitSeconds = first and rounded(now() - first.createdAt) or 0,
      estimatedWaitSeconds = forecast.wait(records, service_type, #queue + 1),
      averageWaitSeconds = rounded(record.waitSeconds or 0),
      averageServiceSeconds = rounded(services.seconds(record)),
      created = today.created, completed = today.completed, cancelled = today.cancelled,
      expired = today.expired,
    }
  end
  table.sort(list, function(a, b) return a.serviceType < b.serviceType end)
  return list
end

--- Among how many services it can choose.
local function choice(counter) return counter.services and #counter.services or math.huge end

--- Which waiting ticket each free counter should take, {counter id -> ticket}: the first of the
--- service with the most work before it (people times what one takes), of two alike the one whose
--- first waits longest. A service that a counter was sent to counts as one shorter for the next.
--- Counters that serve fewer services choose first, as others can go elsewhere.
function forecast.advice(records)
  local free, taken, advice = {}, {}, {}
  for _, counter in pairs(records.counters) do
    if counter.status == "open" then free[#free + 1] = counter end
  end
  table.sort(free, function(a, b)
    local one, other = choice(a), choice(b)
    if one ~= other then return one < other end
    return a.counterId < b.counterId
  end)
  for _, counter in ipairs(free) do
    local best, most, since
    for service_type, record in pairs(records.services) do
      local queue = queues.of(records, service_type)
      local skip = taken[service_type] or 0
      local ticket = records.tickets[queue[skip + 1]]
      if ticket and counters.serves(counter, service_type) then
        local work = (#queue - skip) * services.seconds(record)
        if not best or work > most or work == most and ticket.createdAt < since then
          best, most, since = ticket, work, ticket.createdAt
        end
      end
    end
    if best then
      advice[counter.counterId] = best
      taken[best.serviceType] = (taken[best.serviceType] or 0) + 1
    end
  end
  return advice
end

--- All counters with their load and what they should do next, by id.
function forecast.counters(records)
  local advice, list = forecast.advice(records), {}
  for counter_id, record in pairs(records.counters) do
    local today, since = counters.figures(record)
    local ticket, following = records.tickets[record.ticketId], advice[counter_id]
    local busy = today.busySeconds
    if ticket then busy = busy + now() - math.max(ticket.servedAt, since) end
    list[#list + 1] = {
      counterId = counter_id, name = record.name, status = record.status,
      services = record.services, served = today.served,
      ticketId = record.ticketId, ticketNumber = ticket and ticket.ticketNumber,
      averageServiceSeconds = rounded(record.serviceSeconds or 0),
      load = math.floor(100 * math.min(1, busy / math.max(1, now() - since)) + 0.5) / 100,
      nextService = following and following.serviceType,
      nextTicketId = following and following.ticketId,
      nextTicketNumber = following and following.ticketNumber,
    }
  end
  table.sort(list, function(a, b) return a.counterId < b.counterId end)
  return list
end

--- All of it, as the dashboard gets it.
function forecast.metrics(records, connected)
  local metrics = {
    timestamp = iso_time(), connectedClients = connected,
    totalWaiting = 0, totalServing = 0, openCounters = 0,
    services = json.array(numbers_of_services(records)),
    counters = json.array(forecast.counters(records)),
  }
  for _, service in ipairs(metrics.services) do
    metrics.totalWaiting = metrics.totalWaiting + service.waiting
    metrics.totalServing = metrics.totalServing + service.serving
  end
  for _, counter in ipairs(metrics.counters) do
    if counter.status == "open" or counter.status == "busy" then
      metrics.openCounters = metrics.openCounters + 1
    end
  end
  return metrics
end

--- A service's queue in short; `serving` is forecast.serving(records), for who asks for many.
function forecast.queue(records, service_type, serving)
  local waiting = #queues.of(records, service_type)
  serving = (serving or forecast.serving(records))[service_type] or {}
  return {
    serviceType = service_type, waiting = waiting, serving = #serving,
    estimatedWaitSeconds = forecast.wait(records, service_type, waiting + 1),
    timestamp = iso_time(),
  }
end

return forecast
