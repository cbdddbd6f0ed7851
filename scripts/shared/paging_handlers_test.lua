-- What paging_test.lua tries: the module in handlers.
local ns = namespace "/shared-paging-test"
local paging = require "shared.paging"

ns:serve("of", paging.of)
ns:serve("say", function(text) return ns.store:append("words", text) end)
ns:serve("stream", function(query)
  return paging.stream(ns.store, "words", paging.of(query), function(entry) return entry.value end)
end)
ns:serve("set", function(key) return ns.store:set("name:" .. key, key:upper()) end)
ns:serve("keys", function(query)
  return paging.keys(ns.store, "name:", paging.of(query, { by = "key" }),
                     function(entry) return entry.key .. "=" .. entry.value end)
end)
ns:serve("table", function(values, query)
  return paging.table(values, paging.of(query, { by = "key" }),
                      function(key, value) return key .. "=" .. value end)
end)
