-- The work behind the events: tickets are taken, served once and completed, at counters that open
-- and close. Every change is on the disk before anybody hears of it.
local contract = require "lib.contract"
local counters = require "lib.counters"
local day = require "lib.day"
local forecast = require "lib.forecast"
local ledger = require "lib.ledger"
local notices = require "lib.notices"
local queues = require "lib.queues"
local services = require "lib.services"
local schema = require "schema"
local option = require "shared.option"

local QUEUE_LIMIT = option.count("tickets.queue_limit", 500)
local OPEN_PER_USER = option.count("tickets.open_per_user", 20)
local CARRY_OVER = option.of("tickets.carry_over", schema.boolean(), false)
local KEEP_DAYS = option.count("tickets.keep_days", 7)

local office = {}
office.__index = office

function office.open(ns) return setmetatable({ ns = ns, ledger = ledger.open(ns) }, office) end

local function copy(record)
  local made = {}
  for key, value in pairs(record) do made[key] = value end
  return made
end

local function refuse_if_many(records, queue, order)
  if #queue >= QUEUE_LIMIT then
    fail("busy", string.format("%d people wait for %s, which is the limit", QUEUE_LIMIT,
                               order.serviceType))
  end
  local open = 0
  for _, ticket in pairs(records.tickets) do
    if ticket.userId == order.userId then open = open + 1 end
  end
  if open >= OPEN_PER_USER then
    fail("conflict", string.format("%s has %d open tickets, which is the limit", order.userId,
                                   OPEN_PER_USER))
  end
end

--- Takes a ticket for `order`, {serviceType, userId}; returns it.
function office:take(order)
  services.refuse_unknown(order.serviceType)
  return self.ledger:alone(function(records)
    local service = services.today(records, order.serviceType)
    refuse_if_many(records, queues.of(records, order.serviceType), order)
    service.last, service.created = service.last + 1, service.created + 1
    local ticket = {
      ticketId = uuid(), number = service.last, day = service.day,
      ticketNumber = string.format("%s-%03d", service.prefix, service.last),
      serviceType = order.serviceType, userId = order.userId,
      status = "waiting", createdAt = now(),
    }
    self.ledger:write(records, {
      tickets = { [ticket.ticketId] = ticket }, services = { [order.serviceType] = service },
    })
    queues.join(records, ticket)
    notices.ticket(self.ns, records, "ticketCreated", ticket)
    notices.queue(self.ns, records, ticket.serviceType)
    return ticket
  end)
end

--- Its ticket, to be changed and written; `to` is the state that it shall come to.
function office:ticket_for(ticket_id, to)
  local found = self.ledger:ticket(ticket_id)
  if not found then fail("not_found", "there is no ticket '" .. ticket_id .. "'") end
  local ticket = copy(found)
  if ticket.status == "serving" and to == "serving" then
    fail("conflict", string.format("%s is being served at %s", ticket.ticketNumber,
                                   ticket.counterName),
         { from = "serving", to = to, counterId = ticket.counterId })
  end
  ticket.status = contract.ticket_states:move(ticket.status, to, ticket.ticketNumber)
  return ticket
end

--- Serves a waiting ticket at a counter that is open; one that nobody opened is by that. Of two
--- counters after one ticket the first has it, the other gets a conflict.
function office:serve(ticket_id, counter_id)
  return self.ledger:alone(function(records)
    local ticket = self:ticket_for(ticket_id, "serving")
    local counter = counters.today(records, counter_id, "open")
    counters.refuse_unable(counter, ticket, records)
    local before = counter.status
    counter.status, counter.ticketId = "busy", ticket.ticketId
    ticket.counterId, ticket.counterName, ticket.servedAt = counter_id, counter.name, now()
    local service = services.today(records, ticket.serviceType)
    service.waitSeconds = services.average(service.waitSeconds, ticket.servedAt - ticket.createdAt)
    self.ledger:write(records, {
      tickets = { [ticket_id] = ticket }, counters = { [counter_id] = counter },
      services = { [ticket.serviceType] = service },
    })
    queues.leave(records, ticket)
    notices.ticket(self.ns, records, "ticketServing", ticket)
    notices.counter(self.ns, records, counter, before)
    notices.queue(self.ns, records, ticket.serviceType)
    return ticket
  end)
end

--- Ends a ticket, and its counter is free again. `count(service, counter, seconds)` notes what that
--- means; `seconds` is how long it was served, nil if it was not.
function office:finish(ticket_id, status, event, count)
  return self.ledger:alone(function(records)
    local ticket = self:ticket_for(ticket_id, status)
    ticket.closedAt = now()
    local service = services.today(records, ticket.serviceType)
    local changes = { services = { [ticket.serviceType] = service } }
    local counter, seconds
    if ticket.servedAt then
      seconds = ticket.closedAt - ticket.servedAt
      counter = counters.today(records, ticket.counterId)
      counter.status = contract.counter_states:move(counter.status, "open", counter.name)
      counter.ticketId = nil
      counter.busySeconds = counter.busySeconds
        + ticket.closedAt - math.max(ticket.servedAt, counter.since)
      changes.counters = { [ticket.counterId] = counter }
    end
    count(service, counter, seconds)
    self.ledger:write(records, changes, { ticket })
    queues.leave(records, ticket)
    notices.ticket(self.ns, records, event, ticket)
    if counter then notices.counter(self.ns, records, counter, "busy") end
    notices.queue(self.ns, records, ticket.serviceType)
    return ticket
  end)
end

--- The one who was served is done; how long it took counts for those who wait.
function office:complete(ticket_id)
  return self:finish(ticket_id, "completed", "ticketCompleted", function(service, counter, seconds)
    service.completed, counter.served = service.completed + 1, counter.served + 1
    service.serviceSeconds = services.average(service.serviceSeconds, seconds)
    counter.serviceSeconds = services.average(counter.serviceSeconds, seconds)
  end)
end

--- One who waits gives up, or one who was called did not come.
function office:cancel(ticket_id)
  return self:finish(ticket_id, "cancelled", "ticketCancelled", function(service)
    service.cancelled = service.cancelled + 1
  end)
end

--- Opens, pauses or closes a counter, or says its name and services; one that is new was closed.
function office:set_counter(counter_id, change)
  return self.ledger:alone(function(records)
    local counter = counters.today(records, counter_id, "closed")
    local before = counter.status
    if change.status and change.status ~= before then
      if counter.ticketId then
        local at = records.tickets[counter.ticketId].ticketNumber
        fail("conflict", string.format("%s is serving %s: complete or cancel it first",
                                       counter.name, at), { from = before, to = change.status })
      end
      counter.status = contract.counter_states:move(before, change.status, counter.name)
    end
    counter.name = change.name or counter.name
    if change.services then
      for _, service in ipairs(change.services) do services.refuse_unknown(service) end
      counter.services = #change.services > 0 and change.services or nil
    end
    self.ledger:write(records, { counters = { [counter_id] = counter } })
    notices.counter(self.ns, records, counter, before)
    return counter
  end)
end

--- What begins with the day: who still waited expires (unless they are carried over), and services
--- and counters that nobody used for so many days are forgotten.
function office:begin_day()
  local today = day.of()
  if self.ns.state.begun == today then return end
  self.ledger:alone(function(records)
    for service_type in pairs(copy(records.services)) do
      if not CARRY_OVER then self:expire(records, service_type, today) end
    end
    self:forget(records, day.of(now() - KEEP_DAYS * 86400))
    self.ns.state.begun = today
    return true
  end)
end

function office:expire(records, service_type, today)
  local gone = {}
  for _, id in ipairs(queues.of(records, service_type)) do
    local ticket = records.tickets[id]
    if ticket.day < today then
      ticket = copy(ticket)
      ticket.status = contract.ticket_states:move(ticket.status, "expired", ticket.ticketNumber)
      ticket.closedAt = now()
      gone[#gone + 1] = ticket
    end
  end
  if #gone == 0 then return end
  local service = services.today(records, service_type)
  service.expired = service.expired + #gone
  self.ledger:write(records, { services = { [service_type] = service } }, gone)
  for _, ticket in ipairs(gone) do
    queues.leave(records, ticket)
    notices.ticket(self.ns, records, "ticketCancelled", ticket)
  end
  notices.queue(self.ns, records, service_type)
end

function office:forget(records, before)
  local used, gone = {}, { services = {}, counters = {} }
  for _, ticket in pairs(records.tickets) do used[ticket.serviceType] = true end
  for id, service in pairs(records.services) do
    if service.day < before and not used[id] then gone.services[id] = false end
  end
  for id, counter in pairs(records.counters) do
    if counter.day < before and not counter.ticketId then gone.counters[id] = false end
  end
  if next(gone.services) or next(gone.counters) then self.ledger:write(records, gone) end
end

--- A ticket as the wire has it, with its owner; nil if there is none.
function office:show(ticket)
  local shown = notices.shown(self.ledger:records(), ticket)
  shown.userId = ticket.userId
  return shown
end

return office
