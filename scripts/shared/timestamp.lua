-- A time as clients write it: ISO 8601, which lets the zone be left out, as Python's isoformat() does.
local schema = require "schema"

return schema.one_of({
  schema.string { format = "date-time" },
  schema.string {
    max = 40, pattern = "^%d%d%d%d%-[01]%d%-[0-3]%d[T ][0-2]%d:[0-5]%d:[0-6]%d%.?%d*$",
  },
}, { description = "ISO 8601" })
