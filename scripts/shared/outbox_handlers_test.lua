-- What outbox_test.lua tries: the module in handlers.
local ns = namespace "/shared-outbox-test"
local outbox = require "shared.outbox"

local box = outbox.open(ns, "test", {
  limit = 3, refusals = 2, first_delay = 1, max_delay = 4, remember_days = 0.01,
  deliver = function(record)
    local tries = ns.state.tries or {}
    ns.state.tries = tries
    tries[#tries + 1] = record.id .. " " .. record.attempt .. " " .. record.value
    local how = ns.state.how
    if how == "broken" then error("broken") end
    if how == "slow" then sleep(5) end
    if how == "refused" then return nil, "no", "refused" end
    if how == "away" then return nil, "away" end
    return true
  end,
})

ns:serve("add", function(id, value)
  local added = ns.store:transaction(function(store) return box:add(store, id, value) end)
  box:wake()
  return added
end)
ns:serve("undone", function(id)
  return (pcall(ns.store.transaction, ns.store, function(store)
    box:add(store, id, "x")
    error("undone")
  end))
end)
ns:serve("how", function(how) ns.state.how = how end)
ns:serve("tries", function() return ns.state.tries or json.array {} end)
ns:serve("status", function() return box:status() end)
ns:serve("retry", function() return box:retry() end)
