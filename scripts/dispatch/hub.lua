-- /dispatch: units, crews, dispatchers and dashboards, and the bridge to another dispatch system.
-- What is where: lib/events.lua what comes in, lib/operations.lua what it does, lib/board.lua what is
-- known, lib/hub.lua the way of every event.
local ns = namespace "/dispatch"

local schema = require "schema"
local api = require "lib.api"
local assignments = require "lib.assignments"
local billing = require "lib.billing"
local board = require "lib.board"
local bridges = require "lib.bridge"
local clients = require "lib.clients"
local events = require "lib.events"
local hub = require "lib.hub"
local operations = require "lib.operations"
local option = require "shared.option"
local outbound = require "lib.outbound"

local text = schema.string()

--- The connection to the other system, if there is to be one.
local function upstream()
  local url = option.of("bridge.url", text, "")
  if url == "" then return nil end
  local token = option.of("bridge.token", text, "")
  if token == "" then token = option.of("auth.token", text, "") end
  return require("plugin.upstream").connect {
    name = "cad", url = url, namespace = option.of("bridge.namespace", text, "/"),
    auth = { token = token }, reconnection_attempts = option.count("bridge.attempts", 10),
    reconnection_delay = option.amount("bridge.delay", 1),
    reconnection_delay_max = option.amount("bridge.delay_max", 30),
    queue = option.count("bridge.queue", 10000),
  }
end

outbound.declare(ns)
local outbox, target = billing.open(ns)
local bridge = bridges.new(upstream(), hub.perform)
board.open(ns)
assignments.open(ns)
operations.open(ns, outbox)
hub.open(ns, function(event, data) bridge:forward(event, data) end)
clients.open(ns)
api.open(bridge, outbox, target)

-- Checked where requests are, too, so that a refusal is in the audit log.
for event in pairs(operations.by_event) do
  ns:on(event, { events.schema(event, "socket"), check = false }, function(socket, payload)
    return hub.perform(event, socket.data.actor, payload, "socket")
  end)
end
