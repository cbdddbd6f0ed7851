-- The order in which a depot's commuters board: by priority, then first come, first served.
-- Plain data: state.queues = {depot_id -> {commuter_id…}}, next to the reservoir's records.
local schema = require "schema"
local option = require "shared.option"

local queues = {}

local QUEUE_LIMIT = option.count("depot.queue_limit", 1000)
local HIGHEST_FIRST = option.of("depot.highest_priority_first", schema.boolean(), true)

local function all(state)
  if not state.queues then state.queues = {} end
  return state.queues
end

local function boards_before(one, other)
  local a, b = one.commuter.priority, other.commuter.priority
  if a ~= b then
    if HIGHEST_FIRST then return a > b end
    return a < b
  end
  return one.number < other.number
end

--- The place at which `record` stands, or would stand, in a queue.
local function place_of(queue, waiting, record)
  local low, high = 1, #queue + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if boards_before(waiting[queue[middle]], record) then low = middle + 1 else high = middle end
  end
  return low
end

function queues.refuse_if_full(state, depot_id)
  local queue = all(state)[depot_id]
  if queue and #queue >= QUEUE_LIMIT then
    fail("queue_full", string.format("%d commuters are waiting at depot %s, which is the limit",
                                     QUEUE_LIMIT, depot_id), { field = "data.depot_id" })
  end
end

function queues.join(state, record)
  local depot_id = record.commuter.depot_id
  local queue = all(state)[depot_id]
  if not queue then
    queue = {}
    all(state)[depot_id] = queue
  end
  table.insert(queue, place_of(queue, state.reservoir.waiting, record), record.commuter.commuter_id)
end

--- While the reservoir still has the record.
function queues.leave(state, record)
  local depot_id = record.commuter.depot_id
  local queue = all(state)[depot_id]
  table.remove(queue, place_of(queue, state.reservoir.waiting, record))
  if #queue == 0 then all(state)[depot_id] = nil end
end

--- The records of a depot's commuters in boarding order.
function queues.each(state, waiting, depot_id)
  local queue, i = all(state)[depot_id] or {}, 0
  return function()
    i = i + 1
    return waiting[queue[i]]
  end
end

function queues.count(state)
  local count = 0
  for _ in pairs(all(state)) do count = count + 1 end
  return count
end

return queues
