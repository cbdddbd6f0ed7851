-- /depot-reservoir: outbound commuters queue at their depot until a vehicle takes them.
local ns = namespace "/depot-reservoir"

local schema = require "schema"
local envelope = require "lib.envelope"
local hub = require "lib.hub"
local option = require "shared.option"
local queues = require "lib.queues"
local reservoir = require "lib.reservoir"
local spawner = require "lib.spawner"

local DEFAULT_DEPOT = option.of("depot.default_id", envelope.id, "main")

local commuters = reservoir.open(ns, function(record) queues.leave(ns.state, record) end)
local channel = hub.open(ns, function()
  local figures = commuters:figures()
  figures.depots = queues.count(ns.state)
  return figures
end)

local depot_id = schema.default(envelope.id, DEFAULT_DEPOT)

local function spawn_commuter(commuter)
  queues.refuse_if_full(ns.state, commuter.depot_id)
  queues.join(ns.state, commuters:add(commuter))
end

local commuter = reservoir.commuter("DepotCommuter", {
  depot_id = depot_id,
  current_location = envelope.maybe(reservoir.point),
  direction = schema.default(schema.enum { "outbound" }, "outbound"),
})
local answer = reservoir.answer("DepotCommuters", commuter)

channel:on("commuter:spawned", commuter, function(socket, message)
  spawn_commuter(message.data)
  return channel:relay(socket, message)
end)

channel:on("vehicle:query_commuters", reservoir.query { depot_id = depot_id },
           function(socket, message)
  if channel:is_addressed(message) then return channel:relay(socket, message) end
  local query, found = message.data, json.array {}
  local suits = reservoir.filter(query)
  for record in queues.each(ns.state, commuters:state().waiting, query.depot_id) do
    if not suits or suits(record.commuter) then
      found[#found + 1] = record.commuter
      if #found == query.seats then break end
    end
  end
  return channel:reply(socket, message, "vehicle:commuters_found", {
    vehicle_id = query.vehicle_id, depot_id = query.depot_id, commuters = found, count = #found,
  })
end, { answer = envelope.of("vehicle:commuters_found", answer) })

channel:on("commuter:picked_up", reservoir.boarding, function(socket, message)
  commuters:pick_up(message.data)
  -- They are dropped off along the route, so that is where the trip is closed.
  namespace_of("/route-reservoir"):server_emit("boarded", message.data.commuter_id,
                                               message.data.vehicle_id)
  return channel:relay(socket, message)
end)

channel:pass("vehicle:commuters_found", reservoir.found, { sends = answer })

ns:on_server("arrived", function(commuter_id) commuters:end_trip(commuter_id) end)

spawner.start(ns, "depot", function(arrival)
  local ok, refusal = pcall(spawn_commuter, arrival)
  if ok then channel:send(ns, "commuter:spawned", arrival) end
  return ok, refusal
end)
