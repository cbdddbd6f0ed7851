-- What the routes that send have in common: when, and what is answered.
local schema = require "schema"
local option = require "shared.option"
local publishing = require "lib.publishing"

local sending = {}

local BYTES = option.count("limits.message_bytes", 65536)

local LONGEST_SECONDS = option.amount("schedules.longest_days", 366) * 86400

--- What a message may hold: a text, or JSON.
sending.content = schema.one_of { schema.string { min = 1, max = BYTES }, schema.object {} }

--- Raises `invalid` for a field whose object is larger than `most` bytes (what a message may have),
--- or has binary in it: what is kept is shown over HTTP, too, and handed on to RabbitMQ, as JSON.
function sending.refuse_unfit(field, value, most)
  if type(value) ~= "table" then return end
  most = most or BYTES
  local is_json, text = pcall(json.encode, value)
  local problem = not is_json and "must be JSON, without binary"
    or #text > most and string.format("may have %d bytes as JSON", most)
  if problem then fail("invalid", field .. ": " .. problem, { path = "$." .. field }) end
end

--- The fields of a body, with those that say when.
function sending.when(fields)
  fields.deliverAt = schema.optional(schema.string { format = "date-time" })
  fields.delaySeconds = schema.optional(schema.number { min = 0, max = LONGEST_SECONDS })
  return fields
end

--- Seconds since 1970 of an ISO time with a zone.
local function seconds_of(text)
  local year, month, day, hour, minute, second, zone =
    text:match("^(%d+)-(%d+)-(%d+)[Tt ](%d+):(%d+):(%d+%.?%d*)(.*)$")
  -- Days since 1970 by the civil calendar, years beginning in March.
  local y, m = tonumber(year), tonumber(month)
  if m <= 2 then y, m = y - 1, m + 12 end
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * (m - 3) + 2) / 5) + tonumber(day) - 719469
  local sign, zone_hours, zone_minutes = zone:match("([+-])(%d%d):?(%d%d)")
  local offset = sign and (zone_hours * 60 + zone_minutes) * 60 * (sign == "-" and -1 or 1) or 0
  return days * 86400 + hour * 3600 + minute * 60 + second - offset
end

--- When the body says; nil for now.
local function time_of(body)
  if body.deliverAt and body.delaySeconds then
    fail("invalid", "delaySeconds: can't be given together with deliverAt",
         { path = "$.delaySeconds" })
  end
  if body.delaySeconds then return body.delaySeconds > 0 and now() + body.delaySeconds or nil end
  if not body.deliverAt then return nil end
  local at = seconds_of(body.deliverAt)
  if at > now() + LONGEST_SECONDS then
    fail("invalid", "deliverAt: is too far away", { path = "$.deliverAt" })
  end
  return at > now() and at or nil
end

--- Sends a message now, or schedules it: the route's answer.
function sending.send(ns, kind, message, body)
  local at = time_of(body)
  if at then
    local id = publishing.later(ns, kind, message, at)
    return 202, { success = true, scheduleId = id, deliverAt = iso_time(at) }
  end
  local id, sockets = publishing.now(ns, kind, message)
  return 200, { success = true, id = id, sockets = sockets }
end

return sending
