---@meta
-- What Moonwire gives to handlers, for lua-language-server. Written by `moonwire new`; a newer
-- Moonwire brings a newer one (share/moonwire/annotations). The text is in scripts/README.md.

---Anything that JSON can say, and binary values.
---@alias moonwire.Value any

---One room, or a list of them: each socket is reached once.
---@alias moonwire.Rooms string|string[]

---A schema made by `require "schema"`.
---@class moonwire.Schema

--------------------------------------------------------------------------------
-- Sending

---Whom to reach, and how. Each step makes a new chain, so any of them can be kept and reused.
---@class moonwire.Chain
local chain = {}

---Adds rooms to those that are reached.
---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return moonwire.Chain
function chain:to(rooms, ...) end

---Leaves out who is in these rooms; a socket's id is the name of its own room.
---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return moonwire.Chain
function chain:except(rooms, ...) end

---All of the namespace; of a socket, all but that socket.
---@return moonwire.Chain
function chain:broadcast() end

---What a client can't take now is dropped.
---@return moonwire.Chain
function chain:volatile() end

---false: what `engine.deflate` would compress goes out as it is.
---@param on boolean
---@return moonwire.Chain
function chain:compress(on) end

---How long `:call` waits.
---@param seconds number
---@return moonwire.Chain
function chain:timeout(seconds) end

---This node only.
---@return moonwire.Chain
function chain:here() end

---Sends an event.
---@param event string
---@param ... moonwire.Value
---@return boolean|nil sent
---@return string|nil why
function chain:emit(event, ...) end

---Sends an event and waits for the acknowledgement: of one socket its values; of many, of this node,
---a list of their first values, and "timeout" if some are missing.
---@param event string
---@param ... moonwire.Value
---@return any reply nil: see `why`
---@return string|any why "timeout", "disconnected" or "busy"
function chain:call(event, ...) end

---Who is reached on this node.
---@return moonwire.Socket[]
function chain:fetch() end

---How many are reached on this node.
---@return integer
function chain:count() end

---Makes them join rooms.
---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return boolean|nil done
---@return string|nil why "disconnected" or "too many rooms"
function chain:join(rooms, ...) end

---Makes them leave rooms.
---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return boolean|nil done
---@return string|nil why
function chain:leave(rooms, ...) end

---Disconnects them from the namespace; with `close` their connections end.
---@param close? boolean
---@return boolean|nil done
---@return string|nil why
function chain:disconnect(close) end

---Calls what a namespace `serve`s, as `ask` does, waiting as long as `:timeout` says.
---@param name string
---@param ... moonwire.Value
---@return any result nil: see `why`
---@return string|any why
---@return string|any code of a `fail`
function chain:ask(name, ...) end

---An event for `ns:on_server`: of another namespace here, or of this one on the other nodes.
---@param event string
---@param ... moonwire.Value
---@return boolean|nil sent
---@return string|nil why
function chain:server_emit(event, ...) end

--------------------------------------------------------------------------------
-- Sockets

---@class moonwire.Handshake
---@field headers table<string, string>
---@field query table<string, string>
---@field auth table what the client sent as `auth`
---@field address string
---@field url string
---@field secure boolean
---@field xdomain boolean
---@field issued number seconds since 1970
---@field time string
---@field client_certificate? string its subject, where one was verified

---One client in one namespace. Once it has left, its methods do nothing and return nil, "disconnected".
---@class moonwire.Socket
---@field id string
---@field nsp string its namespace's name
---@field params table<string, string> of a family's name: `namespace "/tenant/:name"`
---@field handshake moonwire.Handshake
---@field data table yours; kept through reload and recovery
---@field rooms string[] the first is its own
---@field recovered boolean its client came back and missed nothing
---@field transport "websocket"|"polling"
---@field latency number|nil seconds, by the last ping
---@field connected boolean
local socket = {}

---Sends an event to this client.
---@param event string
---@param ... moonwire.Value
---@return boolean|nil sent
---@return string|nil why
function socket:emit(event, ...) end

---Sends an event and waits for the client's acknowledgement; returns its values.
---@param event string
---@param ... moonwire.Value
---@return any reply nil: see `why`
---@return string|any why "timeout", "disconnected" or "busy"
function socket:call(event, ...) end

---A room, without this socket.
---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return moonwire.Chain
function socket:to(rooms, ...) end

---All but this socket and those rooms.
---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return moonwire.Chain
function socket:except(rooms, ...) end

---All but this socket.
---@return moonwire.Chain
function socket:broadcast() end

---What the client can't take now is dropped.
---@return moonwire.Chain
function socket:volatile() end

---@param on boolean
---@return moonwire.Chain
function socket:compress(on) end

---How long `:call` waits.
---@param seconds number
---@return moonwire.Chain
function socket:timeout(seconds) end

---This node only.
---@return moonwire.Chain
function socket:here() end

---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return boolean|nil done
---@return string|nil why "disconnected" or "too many rooms"
function socket:join(rooms, ...) end

---@param rooms moonwire.Rooms
---@param ... string more rooms
---@return boolean|nil done
---@return string|nil why
function socket:leave(rooms, ...) end

---Leaves the namespace; with `close` the connection ends.
---@param close? boolean
---@return boolean|nil done
---@return string|nil why
function socket:disconnect(close) end

---Puts off its end, when its token would expire: to that time (seconds since the epoch), or to that
---of another token of the same user, whose claims become `socket.data.user`. A token is verified,
---which waits.
---@param expiry number|string
---@return boolean|table|nil done true, or the token's claims
---@return string|nil why
---@return string|nil code
function socket:refresh(expiry) end

--------------------------------------------------------------------------------
-- Namespaces

---An argument as the client wrote it, of `schema.raw()`: emitting writes it verbatim. # is its length.
---@class moonwire.Raw
local raw = {}

---Its value, each time anew.
---@return moonwire.Value
function raw:decode() end

---Schemas, one an argument, and what else is declared of an event.
---@class moonwire.Contract: { [integer]: moonwire.Schema }
---@field returns? moonwire.Schema of the acknowledgement
---@field description? string
---@field check? boolean false: the handler checks by itself

---@class moonwire.RelayOptions
---@field to? moonwire.Rooms "order:{orderId}" takes a field of the first argument; without it: everybody
---@field to_namespace? string another namespace's clients
---@field as? string the event's name on its way out
---@field except_sender? boolean default true
---@field volatile? boolean
---@field compress? boolean
---@field schema? moonwire.Schema|moonwire.Contract
---@field rate? number[] {count, seconds}, for each socket
---@field role? string
---@field roles? string[]

---What a namespace keeps over restarts: `ns.store`. Its calls wait until it is done (and, if durable,
---on the disk), and return nil and why if it can't be: "disk full", "too large", "busy", ….
---@class moonwire.Store
local store = {}

---@class moonwire.StoreOptions
---@field durable? boolean answered only when it would survive a power cut (setting store.durable)

---@class moonwire.SetOptions: moonwire.StoreOptions
---@field ttl? number seconds, then it is gone

---@class moonwire.AppendOptions: moonwire.StoreOptions
---@field count? integer keeps so many, the oldest go
---@field bytes? integer keeps so many bytes of values, the oldest go
---@field age? number seconds, then this one is gone

---@class moonwire.HistoryOptions
---@field before? integer an id: the last ones before it
---@field after? integer an id: the first ones after it
---@field limit? integer default 100, at most 1000

---@class moonwire.QueuedEvent: moonwire.StoreOptions
---@field [1] string the event
---@field ttl? number seconds, then it is not delivered any more (setting store.queue_seconds)
---@field max? integer the queue's limit (setting store.queue_items)
---@field drop_oldest? boolean makes room in a full queue

---@param key string
---@return moonwire.Value|nil value
---@return string|nil why
function store:get(key) end

---@param key string
---@param value moonwire.Value
---@param options? moonwire.SetOptions
---@return boolean|nil done
---@return string|nil why
function store:set(key, value, options) end

---@param key string
---@param options? moonwire.StoreOptions
---@return boolean|nil was_there
---@return string|nil why
function store:delete(key, options) end

---Keys that begin so, in order, with their values. The next page is after the last key.
---@param prefix string
---@param options? { limit?: integer, after?: string }
---@return { key: string, value: moonwire.Value }[]|nil
---@return string|nil why
function store:scan(prefix, options) end

---Adds to the end of a stream. Later ids are greater.
---@param stream string
---@param value moonwire.Value
---@param options? moonwire.AppendOptions
---@return integer|nil id
---@return string|nil why
function store:append(stream, value, options) end

---A page of a stream, oldest first: its end, unless told.
---@param stream string
---@param options? moonwire.HistoryOptions
---@return { id: integer, at: number, value: moonwire.Value }[]|nil
---@return string|nil why
function store:history(stream, options) end

---@param stream string
---@param options? moonwire.StoreOptions
---@return integer|nil removed
---@return string|nil why
function store:clear_stream(stream, options) end

---Keeps an event for a recipient that is away.
---@param recipient string
---@param event string|moonwire.QueuedEvent
---@param ... moonwire.Value
---@return integer|nil id
---@return string|nil why "queue full", …
function store:enqueue(recipient, event, ...) end

---How many events wait for a recipient.
---@param recipient string
---@return integer|nil
---@return string|nil why
function store:queued(recipient) end

---@param recipient string
---@param options? moonwire.StoreOptions
---@return integer|nil removed
---@return string|nil why
function store:clear_queue(recipient, options) end

---Sends what is queued, in order, and removes what the client acknowledges.
---@param recipient string
---@param socket moonwire.Socket
---@param options? { timeout?: number } seconds for each acknowledgement, default 10
---@return integer acknowledged
---@return string|nil why not all: "timeout", "disconnected", …
function store:deliver(recipient, socket, options) end

---Calls `ns:on_schedule`'s handler once, at this time or as soon after it as the broker runs.
---@param at number seconds since 1970, as now() gives them
---@param name string
---@param data? moonwire.Value
---@param options? moonwire.StoreOptions
---@return string|nil id
---@return string|nil why
function store:schedule(at, name, data, options) end

---@param id string of a schedule
---@param options? moonwire.StoreOptions
---@return boolean|nil was_there
---@return string|nil why
function store:cancel(id, options) end

---What `fn` does with the store happens all or nothing, and sees itself; nobody else writes to the
---namespace's store meanwhile. An error in it undoes all. Returns what it returns.
---@param fn fun(store: moonwire.Store): ...
---@param options? moonwire.StoreOptions
---@return any ... nil, and why the commit failed
function store:transaction(fn, options) end
---@class moonwire.AuthOptions
---@field roles? string|string[] of which the user needs one, as `type`, `role` or in `roles`
---@field optional? boolean who brings no token comes in as nobody

---What `namespace "/x"` gives: where handlers are registered while a file loads, and the chain to
---everybody.
---@class moonwire.Namespace: moonwire.Chain
---@field name string
---@field state table plain data that survives reloads; not while a file loads
---@field store moonwire.Store what survives restarts, too
local ns = {}

---Before a client is in; `fail` refuses it.
---@param fn fun(socket: moonwire.Socket)
function ns:use(fn) end

---Lets in, before `ns:use`, who brings a token that a plugin accepts; its claims are
---`socket.data.user`. When it expires the client gets `error` with the code `token_expired`, and is
---put out.
---@param options? moonwire.AuthOptions
function ns:require_auth(options) end

---@param fn fun(socket: moonwire.Socket)
function ns:on_connect(fn) end

---The rooms are still there.
---@param fn fun(socket: moonwire.Socket, reason: string)
function ns:on_disconnecting(fn) end

---@param fn fun(socket: moonwire.Socket, reason: string)
function ns:on_disconnect(fn) end

---A client that was away did not come back in time.
---@param fn fun(socket: moonwire.Socket)
function ns:on_expired(fn) end

---Handles an event; what the function returns is the acknowledgement.
---@param event string
---@param schema moonwire.Schema|moonwire.Contract one, or a list with one an argument
---@param fn fun(socket: moonwire.Socket, ...: any): ...
---@overload fun(self: moonwire.Namespace, event: string, fn: fun(socket: moonwire.Socket, ...: any): ...)
function ns:on(event, schema, fn) end

---Before the event's own handler, for every event.
---@param fn fun(socket: moonwire.Socket, event: string, ...: any)
function ns:on_any(fn) end

---Packet middleware: `fail` stops the event.
---@param fn fun(socket: moonwire.Socket, event: string, ...: any)
function ns:use_event(fn) end

---Declares an event that goes out.
---@param event string
---@param schema moonwire.Schema|moonwire.Contract
function ns:emits(event, schema) end

---Passes an event on without code.
---@param event string
---@param options? moonwire.RelayOptions
function ns:relay(event, options) end

---Hears what other namespaces, and this one on other nodes, `server_emit`.
---@param event string
---@param fn fun(...: any)
function ns:on_server(event, fn) end

---Offers a function to the others: `ask("/ns", name, ...)`.
---@param name string
---@param fn fun(...: any): ...
function ns:serve(name, fn) end

---Handles what `ns.store:schedule` has set; `at` is its time.
---@param name string
---@param fn fun(data: moonwire.Value, at: number)
function ns:on_schedule(name, fn) end

---Migrates `ns.state` when this version takes over; counts only if all goes well.
---@param fn fun(state: table, from_generation: integer)
function ns:on_reload(fn) end

---Runs `fn` alone among all that lock this key, first come, first served; returns what it returns.
---@param key string
---@param fn fun(): ...
---@return any ...
function ns:lock(key, fn) end

---The namespace that this file belongs to. Once a file, first.
---@param name string "/events", or a family: "/tenant/:name"
---@return moonwire.Namespace
function namespace(name) end

---Another namespace, from here.
---@param name string
---@return moonwire.Chain
function namespace_of(name) end

---Calls what another namespace `serve`s; returns what that returns.
---@param nsp string
---@param name string
---@param ... moonwire.Value
---@return any result nil: see `why`
---@return string|any why
---@return string|any code of a `fail`
function ask(nsp, name, ...) end

---Refuses: the client hears code and message.
---@param code string|nil
---@param message? string
---@param data? moonwire.Value
function fail(code, message, data) end

---`return noack` leaves an event unanswered.
noack = nil ---@type userdata

--------------------------------------------------------------------------------
-- Values

---JSON's null. Compare with == null; missing is nil.
null = nil ---@type userdata

---Binary. # is its length.
---@class moonwire.Bytes
---@field data string

---@param data string|moonwire.Bytes
---@return moonwire.Bytes
function bytes(data) end

---@param value any
---@return boolean
function is_bytes(value) end

---Also as `require "json"`.
---@class moonwire.json
json = {}

---@param value moonwire.Value
---@return string
function json.encode(value) end

---@param text string
---@return moonwire.Value
---@return string|nil why
function json.decode(text) end

---Marks a table as an array, also when it is empty.
---@generic T: table
---@param list? T
---@return T
function json.array(list) end

--------------------------------------------------------------------------------
-- Time and waiting

---@class moonwire.Timer
local timer = {}

---@return boolean cancelled false if it was over already
function timer:cancel() end

---@param seconds number
function sleep(seconds) end

---@param seconds number
---@param fn fun()
---@return moonwire.Timer
function after(seconds, fn) end

---Never overlaps itself.
---@param seconds number
---@param fn fun()
---@return moonwire.Timer
function every(seconds, fn) end

---By the wall clock, UTC: minute, hour, day of month, month, day of week; or @hourly, @daily, ….
---@param expression string
---@param fn fun()
---@return moonwire.Timer
function cron(expression, fn) end

---Seconds since 1970, with fractions.
---@return number
function now() end

---"1970-01-01T00:00:00.000Z"
---@param seconds? number default: now
---@return string
function iso_time(seconds) end

---@return string
function uuid() end

---In the background.
---@param fn fun()
function spawn(fn) end

---Waits for all; the first result of each.
---@param ... fun(): any
---@return any ...
function gather(...) end

--------------------------------------------------------------------------------
-- Metrics

---A value of each of the metric's labels: texts, numbers or booleans.
---@alias moonwire.Labels table<string, string|number|boolean>

---Only grows.
---@class moonwire.Counter
local counter = {}

---@param labels moonwire.Labels left out where the metric has none
---@param by? number default 1
---@overload fun(self: moonwire.Counter, by?: number)
function counter:inc(labels, by) end

---What something is now.
---@class moonwire.Gauge
local gauge = {}

---@param labels moonwire.Labels left out where the metric has none
---@param to number
---@overload fun(self: moonwire.Gauge, to: number)
function gauge:set(labels, to) end

---@param labels moonwire.Labels left out where the metric has none
---@param by? number default 1
---@overload fun(self: moonwire.Gauge, by?: number)
function gauge:inc(labels, by) end

---@param labels moonwire.Labels left out where the metric has none
---@param by? number default 1
---@overload fun(self: moonwire.Gauge, by?: number)
function gauge:dec(labels, by) end

---How often something was how large.
---@class moonwire.Histogram
local histogram = {}

---@param labels moonwire.Labels left out where the metric has none
---@param value number
---@overload fun(self: moonwire.Histogram, value: number)
function histogram:observe(labels, value) end

---Figures for a monitoring system; declared while a file loads, kept through reloads.
---@class moonwire.metrics
metrics = {}

---@param name string ends in _total
---@param help string
---@param labels? string[]
---@return moonwire.Counter
function metrics.counter(name, help, labels) end

---@param name string
---@param help string
---@param labels? string[]
---@return moonwire.Gauge
function metrics.gauge(name, help, labels) end

---@param name string
---@param help string
---@param labels? string[]
---@param buckets? number[] upper bounds that grow; default: seconds from 0.005 to 10
---@return moonwire.Histogram
function metrics.histogram(name, help, labels, buckets) end

--------------------------------------------------------------------------------
-- The outside

---@class moonwire.Request
---@field method string
---@field path string
---@field url string
---@field query table<string, string>
---@field headers table<string, string>
---@field address string
---@field secure boolean
---@field params table<string, string> of the route's path
---@field body string
---@field json moonwire.Value
---@field user? table the claims of the token, of a route with `roles` or `auth`

---@class moonwire.RouteOptions
---@field schema? moonwire.Schema of the JSON body
---@field roles? string|string[] of which who asks needs one, by a token
---@field auth? true|"optional" who asks needs a token, of whomever; or may bring one

---Serves HTTP beside the sockets: returns status, body, headers; nothing is 204.
---@param method string
---@param path string "/rooms/:id"
---@param options moonwire.RouteOptions
---@param fn fun(request: moonwire.Request): integer?, any?, table<string, string>?
---@overload fun(method: string, path: string, fn: fun(request: moonwire.Request): integer?, any?, table<string, string>?)
function route(method, path, options, fn) end

---Before there is a connection: for a client's first HTTP request. `fail` refuses it; headers of the
---answer may be returned.
---@param fn fun(request: moonwire.Request): table<string, string>|nil
function on_request(fn) end

---@class moonwire.Incident
---@field kind string the limit's setting ("events_per_second"), or "protocol", "origin", "refused", "auth_failed"
---@field time number seconds since the epoch
---@field address? string
---@field user? string
---@field nsp? string
---@field socket? string its id
---@field detail? string
---@field count integer so many of the same
---@field skipped integer that no script was told of, since the one before

---A limit breached, a refusal, a failed authentication: of whatever namespace, or before there is one.
---@param fn fun(incident: moonwire.Incident)
function on_suspicious(fn) end

---@class moonwire.HttpRequest
---@field url string
---@field method? string default GET, or POST with a body
---@field headers? table<string, string>
---@field body? string|moonwire.Bytes
---@field json? moonwire.Value instead of a body
---@field timeout? number seconds for the whole call, default 30

---@class moonwire.HttpResponse
---@field status integer
---@field headers table<string, string|string[]>
---@field body string
---@field json moonwire.Value where the body is JSON

---@class moonwire.http
http = {}

---Asks another server, and waits for the answer.
---@param request moonwire.HttpRequest
---@return moonwire.HttpResponse|nil
---@return string|nil why
function http.request(request) end

---@class moonwire.log
log = {}

---@param message string
---@param fields? table
function log.debug(message, fields) end

---@param message string
---@param fields? table
function log.info(message, fields) end

---@param message string
---@param fields? table
function log.warn(message, fields) end

---@param message string
---@param fields? table
function log.error(message, fields) end

---A variable of the environment.
---@param name string
---@param default? any
---@return string|any
function env(name, default) end

---A value below [settings] of moonwire.toml.
---@param name string "stock.limit"
---@param default? any
---@return any
function setting(name, default) end
