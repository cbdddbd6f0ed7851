-- The ids of what came lately, so that what comes twice is noticed: plain data, {seen, ring, next}.
local duplicates = {}

function duplicates.new() return { seen = {}, ring = {}, next = 1 } end

--- Whether `id` came before.
function duplicates.is_known(memory, id) return memory.seen[id] ~= nil end

--- It has come. Beyond `limit` the oldest is forgotten.
function duplicates.note(memory, id, limit)
  if memory.seen[id] then return end
  local forgotten = memory.ring[memory.next]
  if forgotten and memory.seen[forgotten] == memory.next then memory.seen[forgotten] = nil end
  memory.ring[memory.next], memory.seen[id] = id, memory.next
  memory.next = memory.next % limit + 1
end

--- It has not come after all.
function duplicates.forget(memory, id) memory.seen[id] = nil end

return duplicates
