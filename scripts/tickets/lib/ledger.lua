-- What must outlive the process: open tickets, counters and services. The store has the truth; a
-- copy in ns.state answers questions without waiting. Changes come one after another, and whoever
-- is told of one finds it on the disk. A reload drops the copy (in monitor.lua): it is read anew.
local option = require "shared.option"

local KEEP_SECONDS = option.count("tickets.keep_days", 7) * 86400  -- tickets that are over
local PAGE = 500
local ID_LENGTH = 36  -- of uuid()

local ledger = {}
ledger.__index = ledger

function ledger.open(ns) return setmetatable({ ns = ns }, ledger) end

local function must(value, why)
  if value == nil and why then
    fail("unavailable", "the tickets can't be read or written now: " .. why)
  end
  return value
end

local function read(store, kind)
  local records, prefix, last = {}, kind .. ":", nil
  repeat
    local page = must(store:scan(prefix, { limit = PAGE, after = last }))
    for _, entry in ipairs(page) do
      records[entry.key:sub(#prefix + 1)] = entry.value
      last = entry.key
    end
  until #page < PAGE
  return records
end

--- Runs `change(records)` while no other change is under way, and returns what it does (not nil).
--- `records` is {tickets, counters, services}, each by id: to be read, and not to be kept for
--- longer; `write` changes them.
function ledger:alone(change)
  local result, why = self.ns:lock("ledger", function()
    local state = self.ns.state
    if not state.records then
      local store = self.ns.store
      state.records = {
        tickets = read(store, "tickets"), counters = read(store, "counters"),
        services = read(store, "services"),
      }
    end
    return change(state.records)
  end)
  if result == nil then fail("busy", "too many changes at once: " .. tostring(why)) end
  return result
end

--- The records as they are, to be read; waits only the first time after a start.
function ledger:records()
  return self.ns.state.records or self:alone(function(records) return records end)
end

--- Within `alone`, with its records: writes all these, {kind -> {id -> record}}, or none; for
--- `false` there is none any more. Tickets of the list `over` leave for the archive.
function ledger:write(records, changes, over)
  must(self.ns.store:transaction(function(store)
    for kind, changed in pairs(changes) do
      for id, record in pairs(changed) do
        local key = kind .. ":" .. id
        if record then must(store:set(key, record)) else must(store:delete(key)) end
      end
    end
    for _, ticket in ipairs(over or {}) do
      must(store:set("over:" .. ticket.ticketId, ticket, { ttl = KEEP_SECONDS }))
      must(store:delete("tickets:" .. ticket.ticketId))
    end
    return true
  end))
  for kind, changed in pairs(changes) do
    for id, record in pairs(changed) do records[kind][id] = record or nil end
  end
  for _, ticket in ipairs(over or {}) do records.tickets[ticket.ticketId] = nil end
end

--- A ticket, open or not long over; nil if there is none.
function ledger:ticket(id)
  if #id > ID_LENGTH then return nil end  -- nor a key of the store
  return self:records().tickets[id] or must(self.ns.store:get("over:" .. id))
end

return ledger
