-- The workers there are. Plain data in state.workers = {id -> {kind, socket, tools, capacity, busy,
-- left}}: `kind` is "socket", "tool" or "amqp" (which takes every tool), `busy` how many jobs it
-- has, `left` when its connection went.
local option = require "shared.option"

local pool = {}

local LIMIT = option.count("workers.limit", 1000)

local function all(state)
  state.workers = state.workers or {}
  return state.workers
end

--- Raises `busy` for a worker that would be too many.
function pool.refuse_if_full(state, worker_id)
  if worker_id and all(state)[worker_id] then return end
  local count = 0
  for _ in pairs(all(state)) do count = count + 1 end
  if count >= LIMIT then
    fail("busy", string.format("there are %d workers, which is the limit", LIMIT))
  end
end

--- A worker is there, maybe again; returns the socket that it had, if any.
function pool.arrive(state, worker_id, worker)
  local workers = all(state)
  local before = workers[worker_id]
  local can = {}
  for _, tool in ipairs(worker.tools or {}) do can[tool] = true end
  workers[worker_id] = {
    kind = worker.kind or "socket", socket = worker.socket, tools = can, capacity = worker.capacity,
    busy = before and before.busy or 0, since = now(),
  }
  return before and not before.left and before.socket or nil
end

--- A worker of before a restart, which has a while to come back.
function pool.expect(state, worker_id)
  local workers = all(state)
  workers[worker_id] = workers[worker_id]
    or { kind = "socket", tools = {}, capacity = 1, busy = 0, since = now(), left = now() }
end

--- The socket is gone; false if it was not the worker's any more.
function pool.leave(state, worker_id, socket_id)
  local worker = all(state)[worker_id]
  if not worker or worker.socket ~= socket_id then return false end
  worker.left = now()
  return true
end

function pool.find(state, worker_id) return all(state)[worker_id] end

function pool.remove(state, worker_id) all(state)[worker_id] = nil end

--- Those whose connection went before `before`.
function pool.gone(state, before)
  local gone = {}
  for id, worker in pairs(all(state)) do
    if worker.left and worker.left <= before then gone[#gone + 1] = id end
  end
  return gone
end

local function free(worker, tool_id)
  if worker.left or worker.busy >= worker.capacity then return false end
  return worker.kind == "amqp" or worker.tools[tool_id] == true
end

--- The least busy worker that can take a job for the tool and has not tried it; those of their own
--- before RabbitMQ's.
function pool.pick(state, tool_id, tried)
  local best, best_id
  for id, worker in pairs(all(state)) do
    if free(worker, tool_id) and not tried[id] then
      local share = worker.kind == "amqp" and 1 or worker.busy / worker.capacity
      local best_share = best and (best.kind == "amqp" and 1 or best.busy / best.capacity)
      if not best or share < best_share or (share == best_share and id < best_id) then
        best, best_id = worker, id
      end
    end
  end
  return best_id
end

--- Whether somebody who is there, busy or not, could do it.
function pool.knows(state, tool_id, tried)
  for id, worker in pairs(all(state)) do
    if not worker.left and not tried[id] and (worker.kind == "amqp" or worker.tools[tool_id]) then
      return true
    end
  end
  return false
end

--- The worker has one more job; returns the worker.
function pool.take(state, worker_id)
  local worker = all(state)[worker_id]
  worker.busy = worker.busy + 1
  return worker
end

function pool.release(state, worker_id)
  local worker = all(state)[worker_id]
  if worker then worker.busy = math.max(0, worker.busy - 1) end
end

function pool.count(state)
  local count = 0
  for _, worker in pairs(all(state)) do
    if not worker.left then count = count + 1 end
  end
  return count
end

--- For the monitors.
function pool.list(state)
  local list = {}
  for id, worker in pairs(all(state)) do
    local names = {}
    for name in pairs(worker.tools) do names[#names + 1] = name end
    table.sort(names)
    list[#list + 1] = { workerId = id, kind = worker.kind, tools = json.array(names),
                        busy = worker.busy, capacity = worker.capacity,
                        connected = worker.left == nil, since = iso_time(worker.since) }
  end
  table.sort(list, function(a, b) return a.workerId < b.workerId end)
  return json.array(list)
end

return pool
