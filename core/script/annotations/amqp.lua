---@meta plugin.amqp
-- The plugin `amqp`: plugins/README.md.

---@class moonwire.amqp
local amqp = {}

---@class moonwire.AmqpOptions
---@field name string once a namespace
---@field url string amqp://user:password@host:port/vhost, or amqps
---@field buffer? integer messages published and not confirmed yet at most, default 10000
---@field buffer_bytes? integer default 64 MiB
---@field reconnection_delay? number seconds, default 1
---@field reconnection_delay_max? number seconds, default 30

---@class moonwire.AmqpConsumerOptions
---@field prefetch? integer messages in hand at a time, default 20
---@field exchange? string
---@field exchange_type? string if it has to be declared, default "topic"
---@field bind? string[]|string keys of the exchange's
---@field arguments? table of the queue, if it has to be declared
---@field retries? integer default 3
---@field retry_delay? number seconds, default 5
---@field dead_letter? string|{exchange: string, routing_key: string?} a queue, or an exchange

---@class moonwire.AmqpMessage
---@field body string
---@field json moonwire.Value|nil nil: the body is none
---@field headers table<string, moonwire.Value>
---@field exchange string
---@field routing_key string
---@field redelivered boolean
---@field retries integer
---@field persistent boolean
---@field message_id? string
---@field correlation_id? string
---@field reply_to? string
---@field content_type? string
---@field content_encoding? string
---@field type? string
---@field app_id? string
---@field timestamp? integer seconds since the epoch
---@field priority? integer

---@class moonwire.AmqpPublishOptions
---@field headers? table<string, moonwire.Value>
---@field message_id? string default: a new one
---@field correlation_id? string
---@field reply_to? string
---@field content_type? string
---@field content_encoding? string
---@field type? string
---@field app_id? string
---@field priority? integer
---@field persistent? boolean default true
---@field expires? number seconds that the message may wait in a queue
---@field timeout? number seconds that this call may wait

---@class moonwire.AmqpConsumerStatus
---@field queue string
---@field state "consuming"|"waiting"|"ending"
---@field in_hand integer
---@field error? string

---@class moonwire.AmqpStatus
---@field state "connecting"|"connected"|"blocked"|"disconnected"|"refused"|"closed"
---@field connected boolean
---@field url string
---@field uptime_seconds number of this connection
---@field uptime_percent number since the first connection
---@field attempts integer
---@field reconnections integer
---@field queued integer published, and not confirmed yet
---@field sent integer confirmed
---@field failed integer unroutable, refused, timed out
---@field dropped integer for want of room
---@field received integer
---@field acknowledged integer
---@field retried integer
---@field dead_lettered integer
---@field rejected integer
---@field last_error? string
---@field consumers moonwire.AmqpConsumerStatus[]

---@class moonwire.AmqpConnection
local connection = {}

---A connection to a RabbitMQ server, opened when the file takes charge.
---@param options moonwire.AmqpOptions
---@return moonwire.AmqpConnection
function amqp.connect(options) end

---Calls the function with each message, which is acknowledged when it returns.
---@param queue string "": one of its own, which goes with the connection
---@param options moonwire.AmqpConsumerOptions
---@param fn fun(message: moonwire.AmqpMessage)
---@overload fun(self: moonwire.AmqpConnection, queue: string, fn: function)
function connection:consume(queue, options, fn) end

---Waits for the server's confirm.
---@param exchange string "": the routing key is a queue's name
---@param routing_key string
---@param value moonwire.Value a string or bytes as they are, all else as JSON
---@param options? moonwire.AmqpPublishOptions
---@return true|nil sent
---@return string|nil why
function connection:publish(exchange, routing_key, value, options) end

---@return moonwire.AmqpStatus
function connection:status() end

---@param fn fun(state: "connected"|"disconnected"|"refused"|"blocked", detail: string?)
function connection:on_status(fn) end

---Takes no more messages, sends what is queued, and ends.
function connection:close() end

return amqp
