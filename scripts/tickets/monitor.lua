-- What happens by the clock: the dashboard's metrics, and the beginning of the day. And what other
-- scripts may ask of this app, by the names that the document gives its controllers.
local ns = namespace "/tickets"

local schema = require "schema"
local contract = require "lib.contract"
local forecast = require "lib.forecast"
local office = require("lib.office").open(ns)
local register = require "lib.register"

local METRICS_SECONDS, DAY_SECONDS = 10, 10

ns:emits("loadBalancingMetrics", contract.metrics)
ns:emits("systemNotification", schema.named("SystemNotification", schema.object {
  message = schema.string(),
}))

-- The store has them; handlers that are under way finish with what they have.
ns:on_reload(function(state) state.records = nil end)

every(METRICS_SECONDS, function()
  local dashboard = ns:to("dashboard")
  if dashboard:count() == 0 then return end
  dashboard:emit("loadBalancingMetrics",
                 forecast.metrics(office.ledger:records(), register.count(ns.state)))
end)

every(DAY_SECONDS, function() office:begin_day() end)

ns:serve("getConnectedClientsCount", function() return register.count(ns.state) end)
ns:serve("getClientInfo", function(socket_id)
  return register.shown(register.of(ns.state, { id = socket_id }))
end)
ns:serve("broadcastToAll", function(event, ...) ns:emit(event, ...) end)
