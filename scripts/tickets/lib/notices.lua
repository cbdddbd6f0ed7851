-- What changes look like to clients, and who hears of them.
local contract = require "lib.contract"
local forecast = require "lib.forecast"
local queues = require "lib.queues"

local notices = {}

--- Declares the events, for clients' types and for checks.
function notices.declare(ns)
  for _, became in ipairs { "Created", "Serving", "Completed", "Cancelled" } do
    ns:emits("ticket" .. became, contract.ticket)
  end
  ns:emits("queueUpdated", contract.queue)
  ns:emits("counterStatusChange", contract.counter_change)
end

local function time(seconds) return seconds and iso_time(seconds) end

local function seconds_between(from, to) return from and to and math.max(0, to - from) end

--- A ticket as others may see it: whose it is stays with the office.
function notices.shown(records, ticket)
  local place
  if ticket.status == "waiting" then
    place = queues.place(queues.of(records, ticket.serviceType), ticket.ticketId)
  end
  return {
    ticketId = ticket.ticketId, ticketNumber = ticket.ticketNumber, number = ticket.number,
    serviceType = ticket.serviceType, status = ticket.status,
    position = place,
    estimatedWaitSeconds = place and forecast.wait(records, ticket.serviceType, place),
    counterId = ticket.counterId, counterName = ticket.counterName,
    waitSeconds = seconds_between(ticket.createdAt, ticket.servedAt),
    serviceSeconds = ticket.status == "completed"
      and seconds_between(ticket.servedAt, ticket.closedAt) or nil,
    createdAt = time(ticket.createdAt), servedAt = time(ticket.servedAt),
    closedAt = time(ticket.closedAt), timestamp = iso_time(),
  }
end

--- To the service's queue, the dashboard and the ticket's owner.
function notices.ticket(ns, records, event, ticket)
  ns:to { "service-" .. ticket.serviceType, "dashboard", "user-" .. ticket.userId }
    :emit(event, notices.shown(records, ticket))
end

function notices.queue(ns, records, service_type)
  ns:to { "service-" .. service_type, "dashboard" }
    :emit("queueUpdated", forecast.queue(records, service_type))
end

function notices.counter(ns, records, counter, before)
  local ticket = records.tickets[counter.ticketId]
  ns:to { "counter-" .. counter.counterId, "dashboard" }:emit("counterStatusChange", {
    counterId = counter.counterId, name = counter.name,
    status = counter.status, previousStatus = before,
    ticketId = counter.ticketId, ticketNumber = ticket and ticket.ticketNumber,
    timestamp = iso_time(),
  })
end

return notices
