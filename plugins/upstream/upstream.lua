-- What `require "plugin.upstream"` returns. Runs once a generation of a namespace's scripts; the
-- connections themselves are the plugin's, and stay.
local functions, handle, want = ...

local connections = {}  -- by name
local reserved = { connect = true, connect_error = true, disconnect = true, disconnecting = true,
  newListener = true, removeListener = true }

--- The type, and the default, of what `connect` takes; `false`: there is none.
local takes = {
  name = { "string" }, url = { "string" }, path = { "string", "/socket.io/" },
  namespace = { "string", "/" }, auth = { "table" }, headers = { "table" },
  transports = { "table" }, insecure = { "boolean", false }, timeout = { "number", 20 },
  reconnection_attempts = { "number", 10 }, reconnection_delay = { "number", 1 },
  reconnection_delay_max = { "number", 30 }, queue = { "number", 10000 },
  queue_bytes = { "number", 16 * 1024 * 1024 }, drop_oldest = { "boolean", false },
}

--- For the functions that `connect` calls: the mistake is its caller's.
local function fault(text, ...)
  error("upstream.connect: " .. string.format(text, ...), 4)
end

local function read_options(given)
  if type(given) ~= "table" then fault("takes a table, not a %s", type(given)) end
  local options = {}
  for key, value in pairs(given) do
    local taken = takes[key]
    if not taken then fault("there is no option '%s'", tostring(key)) end
    -- false and 0 both mean: for ever.
    if key == "reconnection_attempts" and value == false then value = 0 end
    if type(value) ~= taken[1] then fault("%s is a %s", key, taken[1]) end
    if taken[1] == "number" and not (value >= 0 and value <= 2 ^ 31) then
      fault("%s is from 0 to 2^31", key)
    end
    options[key] = value
  end
  for key, taken in pairs(takes) do
    if options[key] == nil then options[key] = taken[2] end
  end
  return options
end

local function check_options(options)
  if not options.name or options.name == "" then fault("needs a name") end
  if not options.url then fault("%s: needs a url", options.name) end
  local host = options.url:match("^https?://([^/?#]+)") or options.url:match("^wss?://([^/?#]+)")
  if not host then fault("%s: '%s' is no http, https, ws or wss URL", options.name, options.url) end
  local rest = options.url:match("^%w+://[^/?#]+/?(.*)$")
  if rest ~= "" and rest:sub(1, 1) ~= "?" then
    fault("%s: '%s' has a path: a namespace goes to `namespace`, the server's path to `path`",
      options.name, options.url)
  end
  if options.namespace:sub(1, 1) ~= "/" or options.namespace:find("[,?]") then
    fault("%s: a namespace begins with / and has no comma or ?", options.name)
  end
  if options.path:sub(1, 1) ~= "/" then fault("%s: a path begins with /", options.name) end
  for name, value in pairs(options.headers or {}) do
    local plain = type(name) == "string" and type(value) == "string"
    if not plain or name == "" or name:find("[^%w%-_.]") or value:find("[\r\n]") then
      fault("%s: headers are strings by name", options.name)
    end
  end
  for _, transport in ipairs(options.transports or {}) do
    if transport ~= "websocket" and transport ~= "polling" then
      fault("%s: a transport is 'websocket' or 'polling'", options.name)
    end
  end
  if options.transports and #options.transports == 0 then
    fault("%s: transports are a list of 'websocket' and 'polling'", options.name)
  end
  if options.queue < 1 then fault("%s: queue is 1 at least", options.name) end
  if connections[options.name] then
    fault("there is a connection '%s' already: share it by a module", options.name)
  end
end

local function encode_auth(options)
  local auth = options.auth and next(options.auth) and json.encode(options.auth) or ""
  if auth:sub(1, 1) == "[" then fault("%s: auth is a table with names", options.name) end
  return auth
end

local Connection = {}
Connection.__index = Connection

local function check_event(event, call)
  if type(event) ~= "string" then error(call .. ": an event's name is a string", 3) end
  if reserved[event] then
    error(call .. ": '" .. event .. "' is an event that Socket.IO keeps for itself", 3)
  end
end

local function check_handler(fn, call)
  if type(fn) ~= "function" then error(call .. " takes a function, not a " .. type(fn), 3) end
end

function Connection:on(event, fn)
  check_event(event, "on")
  check_handler(fn, "on")
  if self.handlers[event] then error("on: a second handler for '" .. event .. "'", 2) end
  self.handlers[event] = fn
end

function Connection:on_status(fn)
  check_handler(fn, "on_status")
  if self.status_handler then error("on_status: a second function", 2) end
  self.status_handler = fn
end

function Connection:emit(event, ...)
  check_event(event, "emit")
  return functions.emit(self.name, event, ...)
end

local function call(name, seconds, event, ...)
  check_event(event, "call")
  return functions.call(name, seconds, event, ...)
end

function Connection:call(event, ...) return call(self.name, 10, event, ...) end

local Timed = {}
Timed.__index = Timed
function Timed:call(event, ...) return call(self.name, self.seconds, event, ...) end

function Connection:timeout(seconds)
  if type(seconds) ~= "number" or not (seconds > 0 and seconds <= 86400) then
    error("timeout takes seconds, of a day at most", 2)
  end
  return setmetatable({ name = self.name, seconds = seconds }, Timed)
end

function Connection:status() return functions.status(self.name) end
function Connection:reconnect() functions.reconnect(self.name) end

function Connection:close()
  if connections[self.name] ~= self then return end
  connections[self.name] = nil
  want(self.name, nil)
end

local upstream = {}

function upstream.connect(given)
  local options = read_options(given)
  check_options(options)
  options.auth = encode_auth(options)
  local name = options.name
  want(name, options)
  local connection = setmetatable({ name = name, handlers = {} }, Connection)
  connections[name] = connection
  return connection
end

--- True and the acknowledgement's values, or false: no answer is to be sent.
local function answer(...)
  if (...) == noack then return false end
  return true, ...
end

handle("event", function(name, event, ...)
  local connection = connections[name]
  local fn = connection and connection.handlers[event]
  if not fn then return false end
  return answer(fn(...))
end)

handle("status", function(name, status, detail)
  local connection = connections[name]
  if connection and connection.status_handler then connection.status_handler(status, detail) end
end)

return upstream
