-- Where completed transports go: POSTed to a webhook, or published to a RabbitMQ exchange, from the
-- outbox. The message's id is in the Idempotency-Key header (message_id in AMQP) and its body: who
-- sees one a second time drops it.
local schema = require "schema"
local option = require "shared.option"
local outbox = require "shared.outbox"

local billing = {}

local text = schema.string()
local URL, TOKEN = option.of("billing.url", text, ""), option.of("billing.token", text, "")
local AMQP_URL = option.of("billing.amqp_url", text, "")
local EXCHANGE = option.of("billing.exchange", text, "")
local ROUTING_KEY = option.of("billing.routing_key", text, "transport.completed")
local TIMEOUT = option.amount("billing.timeout_seconds", 10)

-- A status of these is about now; any other of 4xx means that it will never be taken.
local LATER = { [401] = true, [403] = true, [404] = true, [408] = true, [425] = true, [429] = true }

local ID_BYTES = 255  -- of AMQP's message_id

--- The id of a transport's message: `incident:epcr`, with what neither a header nor this form takes
--- in %XX. Fails with `invalid` if it is too long.
function billing.id(incident, epcr)
  local function escape(part)
    return (part:gsub("[^!-$&-9;-~]", function(c) return string.format("%%%02X", c:byte()) end))
  end
  local id = escape(incident) .. ":" .. escape(epcr)
  if #id > ID_BYTES then
    fail("invalid", string.format("epcrId and incidentId have together more than %d bytes", ID_BYTES),
         { path = "$.epcrId", field = "epcrId" })
  end
  return id
end

local function message_of(record)
  local message = { id = record.id, createdAt = record.created_at, attempt = record.attempt }
  for name, value in pairs(record.value) do message[name] = value end
  return message
end

local function post(record)
  local headers = { ["idempotency-key"] = record.id }
  if TOKEN ~= "" then headers.authorization = "Bearer " .. TOKEN end
  local response, why = http.request {
    url = URL, method = "POST", headers = headers, json = message_of(record), timeout = TIMEOUT,
  }
  if not response then return nil, why end
  local status = response.status
  if status >= 200 and status < 300 then return true end
  local is_final = status >= 400 and status < 500 and not LATER[status]
  return nil, "status " .. status, is_final and "refused" or nil
end

local function publisher()
  local mq = require("plugin.amqp").connect { name = "billing", url = AMQP_URL }
  return function(record)
    return mq:publish(EXCHANGE, ROUTING_KEY, message_of(record),
                      { message_id = record.id, persistent = true })
  end
end

local function nowhere() return nil, "neither billing.url nor billing.amqp_url is set" end

--- The outbox, and the target's name: "webhook", "amqp" or "none".
function billing.open(ns)
  local deliver, target = nowhere, "none"
  if AMQP_URL ~= "" then
    deliver, target = publisher(), "amqp"
  elseif URL ~= "" then
    deliver, target = post, "webhook"
  end
  return outbox.open(ns, "billing", {
    deliver = deliver, limit = option.count("billing.limit", 100000),
    first_delay = option.amount("billing.first_delay", 1),
    max_delay = option.amount("billing.max_delay", 300),
  }), target
end

return billing
