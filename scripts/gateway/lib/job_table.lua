-- The requests under way. Plain data in state.jobs = {jobId -> job}, found by session and request
-- in state.by_request; each is in the store, too, as "job:ID". Those that wait for a worker are in
-- state.queues = {tool -> list of ids}, in the order in which they came.
local option = require "shared.option"

local job_table = {}

local LIMIT = option.count("requests.limit", 10000)
local PER_USER = option.count("requests.per_user", 20)

local function all(state)
  if not state.jobs then
    state.jobs, state.by_request, state.job_count, state.by_user = {}, {}, 0, {}
    state.queues = {}
  end
  return state.jobs
end

local function request_key(session_id, request_id) return session_id .. "/" .. request_id end

function job_table.find(state, job_id) return all(state)[job_id] end

function job_table.find_request(state, session_id, request_id)
  local jobs = all(state)
  return jobs[state.by_request[request_key(session_id, request_id)]]
end

--- Counts what became of a job: "finished", "failed" or "retried".
function job_table.tally(state, what)
  state.tallies = state.tallies or { finished = 0, failed = 0, retried = 0 }
  state.tallies[what] = state.tallies[what] + 1
end

--- How many there are, and were.
function job_table.figures(state)
  local running, tallies = 0, state.tallies or {}
  for _, job in pairs(all(state)) do
    if job.state == "sent" then running = running + 1 end
  end
  return { pending = state.job_count, running = running, finished = tallies.finished or 0,
           failed = tallies.failed or 0, retried = tallies.retried or 0 }
end

--- All of them, in a list of one's own.
function job_table.list(state)
  local list = {}
  for _, job in pairs(all(state)) do list[#list + 1] = job end
  return list
end

--- Those that a worker has.
function job_table.of_worker(state, worker_id)
  local list = {}
  for _, job in pairs(all(state)) do
    if job.state == "sent" and job.worker == worker_id then list[#list + 1] = job end
  end
  return list
end

--- Raises for one more than there may be of this user's, or in all.
function job_table.refuse_if_full(state, user_id)
  all(state)
  if state.job_count >= LIMIT then
    fail("busy", string.format("%d requests are pending, which is the limit", LIMIT))
  end
  if (state.by_user[user_id] or 0) >= PER_USER then
    fail("too_many_requests",
         string.format("%d of your requests are pending, which is the limit", PER_USER))
  end
end

function job_table.add(state, job)
  all(state)[job.jobId] = job
  state.by_request[request_key(job.sessionId, job.requestId)] = job.jobId
  state.job_count = state.job_count + 1
  state.by_user[job.userId] = (state.by_user[job.userId] or 0) + 1
end

function job_table.remove(state, job)
  if not all(state)[job.jobId] then return end
  state.jobs[job.jobId] = nil
  state.by_request[request_key(job.sessionId, job.requestId)] = nil
  state.job_count = state.job_count - 1
  local left = state.by_user[job.userId] - 1
  state.by_user[job.userId] = left > 0 and left or nil
end

--- Writes a job down; true, or nil and why.
function job_table.write(ns, job) return ns.store:set("job:" .. job.jobId, job) end

--- Forgets a job, here and in the store.
function job_table.erase(ns, job)
  job_table.remove(ns.state, job)
  ns.store:delete("job:" .. job.jobId, { durable = false })
end

--- The job waits for a worker; `first` is for one that has waited before.
function job_table.enqueue(state, job, first)
  job.state, job.worker = "queued", nil
  all(state)
  local queue = state.queues[job.toolId] or {}
  state.queues[job.toolId] = queue
  if first then table.insert(queue, 1, job.jobId) else queue[#queue + 1] = job.jobId end
end

--- The job does not wait any more, without having been taken.
function job_table.unqueue(state, job)
  local queue = all(state) and state.queues[job.toolId] or {}
  for i, id in ipairs(queue) do
    if id == job.jobId then
      table.remove(queue, i)
      break
    end
  end
  if #queue == 0 then state.queues[job.toolId] = nil end
end

--- Takes the first job of a tool's queue for which `choose(job)` finds somebody; the job, and whom.
function job_table.take(state, tool_id, choose)
  for _, id in ipairs(state.queues[tool_id] or {}) do
    local job = state.jobs[id]
    local chosen = job and choose(job)  -- what a reload finds may be of older scripts
    if chosen then
      job_table.unqueue(state, job)
      return job, chosen
    end
  end
end

--- The tools for which jobs wait.
function job_table.tools(state)
  local names = {}
  all(state)
  for name in pairs(state.queues) do names[#names + 1] = name end
  return names
end

--- Reads the jobs of before a restart, oldest first.
function job_table.read(ns)
  local list, after = {}, nil
  repeat
    local page, why = ns.store:scan("job:", { limit = 200, after = after })
    if not page then fail("unavailable", why) end
    for _, entry in ipairs(page) do
      list[#list + 1], after = entry.value, entry.key
    end
  until #page < 200
  table.sort(list, function(a, b) return a.submitted < b.submitted end)
  all(ns.state)
  return list
end

return job_table
