-- What the tests share: services, and messages as they send them.
local schema = require "schema"

local support = {}

local sent = 0

--- A message; `fields` adds target, correlationId and the like, or replaces.
function support.message(event, data, fields)
  sent = sent + 1
  local message = {
    id = "msg-" .. sent, type = event, timestamp = iso_time(), source = "a-test", data = data,
  }
  for key, value in pairs(fields or {}) do message[key] = value end
  return message
end

--- A connected service.
function support.join(nsp, service_type, service_id, rooms)
  local client, refusal = connect(nsp, {
    auth = { service_type = service_type, service_id = service_id, rooms = rooms },
  })
  if not client then error("refused: " .. refusal.message, 2) end
  return client
end

--- Sends a message; its acknowledgement, and the message.
function support.send(client, event, data, fields)
  local message = support.message(event, data, fields)
  return client:call(event, message), message
end

--- What a refusal's acknowledgement holds; `more` is besides code and field.
function support.refusal(code, field, more)
  local refusal = { code = code, message = schema.string { min = 1 }, field = field or null }
  for key, value in pairs(more or {}) do refusal[key] = value end
  return { error = refusal }
end

--- The ids of the commuters in an answer, in order.
function support.ids(answer)
  local ids = {}
  for i, commuter in ipairs(answer.data.commuters) do ids[i] = commuter.commuter_id end
  return ids
end

return support
