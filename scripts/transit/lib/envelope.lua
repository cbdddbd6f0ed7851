-- The message that everybody here speaks, in and out:
-- {id, type, timestamp, source, data, target?, correlationId?, metadata?}.
local schema = require "schema"
local timestamp = require "shared.timestamp"

local envelope = {}

local SOURCE = "moonwire"

local name = schema.string { min = 1, max = 128 }

local function maybe(what) return schema.optional(schema.nullable(what)) end

--- An identifier of a commuter, vehicle, depot or route.
envelope.id = name

--- A field that may be missing or null.
envelope.maybe = maybe

--- The schema of a whole message whose type is `event`.
function envelope.of(event, data)
  return schema.object {
    id = name,
    type = schema.enum { event },
    timestamp = timestamp,
    source = name,
    data = data,
    target = maybe(schema.one_of { name, schema.array(name, { min = 1, max = 100 }) }),
    correlationId = maybe(schema.string { max = 128 }),
    metadata = maybe(schema.object {}),
  }
end

--- A field's value, or nil for what is missing or null.
function envelope.value(field)
  if field == null then return nil end
  return field
end

--- A message from the broker. `fields` adds target, correlationId and metadata.
function envelope.make(event, data, fields)
  local message = {
    id = string.format("msg_%.0f_%06x", math.floor(now() * 1000), math.random(0, 0xffffff)),
    type = event,
    timestamp = iso_time(),
    source = SOURCE,
    data = data,
  }
  for key, value in pairs(fields or {}) do message[key] = value end
  return message
end

--- What an answer to `message` carries as its correlationId: the asker's, or else the message's id.
function envelope.correlation(message)
  if type(message) ~= "table" then return nil end
  local correlation = envelope.value(message.correlationId)
  if type(correlation) ~= "string" then correlation = message.id end
  return type(correlation) == "string" and #correlation <= 128 and correlation or nil
end

return envelope
