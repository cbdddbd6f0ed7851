-- Events for a party ("driver:7") that must arrive: each waits in the store until a client of the
-- party has acknowledged it, over connections and restarts, and they are sent in order.
--
-- Clients may know nothing of acknowledgements. One that acknowledges nothing, and is still there
-- after `silence_seconds` (longer than a dead connection stays unnoticed), has what it was sent;
-- its party is remembered as silent, for which an event is done with once it is sent.
--
-- In the store: mail:PARTY:<number> {event, data}, and silent:PARTY.
local option = require "shared.option"

local mailbox = {}

local LIMIT = option.count("mailbox.limit", 200, option.PAGE)
local KEEP = option.days("mailbox.keep_days", 7)
local SILENCE = option.amount("mailbox.silence_seconds", 60)
local SILENT_DAYS = 30

local last_number = 0

--- Numbers grow, over restarts, too, as long as the clock is not set back.
local function next_key(party)
  last_number = math.max(last_number + 1, math.floor(now() * 1e6))
  return string.format("mail:%s:%017.0f", party, last_number)
end

local function prefix_of(party) return "mail:" .. party .. ":" end

--- All that waits for the party, oldest first: {key, value}.
local function waiting(store, party)
  local list, why = store:scan(prefix_of(party), { limit = LIMIT })
  if not list then fail("unavailable", why) end
  return list
end

--- Runs `fn` with the locks of all these parties, taken in order of their names.
local function with_locks(ns, parties, fn, at)
  local party = parties[at or 1]
  if not party then return fn() end
  local done, result = false, nil
  local _, why = ns:lock("mail:" .. party, function()
    done, result = true, with_locks(ns, parties, fn, (at or 1) + 1)
  end)
  if not done then fail("busy", why) end
  return result
end

local function acknowledged(ns, party, socket, key)
  ns.store:delete(key)
  if socket.data.acknowledges then return end
  socket.data.acknowledges = true
  ns.store:delete("silent:" .. party)
end

--- Sends one, now, and sees to what becomes of it later.
local function hand_out(ns, party, socket, letter)
  local line, key = socket.data.line, letter.key
  spawn(function()
    local answer, why = socket:timeout(SILENCE):call(letter.event, letter.data)
    if why == nil or answer ~= nil then return acknowledged(ns, party, socket, key) end
    if why == "busy" then
      -- It owes thousands of acknowledgements: the event itself must not be lost.
      socket:emit(letter.event, letter.data)
      return ns.store:delete(key)
    end
    local there = why == "timeout" and socket.connected and socket.data.line == line
    if there and not socket.data.acknowledges then
      socket.data.silent = true
      ns.store:delete(key)
      ns.store:set("silent:" .. party, true, { ttl = SILENT_DAYS * 86400 })
    end
  end)
  if socket.data.silent then ns.store:delete(key) end
end

--- In one transaction `write(store)` and all letters {to, event, data}; then those are handed out.
--- Fails with `unavailable` or `busy`, and then nothing was done. What `write` returns.
function mailbox.post(ns, letters, write)
  local parties, known = {}, {}
  for _, letter in ipairs(letters) do
    if not known[letter.to] then parties[#parties + 1] = letter.to end
    known[letter.to] = true
  end
  table.sort(parties)
  return with_locks(ns, parties, function()
    local result, why = ns.store:transaction(function(store)
      local written = write and write(store)
      for _, letter in ipairs(letters) do
        local list = waiting(store, letter.to)
        if #list >= LIMIT then
          store:delete(list[1].key)
          log.warn("a mailbox is full: its oldest event is gone", { party = letter.to })
        end
        letter.key = next_key(letter.to)
        local ok, problem = store:set(letter.key, { event = letter.event, data = letter.data },
                                      { ttl = KEEP })
        if not ok then fail("unavailable", problem) end
      end
      return written or true
    end)
    if not result then fail("unavailable", why) end
    for _, letter in ipairs(letters) do
      for _, socket in ipairs(ns:to(letter.to):fetch()) do
        if socket.data.open then hand_out(ns, letter.to, socket, letter) end
      end
    end
    return result
  end)
end

local function hand_out_all(ns, party, socket)
  for _, entry in ipairs(waiting(ns.store, party)) do
    hand_out(ns, party, socket, { key = entry.key, event = entry.value.event,
                                  data = entry.value.data })
  end
end

--- Lets a socket into its party's room, and gives it what waits there. `greet()` comes before that.
function mailbox.open(ns, party, socket, greet)
  with_locks(ns, { party }, function()
    socket.data.line, socket.data.open = (socket.data.line or 0) + 1, true
    socket.data.silent = ns.store:get("silent:" .. party) or false
    socket:join(party)
    greet()
    hand_out_all(ns, party, socket)
  end)
end

--- A reload of the code ends what waits for acknowledgements: what had none yet is sent again.
function mailbox.resume(ns)
  for _, socket in ipairs(ns:to("users"):fetch()) do
    local party = socket.data.user.party
    with_locks(ns, { party }, function()
      if socket.data.open then hand_out_all(ns, party, socket) end
    end)
  end
end

--- Its connection has ended. Should it come back it is in the room before it is let in again, which
--- is when it gets what came meanwhile.
function mailbox.close(socket) socket.data.open = false end

--- How many events wait for the party.
function mailbox.count(ns, party) return #waiting(ns.store, party) end

return mailbox
