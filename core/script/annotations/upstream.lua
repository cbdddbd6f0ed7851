---@meta plugin.upstream
-- The plugin `upstream`: plugins/README.md.

---@class moonwire.upstream
local upstream = {}

---@class moonwire.UpstreamOptions
---@field name string once a namespace
---@field url string http, https, ws or wss
---@field namespace? string default "/"
---@field path? string default "/socket.io/"
---@field auth? table what CONNECT carries
---@field headers? table<string, string>
---@field transports? ("websocket"|"polling")[] default both
---@field insecure? boolean believe any certificate
---@field timeout? number seconds until the namespace has answered, default 20
---@field reconnection_attempts? integer|false in a row, default 10; 0 or false: for ever
---@field reconnection_delay? number seconds, default 1
---@field reconnection_delay_max? number seconds, default 30
---@field queue? integer events that wait at most, default 10000
---@field queue_bytes? integer default 16 MiB
---@field drop_oldest? boolean at the limit; default: refuse the new

---@class moonwire.UpstreamStatus
---@field state "connecting"|"connected"|"disconnected"|"refused"|"gave_up"
---@field connected boolean
---@field url string
---@field uptime_seconds number of this connection
---@field uptime_percent number since the first connection
---@field attempts integer since the last connection
---@field reconnections integer
---@field queued integer
---@field sent integer
---@field received integer
---@field dropped integer for want of room
---@field failed integer calls without an answer
---@field last_error? string

---@class moonwire.UpstreamCall
local timed = {}

---@class moonwire.UpstreamConnection
local connection = {}

---A connection to a namespace of another Socket.IO server, opened when the file takes charge.
---@param options moonwire.UpstreamOptions
---@return moonwire.UpstreamConnection
function upstream.connect(options) end

---What the function returns is the acknowledgement, if the server asked for it.
---@param event string
---@param fn fun(...: moonwire.Value): ...
function connection:on(event, fn) end

---@param fn fun(status: "connected"|"disconnected"|"refused"|"gave_up", detail: string)
function connection:on_status(fn) end

---Queued while the server is away.
---@param event string
---@param ... moonwire.Value
---@return true|nil sent
---@return string|nil why "queue full" or "closed"
function connection:emit(event, ...) end

---Waits for the acknowledgement's values, 10 s; nil and why there are none.
---@param event string
---@param ... moonwire.Value
---@return moonwire.Value|nil
---@return moonwire.Value|string|nil
function connection:call(event, ...) end

---How long `:call` waits.
---@param seconds number
---@return moonwire.UpstreamCall
function connection:timeout(seconds) end

---@param event string
---@param ... moonwire.Value
---@return moonwire.Value|nil
---@return moonwire.Value|string|nil
function timed:call(event, ...) end

---Waits; nil once it is closed.
---@return moonwire.UpstreamStatus|nil
function connection:status() end

---Connects anew, at once, with all attempts left.
function connection:reconnect() end

---Sends what is queued, and ends.
function connection:close() end

return upstream
