-- What goes over the wire: names and shapes that events and paths have in common.
local schema = require "schema"
local machine = require "shared.machine"

local contract = {}

--- A ticket waits, is served once, and is over; `expired` is who still waited when the day ended.
contract.ticket_states = machine.new("ticket", {
  waiting = { "serving", "cancelled", "expired" },
  serving = { "completed", "cancelled" },
  completed = {}, cancelled = {}, expired = {},
})

--- A counter is `busy` from serving until the ticket is over; the others are set by its staff.
contract.counter_states = machine.new("counter", {
  closed = { "open" },
  open = { "busy", "paused", "closed" },
  busy = { "open" },
  paused = { "open", "closed" },
})

-- Names become parts of rooms and of keys in the store, and are shown.
local function name(max) return schema.string { min = 1, max = max, pattern = "^[^%c]+$" } end
contract.service_type, contract.user_id = name(64), name(128)
contract.counter_id, contract.role, contract.room = name(64), name(64), name(200)
contract.counter_name = name(64)

local count = schema.integer { min = 0 }
local seconds = schema.number { min = 0 }
local time = schema.string { format = "date-time" }
local maybe = schema.optional
contract.count, contract.seconds, contract.time = count, seconds, time

contract.ticket = schema.named("Ticket", schema.object {
  ticketId = schema.string(), ticketNumber = schema.string { description = "as called: F-001" },
  number = schema.integer { min = 1, description = "of the service's tickets of the day" },
  serviceType = contract.service_type,
  status = schema.enum(contract.ticket_states:states()),
  position = maybe(schema.integer { min = 1, description = "while it waits; 1 is next" }),
  estimatedWaitSeconds = maybe(seconds),
  counterId = maybe(contract.counter_id), counterName = maybe(contract.counter_name),
  waitSeconds = maybe(seconds), serviceSeconds = maybe(seconds),
  createdAt = time, servedAt = maybe(time), closedAt = maybe(time), timestamp = time,
})

contract.queue = schema.named("Queue", schema.object {
  serviceType = contract.service_type, waiting = count, serving = count,
  estimatedWaitSeconds = schema.number { min = 0, description = "of who comes now" },
  timestamp = time,
})

contract.counter_change = schema.named("CounterChange", schema.object {
  counterId = contract.counter_id, name = contract.counter_name,
  status = schema.enum(contract.counter_states:states()),
  previousStatus = schema.enum(contract.counter_states:states()),
  ticketId = maybe(schema.string()), ticketNumber = maybe(schema.string()),
  timestamp = time,
})

local service_load = schema.named("ServiceLoad", schema.object {
  serviceType = contract.service_type, waiting = count, serving = count,
  longestWaitSeconds = seconds, estimatedWaitSeconds = seconds,
  averageWaitSeconds = seconds, averageServiceSeconds = seconds,
  created = count, completed = count, cancelled = count, expired = count,
})
local counter_load = schema.named("CounterLoad", schema.object {
  counterId = contract.counter_id, name = contract.counter_name,
  status = schema.enum(contract.counter_states:states()),
  services = maybe(schema.array(contract.service_type)),
  ticketId = maybe(schema.string()), ticketNumber = maybe(schema.string()),
  served = count, averageServiceSeconds = seconds,
  load = schema.number { min = 0, max = 1, description = "the share of its day spent serving" },
  nextService = maybe(contract.service_type),
  nextTicketId = maybe(schema.string()), nextTicketNumber = maybe(schema.string()),
})
contract.metrics = schema.named("LoadBalancingMetrics", schema.object {
  timestamp = time, connectedClients = count,
  totalWaiting = count, totalServing = count, openCounters = count,
  services = schema.array(service_load), counters = schema.array(counter_load),
})

return contract
