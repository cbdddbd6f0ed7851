-- The office's day, on which numbers begin anew.
local schema = require "schema"
local option = require "shared.option"

local HOURS = option.of("tickets.utc_offset_hours", schema.number { min = -14, max = 14 }, 0)

local day = {}

--- Today, or the day of a time: "2026-03-01".
function day.of(time) return os.date("!%Y-%m-%d", math.floor((time or now()) + HOURS * 3600)) end

--- The same record if its `day` is today; else a copy with the day's counters at zero.
function day.begin(record, counters)
  local today = day.of()
  if record.day == today then return record end
  local fresh = { day = today }
  for key, value in pairs(record) do fresh[key] = fresh[key] or value end
  for _, counter in ipairs(counters) do fresh[counter] = 0 end
  return fresh
end

return day
