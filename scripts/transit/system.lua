-- /system-events: who is there, how the broker is, and what went wrong elsewhere.
local ns = namespace "/system-events"

local schema = require "schema"
local envelope = require "lib.envelope"
local hub = require "lib.hub"

local NEARLY_FULL = 0.9
local NAMESPACES = { "/depot-reservoir", "/route-reservoir", "/vehicle-events", "/system-events" }

spawn(function() ns.state.started = ns.state.started or now() end)

local channel = hub.open(ns)

--- Every namespace's figures, by its name; without those that don't answer.
local function figures_of_all()
  local figures, questions = {}, {}
  for i, name in ipairs(NAMESPACES) do
    questions[i] = function() figures[name] = ask(name, "figures") end
  end
  gather(unpack(questions))
  return figures
end

local function nearly_full(figures, size)
  return figures and figures[size] >= figures.limit * NEARLY_FULL
end

local function health()
  local figures = figures_of_all()
  local depot, route = figures["/depot-reservoir"], figures["/route-reservoir"]
  local vehicles = figures["/vehicle-events"]
  local connections = { total = 0, namespaces = {} }
  local messages = { received = 0, sent = 0, refused = 0 }
  local complete = true
  for _, name in ipairs(NAMESPACES) do
    local of = figures[name]
    if of then
      connections.namespaces[name] = of.connections
      connections.total = connections.total + of.connections
      for counter in pairs(messages) do messages[counter] = messages[counter] + of[counter] end
    else
      complete = false
    end
  end
  local full = nearly_full(depot, "waiting") or nearly_full(route, "waiting")
    or nearly_full(vehicles, "tracked")
  return {
    status = complete and not full and "healthy" or "degraded",
    uptime_seconds = math.floor((now() - ns.state.started) * 1000) / 1000,
    connections = connections,
    messages = messages,
    reservoirs = {
      depot = depot and { waiting = depot.waiting, limit = depot.limit, depots = depot.depots,
                          expired = depot.expired },
      route = route and { waiting = route.waiting, limit = route.limit, on_board = route.on_board,
                          expired = route.expired },
    },
    vehicles = vehicles and { tracked = vehicles.tracked, limit = vehicles.limit },
  }
end

local some, count = schema.number { min = 0 }, schema.integer { min = 0 }
local function figures(name, fields)
  return schema.optional(schema.named(name, schema.object(fields)))
end
local report = schema.named("Health", schema.object {
  status = schema.optional(schema.string {
    description = "of the broker healthy or degraded; a service's own words; missing in a question",
  }),
  uptime_seconds = schema.optional(some),
  connections = schema.optional(schema.object { total = count, namespaces = schema.map(count) }),
  messages = schema.optional(schema.object { received = count, sent = count, refused = count }),
  reservoirs = schema.optional(schema.object {
    depot = figures("DepotFigures", { waiting = count, limit = count, depots = count, expired = count }),
    route = figures("RouteFigures",
                    { waiting = count, limit = count, on_board = count, expired = count }),
  }),
  vehicles = figures("FleetFigures", { tracked = count, limit = count }),
})

-- A question, unless it says how its sender is: a report, which goes to the monitors.
channel:on("system:health_check", schema.object {
  status = envelope.maybe(schema.string { min = 1, max = 64 }),
}, function(socket, message)
  if envelope.value(message.data.status) or channel:is_addressed(message) then
    return channel:relay(socket, message)
  end
  return channel:reply(socket, message, "system:health_check", health())
end, { sends = report, answer = envelope.of("system:health_check", report) })

channel:on("system:error", schema.object {
  code = envelope.maybe(schema.string { max = 128 }),
  message = schema.string { min = 1, max = 4096 },
}, function(socket, message)
  local service = socket.data.service
  log.warn("a service reports an error", {
    source = message.source, service = service.type, instance = service.id,
    code = envelope.value(message.data.code), error = message.data.message,
  })
  return channel:relay(socket, message)
end)

-- Services may announce what the broker can't see: those behind them.
local who = {
  service_type = schema.string { min = 1, max = 64 },
  service_id = envelope.maybe(envelope.id),
}
local announcement = schema.object(who)
who.socket_id, who.namespace = envelope.maybe(envelope.id), envelope.maybe(schema.string())
local came = schema.named("Service", schema.object(who))
who.reason, who.connected_seconds = envelope.maybe(schema.string()), envelope.maybe(some)
local went = schema.named("GoneService", schema.object(who))
channel:pass("system:service_connected", announcement, { sends = came })
channel:pass("system:service_disconnected", announcement, { sends = went })
