-- What `require "plugin.amqp"` returns. Runs once a generation of a namespace's scripts; the
-- connections themselves are the plugin's, and stay.
local native, handle, want = ...
local amqp, Connection, Message = {}, {}, {}
local connections = {}
Connection.__index = Connection

-- A message's JSON is decoded when it is asked for; nil if it is none.
function Message.__index(message, key)
  if key ~= "json" then return nil end
  local value = json.decode(message.body)
  message.json = value
  return value
end

local function check(what, options)
  local ok, why = native.check(what, options)
  if not ok then error("amqp." .. what .. ": " .. why, 3) end
end

local function copy(options)
  local all = {}
  for key, value in pairs(options) do all[key] = value end
  return all
end

local function check_table(what, options)
  if type(options) ~= "table" then
    error("amqp." .. what .. ": expected a table of options, got " .. type(options), 3)
  end
end

function amqp.connect(options)
  check_table("connect", options)
  local wanted = copy(options)
  wanted.consumers = nil
  check("connect", wanted)
  local name = wanted.name
  if connections[name] then
    error("amqp.connect: there is a connection '" .. name .. "' already", 2)
  end
  wanted.consumers = json.array {}
  local connection = setmetatable({ name = name, wanted = wanted, ids = {} }, Connection)
  connections[name] = connection
  want(name, wanted)
  return connection
end

function Connection:consume(queue, options, fn)
  if type(options) == "function" then options, fn = {}, options end
  check_table("consume", options)
  if type(queue) ~= "string" then
    error("amqp.consume: queue: expected a string, got " .. type(queue), 2)
  end
  if type(fn) ~= "function" then
    error("amqp.consume: expected a function, got " .. type(fn), 2)
  end
  local consumer = copy(options)
  consumer.queue = queue
  -- A queue of its own has no name yet.
  consumer.id = queue ~= "" and queue or "#" .. #self.wanted.consumers + 1
  check("consume", consumer)
  if self.ids[consumer.id] then
    error("amqp.consume: '" .. queue .. "' is consumed already", 2)
  end
  self.ids[consumer.id] = true
  handle("message " .. self.name .. " " .. consumer.id, function(message)
    message.body = message.body.data
    fn(setmetatable(message, Message))
  end)
  table.insert(self.wanted.consumers, consumer)
  if connections[self.name] == self then want(self.name, self.wanted) end
end

function Connection:publish(exchange, routing_key, value, options)
  local body, content_type = value, nil
  if is_bytes(value) then
    body = value.data
  elseif type(value) ~= "string" then
    body, content_type = json.encode(value), "application/json"
  end
  return native.publish(self.name, exchange, routing_key, bytes(body), options or {},
                        { content_type = content_type, message_id = uuid() })
end

function Connection:status()
  return native.status(self.name)
end

function Connection:on_status(fn)
  handle("status " .. self.name, fn)
end

function Connection:close()
  if connections[self.name] ~= self then return end
  connections[self.name] = nil
  want(self.name, nil)
end

return amqp
