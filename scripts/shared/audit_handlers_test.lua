-- What audit_test.lua tries: the module in handlers.
local ns = namespace "/shared-audit-test"
local audit = require "shared.audit"

local entries = audit.open(ns, "test", { count = 3000, days = 1 })
ns:serve("note", function(entry) return entries:note(entry) end)
ns:serve("query", function(query) return entries:query(query) end)
