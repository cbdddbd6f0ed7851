-- The way out: who asked for fewer events (filters) or for several at once (batches) gets them so;
-- all others share one emission. Such sockets are in the room PARTICULAR, their wishes in
-- socket.data.wishes = {filters, batch}.
local schema = require "schema"
local stats = require "lib.stats"
local ticker = require "lib.ticker"

local outlet = {}

local PARTICULAR = "particular"
-- Answers, and what others wrote to this user alone, always arrive, and at once.
local OPTIONAL = { notification = true, announcement = true, room_message = true,
                   status_update = true }
local URGENCY = { low = 1, normal = 2, high = 3, urgent = 4 }

outlet.priority = schema.enum { "low", "normal", "high", "urgent" }

local names = schema.array(schema.string { min = 1, max = 128 }, { max = 100 })
outlet.filters = schema.named("Filters", schema.object {
  additional = false,
  events = schema.optional(schema.array(schema.enum {
    "notification", "announcement", "room_message", "status_update" }, { max = 4 })),
  types = schema.optional(names),
  rooms = schema.optional(names),
  minPriority = schema.optional(outlet.priority),
})
outlet.batching = schema.named("Batching", schema.object {
  additional = false,
  ms = schema.integer { min = 0, max = 10000, description = "0: no batches" },
  max = schema.default(schema.integer { min = 1, max = 100 }, 50),
})

local function has(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

--- Whether the socket's filters let an event pass.
function outlet.wants(socket, event, data)
  local filters = (socket.data.wishes or {}).filters
  if not filters or not OPTIONAL[event] then return true end
  if filters.events and not has(filters.events, event) then return false end
  if event == "room_message" then return not filters.rooms or has(filters.rooms, data.roomId) end
  if event == "status_update" then return true end
  if filters.types and not has(filters.types, data.type) then return false end
  local least = filters.minPriority and URGENCY[filters.minPriority] or 0
  return (URGENCY[data.priority] or URGENCY.normal) >= least
end

local function flush(ns, id, batch)
  ns.state.batches[id] = nil
  ns:to(id):emit("batch", { events = batch.events })
end

--- Sets a socket's filters and batches; nil leaves what is there.
function outlet.set_wishes(ns, socket, filters, batch)
  local wishes = socket.data.wishes or {}
  if filters then wishes.filters = next(filters) and filters or nil end
  if batch then
    local waiting = (ns.state.batches or {})[socket.id]
    if waiting then flush(ns, socket.id, waiting) end
    wishes.batch = batch.ms > 0 and batch or nil
  end
  socket.data.wishes = wishes
  if next(wishes) then socket:join(PARTICULAR) else socket:leave(PARTICULAR) end
end

local function to_particular(ns, socket, event, data)
  local wishes = socket.data.wishes or {}
  if not outlet.wants(socket, event, data) then return false end
  if not wishes.batch then return socket:emit(event, data) end
  local state = ns.state
  state.batches = state.batches or {}
  local batch = state.batches[socket.id]
  if not batch then
    batch = { events = {}, due = now() + wishes.batch.ms / 1000 }
    state.batches[socket.id] = batch
    outlet.look_after(ns)
  end
  batch.events[#batch.events + 1] = { event = event, data = data }
  if #batch.events >= wishes.batch.max then flush(ns, socket.id, batch) end
  return true
end

--- Sends to one socket, as it wishes. False if it filters this out.
function outlet.to_socket(ns, socket, event, data)
  local sent
  if OPTIONAL[event] then
    sent = to_particular(ns, socket, event, data)
  else
    sent = socket:emit(event, data)
  end
  stats.sent(ns.state, event, sent and 1 or 0)
  return sent
end

--- Sends to a room, or with nil to everybody; how many are there.
function outlet.send(ns, room, event, data)
  local chain = room and ns:to(room) or ns
  local present = chain:count()
  stats.sent(ns.state, event, present)
  if not OPTIONAL[event] or ns:to(PARTICULAR):count() == 0 then
    chain:emit(event, data)
    return present
  end
  chain:except(PARTICULAR):emit(event, data)
  for _, socket in ipairs(chain:fetch()) do
    if socket.data.wishes and next(socket.data.wishes) then
      to_particular(ns, socket, event, data)
    end
  end
  return present
end

local start

--- Sees to it that batches go when they are due; called for those of before a reload, too.
function outlet.look_after(ns)
  start = start or ticker.new(
    function() return next(ns.state.batches or {}) ~= nil end,
    function()
      for id, batch in pairs(ns.state.batches) do
        if batch.due <= now() then flush(ns, id, batch) end
      end
    end)
  start()
end

--- A socket is gone.
function outlet.forget(ns, socket)
  if ns.state.batches then ns.state.batches[socket.id] = nil end
end

return outlet
