-- The services people queue for: their numbers of the day, and how long it takes, as measured.
local schema = require "schema"
local contract = require "lib.contract"
local day = require "lib.day"
local option = require "shared.option"

local LIMIT = option.count("tickets.services_limit", 100)
local LISTED = option.of("tickets.services",
                         schema.optional(schema.array(contract.service_type, { min = 1 })))
local DEFAULT_SECONDS = option.amount("tickets.service_seconds", 300)  -- before any is measured
local NEWEST = option.of("tickets.newest_weight", schema.number { min = 0.01, max = 1 }, 0.2)
local COUNTERS = { "last", "created", "completed", "cancelled", "expired" }

local known
if LISTED then
  known = {}
  for _, service in ipairs(LISTED) do known[service] = true end
end

local services = {}

--- Refuses a service that settings don't list, if they list any.
function services.refuse_unknown(service_type)
  if known and not known[service_type] then
    fail("invalid", string.format("serviceType: there is no service '%s' here; there are %s",
                                  service_type, table.concat(LISTED, ", ")),
         { path = "serviceType" })
  end
end

--- As few of the name's letters as tell it from the others: F, then FA for a second F….
local function prefix_for(records, service_type)
  local taken = {}
  for _, service in pairs(records.services) do taken[service.prefix] = true end
  local letters = service_type:upper():gsub("[^A-Z0-9]", "")
  if letters == "" then letters = "T" end
  for length = 1, math.min(#letters, 4) do
    if not taken[letters:sub(1, length)] then return letters:sub(1, length) end
  end
  local number = 2
  while taken[letters:sub(1, 1) .. number] do number = number + 1 end
  return letters:sub(1, 1) .. number
end

--- Today's record of a service, to be changed and written; made if it is new. One that the settings
--- don't list any more may still have tickets to be ended.
function services.today(records, service_type)
  local record = records.services[service_type]
  if not record then
    local count = 0
    for _ in pairs(records.services) do count = count + 1 end
    if count >= LIMIT then
      fail("busy", string.format("there are %d services, which is the limit", LIMIT))
    end
    record = { serviceType = service_type, prefix = prefix_for(records, service_type) }
  end
  local today = {}
  for key, value in pairs(day.begin(record, COUNTERS)) do today[key] = value end
  return today
end

--- The same to be read only.
function services.figures(record) return day.begin(record, COUNTERS) end

--- The moving average after one more measurement.
function services.average(before, seconds)
  return before and before + NEWEST * (seconds - before) or seconds
end

--- How long serving one takes.
function services.seconds(record) return record and record.serviceSeconds or DEFAULT_SECONDS end

return services
