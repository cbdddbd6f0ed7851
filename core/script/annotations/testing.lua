---@meta
-- What `moonwire test` gives to *_test.lua, beside what handlers have.

---A client at hand.
---@class moonwire.Client
---@field id string its socket's id
---@field nsp string
---@field connected boolean
local client = {}

---@class moonwire.ConnectOptions
---@field auth? table
---@field user? table comes with a token of these claims, instead of `auth`
---@field query? table<string, string>
---@field headers? table<string, string>
---@field address? string
---@field secure? boolean

---A connected client, or nil and the refusal.
---@param nsp? string|moonwire.ConnectOptions
---@param options? moonwire.ConnectOptions
---@return moonwire.Client
---@return { message: string, data: any }|nil refusal
function connect(nsp, options) end

---Another namespace over the same connection.
---@param nsp string
---@param options? moonwire.ConnectOptions
---@return moonwire.Client
---@return { message: string, data: any }|nil refusal
function client:connect(nsp, options) end

---Sends an event.
---@param event string
---@param ... moonwire.Value
function client:emit(event, ...) end

---Sends an event and returns the acknowledgement; or nil, "timeout" or "disconnected".
---@param event string
---@param ... moonwire.Value
---@return any ...
function client:call(event, ...) end

---The same without waiting: `:wait(seconds)` on what it returns gives the rest.
---@param event string
---@param ... moonwire.Value
---@return moonwire.PendingReply
function client:start(event, ...) end

---@class moonwire.PendingReply
local reply = {}

---@param seconds? number
---@return any ...
function reply:wait(seconds) end

---Answers what the server calls.
---@param event string
---@param fn fun(...: any): ...
function client:on_call(event, fn) end

---What came so far: each event's first argument; without a name all, as {name, …}.
---@param event? string
---@return any[]
function client:received(event) end

---The arguments of the first unread event of this name, waiting for it; or nil, "timeout".
---@param event string
---@param seconds? number
---@return any ...
function client:wait_for(event, seconds) end

---The next unread event's name and arguments; or nil, "timeout".
---@param seconds? number
---@return any ...
function client:recv(seconds) end

---Forgets what came.
function client:clear() end

---Leaves the namespace.
function client:disconnect() end

---Loses the connection.
function client:drop() end

---@class moonwire.Expectation
---@field never moonwire.Expectation the opposite
---@field to_equal fun(expected: any) tables by their contents; a schema stands for what it allows
---@field to_match fun(expected: any) has all of the table; a text: fits the Lua pattern
---@field to_contain fun(item: any)
---@field to_be_nil fun()
---@field to_have_length fun(length: integer)
---@field to_be_near fun(expected: number, tolerance?: number)
---@field to_error fun(pattern?: string)

---@param value any
---@return moonwire.Expectation
function expect(value) end

---A group of tests.
---@class moonwire.describe
---@field skip fun(name: string, fn: fun())
---@overload fun(name: string, fn: fun())
describe = {}

---A test.
---@class moonwire.it
---@field skip fun(name: string, fn: fun())
---@overload fun(name: string, fn: fun())
it = {}

---A test to be written; counted.
---@param name string
function pending(name) end

---Before each test of the group.
---@param fn fun()
function before_each(fn) end

---After each test of the group.
---@param fn fun()
function after_each(fn) end

---Lets simulated time pass.
---@param seconds number
function advance(seconds) end

---When the test begins; before its first connect.
---@param at number|string seconds, or "2026-03-01T08:00:00Z"
function clock(at) end

---Loads the app's demo.lua, too; before its first connect.
function demo() end

---Settings for this test; before its first connect.
---@param values table<string, moonwire.Value>
function settings(values) end

---@class moonwire.TestRequest
---@field json? moonwire.Value
---@field body? string
---@field query? table<string, string>
---@field headers? table<string, string>
---@field address? string
---@field secure? boolean
---@field user? table asks with a token of these claims

---Asks a route: status, body (decoded if it is JSON), headers.
---@param method string
---@param path string
---@param options? moonwire.TestRequest
---@return integer|nil status
---@return any body
---@return table<string, string> headers
function request(method, path, options) end

---Answers what handlers ask over HTTP: `fn` returns status, body, headers; or nil and why.
---@param method string
---@param url string `*` stands for anything
---@param fn fun(request: table): ...
function http.on(method, url, fn) end

---As in another namespace.
---@param nsp string
---@param event string
---@param ... moonwire.Value
function server_emit(nsp, event, ...) end

---A copy of a namespace's `ns.state`.
---@param nsp string
---@return table
function state(nsp) end

---What was logged so far.
---@return { level: string, message: string, fields: table }[]
function logs() end

---An error that matches is right.
---@param pattern string
function expect_error_log(pattern) end

---What the scripts' series of this metric with these labels come to together: a number, of a
---histogram its count and sum; nil if there are none.
---@param name string
---@param labels? table<string, string>
---@return number|nil value
---@return number|nil sum
function metric(name, labels) end
