-- Where completed transports go: POSTed to a webhook, or published to a RabbitMQ exchange, from the
-- outbox. The message's id is in the Idempotency-Key header (message_id in AMQP) and its body: who
-- sees one a second time drops it.
local schema = require "schema"
local option = require "shared.option"
local outbox = require "shared.outbox"
local webhook = require "shared.webhook"

local billing = {}

local text = schema.string()
local URL, TOKEN = option.of("billing.url", text, ""), option.of("billing.token", text, "")
local AMQP_URL = option.of("billing.amqp_url", text, "")
local EXCHANGE = option.of("billing.exchange", text, "")
local ROUTING_KEY = option.of("billing.routing_key", text, "transport.completed")
local TIMEOUT = option.amount("billing.timeout_seconds", 10)

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
  return webhook.post(URL, record.id, message_of(record), { token = TOKEN, timeout = TIMEOUT })
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
