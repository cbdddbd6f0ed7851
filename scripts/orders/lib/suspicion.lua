-- The log of what looks like mischief: tokens that are not good, orders and drivers that are
-- another's, limits that clients run into. In the store: the stream "suspicious".
local option = require "shared.option"

local suspicion = {}

local KEEP = {
  count = option.count("suspicious.keep", 10000),
  age = option.days("suspicious.days", 30),
  durable = false,
}
local A_SECOND = option.count("suspicious.a_second", 20)

--- Notes {kind, address, user, detail}; beyond so many a second only their number.
function suspicion.note(ns, incident)
  local state = ns.state
  local second = math.floor(now())
  if state.suspicion_second ~= second then
    state.suspicion_second, state.suspicion_count = second, 0
  end
  state.suspicion_count = state.suspicion_count + 1
  if state.suspicion_count > A_SECOND then
    state.suspicion_skipped = (state.suspicion_skipped or 0) + 1
    return
  end
  incident.skipped, state.suspicion_skipped = state.suspicion_skipped, nil
  log.warn("suspicious", incident)
  ns.store:append("suspicious", incident, KEEP)
end

--- What the broker itself finds, of this namespace or of none.
function suspicion.watch(ns)
  on_suspicious(function(incident)
    if incident.nsp and incident.nsp ~= "/events" then return end
    suspicion.note(ns, {
      kind = incident.kind, address = incident.address, user = incident.user,
      detail = incident.detail, count = incident.count,
    })
  end)
end

return suspicion
