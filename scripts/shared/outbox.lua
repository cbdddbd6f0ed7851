-- Messages for another system that go out with what they tell of: written in the same transaction
-- of the store, delivered afterwards, in order and at least once, over restarts. Each has an id, by
-- which the receiver can drop one that comes a second time; an id is taken only once.
--
--   local billing = outbox.open(ns, "billing", { deliver = function(record) … end })
--   ns.store:transaction(function(store) store:set(…)  billing:add(store, id, value) end)
--   billing:wake()
--
-- In the store: outbox:NAME:at:<number> {id, value, created_at}, outbox:NAME:id:<id>, and counters.
local outbox = {}
outbox.__index = outbox

local DAY = 86400

--- `deliver(record)` gets {id, value, created_at, attempt}, waits for the receiver and returns
--- true, or nil and why, or nil, why and "refused" when the receiver will never take this one; an
--- error in it counts as that, so that one message which can't be sent does not hold up all others.
--- Options: `first_delay`, `max_delay` seconds between attempts (1, 300; they double), `refusals`
--- (5) after which a refused one is set aside and the others go on, `limit` (100000) that may wait,
--- `remember_days` (30) for which the id of a delivered one is known.
function outbox.open(ns, name, options)
  local self = setmetatable({
    ns = ns, prefix = "outbox:" .. name .. ":", deliver = options.deliver,
    first_delay = options.first_delay or 1, max_delay = options.max_delay or 300,
    refusals = options.refusals or 5, limit = options.limit or 100000,
    remember = (options.remember_days or 30) * DAY,
    attempt = 0, delivered = 0,
  }, outbox)
  after(0, function() self:wake() end)  -- for what was there before a restart
  return self
end

local function key_of(self, number) return string.format("%sat:%015d", self.prefix, number) end

--- {next, waiting, aside}: the number of the next one, how many wait, how many are set aside.
function outbox:counters(store)
  return store:get(self.prefix .. "counters") or { next = 1, waiting = 0, aside = 0 }
end

--- In a transaction: writes the message. False if there was one with this id; fails with `busy`
--- when `limit` wait.
function outbox:add(store, id, value)
  if store:get(self.prefix .. "id:" .. id) then return false end
  local counters = self:counters(store)
  if counters.waiting >= self.limit then
    fail("busy", string.format("%d messages wait to be delivered, which is the limit", self.limit))
  end
  store:set(key_of(self, counters.next), { id = id, value = value, created_at = iso_time() })
  store:set(self.prefix .. "id:" .. id, counters.next)
  counters.next, counters.waiting = counters.next + 1, counters.waiting + 1
  store:set(self.prefix .. "counters", counters)
  return true
end

--- The head is done with: delivered, or (`aside`) set aside with why.
function outbox:settle(key, record, aside)
  return self.ns.store:transaction(function(store)
    local counters = self:counters(store)
    counters.waiting = counters.waiting - 1
    store:delete(key)
    if aside then
      counters.aside = counters.aside + 1
      store:set(self.prefix .. "aside:" .. record.id,
                { id = record.id, value = record.value, created_at = record.created_at,
                  why = aside })
    else
      store:set(self.prefix .. "id:" .. record.id, 0, { ttl = self.remember })
    end
    store:set(self.prefix .. "counters", counters)
    return true
  end)
end

--- Tries again after so many seconds, and not before.
function outbox:pause(seconds)
  self.pausing = after(seconds, function()
    self.pausing = nil
    self:wake()
  end)
end

--- Delivers one; whether to go on with the next at once.
function outbox:step()
  local page = self.ns.store:scan(self.prefix .. "at:", { limit = 1 })
  if not page then self:pause(1) end
  local head = page and page[1]
  if not head then return false end
  local record = head.value
  self.attempt = self.attempt + 1
  record.attempt = self.attempt
  local ok, done, why, kind = pcall(self.deliver, record)
  if not ok then
    done, why, kind = nil, type(done) == "table" and done.message or tostring(done), "refused"
  end
  local aside = not done and kind == "refused" and self.attempt >= self.refusals and why
  if done or aside then
    -- If the store fails here it comes again: at least once.
    if not self:settle(head.key, record, aside or nil) then
      self:pause(1)
      return false
    end
    self.attempt = 0
    if done then
      self.delivered, self.last_error = self.delivered + 1, nil
    else
      self.last_error = why
      log.warn("a message is set aside", { outbox = self.prefix, id = record.id, reason = aside })
    end
    return true
  end
  self.last_error = why or "not delivered"
  self:pause(math.min(self.max_delay, self.first_delay * 2 ^ math.min(self.attempt - 1, 30)))
  if self.attempt == 1 then
    log.warn("a message can't be delivered yet", {
      outbox = self.prefix, id = record.id, reason = self.last_error,
    })
  end
  return false
end

--- Delivers what waits, unless that is under way, or its next attempt is not due.
function outbox:wake()
  if self.running or self.pausing then return end
  self.running = true
  spawn(function()
    local ok, problem = pcall(function() while self:step() do end end)
    self.running = false
    if not ok then
      self:pause(self.max_delay)
      error(problem, 0)
    end
  end)
end

--- Tries now, whatever the delay was; of those that were set aside up to 100 come after the others.
--- Returns how many.
function outbox:retry()
  local moved = self.ns.store:transaction(function(store)
    local counters = self:counters(store)
    local list = store:scan(self.prefix .. "aside:", { limit = 100 }) or {}
    for _, entry in ipairs(list) do
      store:delete(entry.key)
      store:set(key_of(self, counters.next), { id = entry.value.id, value = entry.value.value,
                                               created_at = entry.value.created_at })
      counters.next, counters.waiting = counters.next + 1, counters.waiting + 1
      counters.aside = counters.aside - 1
    end
    store:set(self.prefix .. "counters", counters)
    return #list
  end)
  if self.pausing then self.pausing:cancel() end
  self.pausing, self.attempt = nil, 0
  self:wake()
  return moved
end

--- {waiting, set_aside, delivered (since the code was loaded), attempt, oldest_seconds, last_error}
function outbox:status()
  local store = self.ns.store
  local counters, page = self:counters(store), store:scan(self.prefix .. "at:", { limit = 1 })
  return {
    waiting = counters.waiting, set_aside = counters.aside, delivered = self.delivered,
    attempt = self.attempt, last_error = self.last_error,
    oldest_at = page and page[1] and page[1].value.created_at or nil,
  }
end

return outbox
