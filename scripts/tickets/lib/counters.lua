-- The counters: who is open, for which services, and whom they serve.
local contract = require "lib.contract"
local day = require "lib.day"
local option = require "shared.option"

local LIMIT = option.count("tickets.counters_limit", 200)
local COUNTERS = { "served", "busySeconds" }

local counters = {}

--- Today's record of a counter, to be changed and written; one that is new has this status.
function counters.today(records, counter_id, status)
  local record = records.counters[counter_id]
  if not record then
    local count = 0
    for _ in pairs(records.counters) do count = count + 1 end
    if count >= LIMIT then
      fail("busy", string.format("there are %d counters, which is the limit", LIMIT))
    end
    record = { counterId = counter_id, name = counter_id, status = status }
  end
  local today = {}
  for key, value in pairs(day.begin(record, COUNTERS)) do today[key] = value end
  if record.day ~= today.day then today.since = now() end  -- its day began
  return today
end

--- The same to be read only.
function counters.figures(record)
  local figures = day.begin(record, COUNTERS)
  return figures, figures == record and record.since or now()
end

function counters.serves(counter, service_type)
  if not counter.services then return true end
  for _, each in ipairs(counter.services) do
    if each == service_type then return true end
  end
  return false
end

--- Refuses to serve this ticket there now.
function counters.refuse_unable(counter, ticket, records)
  local at = counter.ticketId and records.tickets[counter.ticketId]
  if at then
    fail("conflict", string.format("%s is serving %s", counter.name, at.ticketNumber),
         { counterId = counter.counterId, ticketId = at.ticketId })
  end
  if not counters.serves(counter, ticket.serviceType) then
    fail("conflict", string.format("%s does not serve %s", counter.name, ticket.serviceType),
         { counterId = counter.counterId })
  end
  contract.counter_states:move(counter.status, "busy", counter.name)
end

return counters
