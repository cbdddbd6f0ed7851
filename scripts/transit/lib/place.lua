-- Where a vehicle is: `position`, or `current_location` as the document calls a commuter's place.
local envelope = require "lib.envelope"
local reservoir = require "lib.reservoir"

local place = {}

--- Adds the two fields to those of a message's data.
function place.fields(fields)
  fields.position = envelope.maybe(reservoir.point)
  fields.current_location = envelope.maybe(reservoir.point)
  return fields
end

--- Latitude and longitude of data that has one of the two.
function place.of(data)
  local point = envelope.value(data.position) or envelope.value(data.current_location)
  if not point then fail("invalid", "data.position is required", { field = "data.position" }) end
  return point.lat, point.lon
end

return place
