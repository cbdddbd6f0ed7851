-- The ids of what came lately, so that what comes twice is noticed: plain data, {seen, ring, next}.
local duplicates = {}

function duplicates.new() return { seen = {}, ring = {}, next = 1 } end

--- Whether `id` came before; if not it has now. Beyond `limit` the oldest is forgotten.
function duplicates.is_known(memory, id, limit)
  if memory.seen[id] then return true end
  local forgotten = memory.ring[memory.next]
  if forgotten then memory.seen[forgotten] = nil end
  memory.ring[memory.next], memory.seen[id] = id, true
  memory.next = memory.next % limit + 1
  return false
end

--- It has not come after all.
function duplicates.forget(memory, id) memory.seen[id] = nil end

return duplicates
