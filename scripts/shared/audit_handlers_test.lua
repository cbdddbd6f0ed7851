-- What audit_test.lua tries: the module in handlers.
local ns = namespace "/shared-audit-test"
local audit = require "shared.audit"

local entries = audit.open(ns, "test", { count = 3000, age = 86400 })
local too_many = audit.open(ns, "too many", { count = 1e9 })
ns:serve("note too many", function(entry) return (too_many:note(entry)) end)
ns:serve("note", function(entry) return entries:note(entry) end)
ns:serve("query", function(query) return entries:query(query) end)
