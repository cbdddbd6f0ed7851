-- Who waits for a service, in order: first come, first served. Made from the records when first
-- needed, then kept beside them: records.queues = {service -> {ticket id…}}.
local queues = {}

local function came_before(one, other)
  if one.day ~= other.day then return one.day < other.day end
  return one.number < other.number
end

local function all(records)
  if not records.queues then
    local made, tickets = {}, records.tickets
    for id, ticket in pairs(tickets) do
      if ticket.status == "waiting" then
        made[ticket.serviceType] = made[ticket.serviceType] or {}
        table.insert(made[ticket.serviceType], id)
      end
    end
    for _, queue in pairs(made) do
      table.sort(queue, function(a, b) return came_before(tickets[a], tickets[b]) end)
    end
    records.queues = made
  end
  return records.queues
end

--- The ids of a service's waiting tickets, to be read.
function queues.of(records, service) return all(records)[service] or {} end

--- After the ticket was written.
function queues.join(records, ticket)
  local queue = queues.of(records, ticket.serviceType)
  if queues.place(queue, ticket.ticketId) then return end  -- they were made just now
  queue[#queue + 1] = ticket.ticketId
  all(records)[ticket.serviceType] = queue
end

--- Once the ticket does not wait any more.
function queues.leave(records, ticket)
  local queue = queues.of(records, ticket.serviceType)
  local place = queues.place(queue, ticket.ticketId)
  if not place then return end
  table.remove(queue, place)
  if #queue == 0 then all(records)[ticket.serviceType] = nil end
end

--- Its place; nil if it does not wait.
function queues.place(queue, ticket_id)
  for i = 1, #queue do
    if queue[i] == ticket_id then return i end
  end
  return nil
end

return queues
