-- What must reach a user or a session, sooner or later: written down first, then sent in order
-- while somebody is there, and marked as delivered. An owner is a room, "user:u1" or "session:s1".
--
-- The store has a stream "mail:OWNER" of {event, data}, and a key "box:OWNER" = {delivered,
-- waiting}: the id up to which all was delivered, and how many are behind it. One of the owner's
-- sockets suffices. Sockets that connected with `acks` answer each event with an acknowledgement;
-- what they don't is sent again, and waits if nobody ever does. To others, sent is delivered.
local outlet = require "lib.outlet"
local option = require "shared.option"
local stats = require "lib.stats"

local mailbox = {}

local LIMIT = option.count("mailbox.limit", 1000)
local KEEP_SECONDS = option.amount("mailbox.keep_days", 7) * 86400
local ACK_SECONDS = option.amount("mailbox.ack_seconds", 5)
local ATTEMPTS = option.count("mailbox.attempts", 3)
local PAGE = 50

local function stream_of(owner) return "mail:" .. owner end
local function box_of(owner) return "box:" .. owner end

local function read_box(store, owner)
  return store:get(box_of(owner)) or { delivered = 0, waiting = 0 }
end

local function write_box(store, owner, box)
  -- Outlives every entry that it speaks of.
  local done, why = store:set(box_of(owner), box, { ttl = KEEP_SECONDS + 3600, durable = false })
  if not done then error(why, 0) end
end

--- Counts what waits: some may have grown too old meanwhile.
local function recount(store, owner, box)
  local left = store:history(stream_of(owner), {
    after = box.delivered, limit = math.min(LIMIT, 1000),
  })
  if left then box.waiting = #left end
end

local function is_full(store, owner, box, most)
  if box.waiting >= most then recount(store, owner, box) end
  return box.waiting >= most
end

--- Writes an event down, in the transaction that `store` is of; raises `busy` if too many wait.
--- `most` is how many may, if not the setting: math.huge for what must not be refused, answers.
function mailbox.keep(store, owner, event, data, most)
  most = most or LIMIT
  local box = read_box(store, owner)
  if is_full(store, owner, box, most) then
    fail("busy", string.format("%s has %d messages waiting, which is the limit", owner, most))
  end
  local id, why = store:append(stream_of(owner), { event = event, data = data },
                               { count = LIMIT * 2, age = KEEP_SECONDS })
  if not id then fail("unavailable", why) end
  box.waiting = box.waiting + 1
  write_box(store, owner, box)
  return id
end

--- Changes the owner's box.
local function update(ns, owner, change)
  ns.store:transaction(function(store)
    local box = read_box(store, owner)
    change(store, box)
    write_box(store, owner, box)
  end, { durable = false })
end

--- Marks all up to `id` as delivered.
local function mark(ns, owner, id)
  update(ns, owner, function(_, box)
    if id <= box.delivered then return end
    box.delivered, box.waiting = id, math.max(0, box.waiting - 1)
  end)
end

--- Sends to all sockets of the owner; whether one took it. Those that filter it out need not have
--- it.
local function attempt(ns, sockets, event, data)
  local taken, questions = false, {}
  for _, socket in ipairs(sockets) do
    if socket.data.acks and outlet.wants(socket, event, data) then
      questions[#questions + 1] = function()
        local _, why = socket:timeout(ACK_SECONDS):call(event, data)
        return why == nil
      end
    else
      outlet.to_socket(ns, socket, event, data)  -- unless it is filtered out
      taken = true
    end
  end
  stats.sent(ns.state, event, #questions)
  if #questions == 0 then return taken end
  for _, acknowledged in ipairs { gather(unpack(questions)) } do taken = taken or acknowledged end
  return taken
end

local function reach(ns, owner, event, data)
  for number = 1, ATTEMPTS do
    local sockets = ns:to(owner):fetch()
    if #sockets == 0 then return false end
    if attempt(ns, sockets, event, data) then return true end
    if number < ATTEMPTS then sleep(2 ^ (number - 1)) end
  end
  return false
end

--- False if somebody is there who does not acknowledge.
local function deliver_all(ns, owner)
  while ns:to(owner):count() > 0 do
    local box = read_box(ns.store, owner)
    local page = ns.store:history(stream_of(owner), { after = box.delivered, limit = PAGE })
    if not page then return false end
    if #page == 0 then
      if box.waiting > 0 then
        update(ns, owner, function(store, latest) recount(store, owner, latest) end)
      end
      return true
    end
    for _, entry in ipairs(page) do
      if not reach(ns, owner, entry.value.event, entry.value.data) then
        return ns:to(owner):count() == 0
      end
      mark(ns, owner, entry.id)
    end
  end
  return true
end

-- Owners for whom a delivery waits to begin: it will find whatever comes until then.
local queued = {}

--- Sends what waits, one delivery of an owner at a time; returns when all is sent, or can't be now.
function mailbox.deliver(ns, owner)
  if queued[owner] then return end
  queued[owner] = true
  ns.state.stalled = ns.state.stalled or {}
  ns.state.stalled[owner] = true  -- until it is done: a reload may put an end to it before
  local ok, why = pcall(ns.lock, ns, stream_of(owner), function()
    queued[owner] = nil
    if deliver_all(ns, owner) then ns.state.stalled[owner] = nil end
  end)
  queued[owner] = nil
  if not ok then error(why, 0) end
end

--- Writes down what another user says, and sends it in the background; half of the box is the back
--- end's alone. Returns its id, and whether somebody is there.
function mailbox.post(ns, owner, event, data)
  local id, why = ns.store:transaction(function(store)
    return mailbox.keep(store, owner, event, data, math.ceil(LIMIT / 2))
  end)
  if not id then fail("unavailable", why) end
  mailbox.send(ns, owner)
  return id, ns:to(owner):count() > 0
end

function mailbox.send(ns, owner) spawn(function() mailbox.deliver(ns, owner) end) end

--- Tries those again whose sockets are there but don't acknowledge, or whose delivery was cut off.
function mailbox.retry(ns)
  for owner in pairs(ns.state.stalled or {}) do
    if ns:to(owner):count() == 0 then
      ns.state.stalled[owner] = nil
    else
      mailbox.send(ns, owner)
    end
  end
end

--- How many wait for an owner.
function mailbox.waiting(ns, owner) return read_box(ns.store, owner).waiting end

--- The stream's name, for pages of what was sent.
mailbox.stream = stream_of

--- How long something waits at most.
mailbox.KEEP_SECONDS = KEEP_SECONDS

return mailbox
