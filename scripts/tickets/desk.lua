-- The paths by which tickets are taken and worked off.
local ns = namespace "/tickets"

local schema = require "schema"
local contract = require "lib.contract"
local forecast = require "lib.forecast"
local notices = require "lib.notices"
local office = require("lib.office").open(ns)
local queues = require "lib.queues"
local register = require "lib.register"
local staff = require "lib.staff"

local SHOWN_WAITING = 20  -- of a queue, in GET /queues
local PAGE, MOST = 100, 1000  -- clients

notices.declare(ns)

--- The role that a client without a token says it has.
local function said_role(request) return request.headers["x-user-role"] end

--- A path of the staff's.
local function staff_route(method, path, kind, handler)
  route(method, path, { auth = "optional", schema = kind }, function(request)
    staff.require_if_said(request.user, said_role(request))
    return handler(request)
  end)
end

route("POST", "/tickets", {
  auth = "optional",
  schema = schema.object {
    serviceType = contract.service_type, userId = schema.optional(contract.user_id),
  },
}, function(request)
  local user, order = request.user, request.json
  local user_id = order.userId or user and user.sub
  if not user_id then
    fail("invalid", "userId: is required: whose ticket it is", { path = "userId" })
  end
  staff.require_self(user, user_id)
  return 201, office:show(office:take { serviceType = order.serviceType, userId = user_id })
end)

route("GET", "/tickets/:id", { auth = "optional" }, function(request)
  local ticket = office.ledger:ticket(request.params.id)
  if not ticket then fail("not_found", "there is no ticket '" .. request.params.id .. "'") end
  local shown = office:show(ticket)
  if not pcall(staff.require_self, request.user, ticket.userId) then shown.userId = nil end
  return 200, shown
end)

staff_route("POST", "/tickets/:id/serve", schema.object { counterId = contract.counter_id },
            function(request)
  return 200, office:show(office:serve(request.params.id, request.json.counterId))
end)

staff_route("POST", "/tickets/:id/complete", nil, function(request)
  return 200, office:show(office:complete(request.params.id))
end)

-- By the staff, or by whose ticket it is.
route("POST", "/tickets/:id/cancel", { auth = "optional" }, function(request)
  local ticket = office.ledger:ticket(request.params.id)
  local is_owner = ticket and request.user and request.user.sub == ticket.userId
  if not is_owner then staff.require_if_said(request.user, said_role(request)) end
  return 200, office:show(office:cancel(request.params.id))
end)

staff_route("PATCH", "/counters/:id", schema.object {
  status = schema.optional(schema.enum { "open", "paused", "closed" }),
  name = schema.optional(contract.counter_name),
  services = schema.optional(schema.array(contract.service_type, { max = 100 })),
}, function(request)
  local id, problem = schema.check(contract.counter_id, request.params.id)
  if problem then fail("invalid", "the counter's id " .. problem.message) end
  office:set_counter(id, request.json)
  for _, counter in ipairs(forecast.counters(office.ledger:records())) do
    if counter.counterId == id then return 200, counter end
  end
end)

staff_route("GET", "/counters", nil, function()
  return 200, { counters = json.array(forecast.counters(office.ledger:records())) }
end)

--- A queue as the wall shows it: who is served where, and the first who wait.
local function shown_queue(records, service_type, serving)
  local queue = forecast.queue(records, service_type, serving)
  queue.tickets, queue.nowServing = json.array {}, json.array {}
  local ids = queues.of(records, service_type)
  for i = 1, math.min(#ids, SHOWN_WAITING) do
    queue.tickets[i] = notices.shown(records, records.tickets[ids[i]])
  end
  for i, ticket in ipairs(serving[service_type] or {}) do
    queue.nowServing[i] = notices.shown(records, ticket)
  end
  table.sort(queue.nowServing, function(a, b) return a.servedAt > b.servedAt end)
  return queue
end

route("GET", "/queues", function()
  local records, list = office.ledger:records(), {}
  local serving = forecast.serving(records)
  for service_type in pairs(records.services) do
    list[#list + 1] = shown_queue(records, service_type, serving)
  end
  table.sort(list, function(a, b) return a.serviceType < b.serviceType end)
  return 200, { queues = json.array(list), timestamp = iso_time() }
end)

local function whole(query, name, default, least, most)
  local value = tonumber(query[name] or default)
  if not value or value % 1 ~= 0 or value < least or value > most then
    fail("invalid", string.format("%s: must be a whole number from %d to %d", name, least, most),
         { path = name })
  end
  return value
end

route("GET", "/clients", { auth = "optional" }, function(request)
  staff.require(request.user, said_role(request))
  local limit = whole(request.query, "limit", PAGE, 1, MOST)
  local page, more = register.page(ns.state, whole(request.query, "after", 0, 0, 2 ^ 31), limit)
  return 200, { total = register.count(ns.state), clients = page,
                next = more and page[#page].clientId or nil }
end)
