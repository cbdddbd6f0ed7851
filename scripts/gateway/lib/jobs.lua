-- Requests on their way through the workers. A job is written down before its client is told that
-- it is accepted, and goes when /gateway has its answer, so every accepted request is answered,
-- once.
--
-- A job is "queued", then "sent" to a worker, then "finished". A worker that dies, or is silent for
-- too long, loses it; it goes to one other worker, and then its client gets an error.
local job_table = require "lib.job_table"
local option = require "shared.option"
local pool = require "lib.pool"
local schema = require "schema"

--- `carriers` and `cancellers` take a job to a worker of a kind, and from it. They don't wait.
local jobs = { carriers = {}, cancellers = {} }

local ATTEMPTS = 2
local SILENCE = option.amount("requests.timeout_seconds", 60)
local LONGEST = option.amount("requests.longest_seconds", 600)
local WAIT = option.amount("workers.wait_seconds", 5)
local RETURN = option.amount("workers.return_seconds", 5)
local TIMEOUTS = option.of("requests.timeouts", schema.map(schema.number { min = 0.1 }), {})

local function tell(job, status, more)
  local update = { requestId = job.requestId, sessionId = job.sessionId, toolId = job.toolId,
                   status = status, timestamp = iso_time() }
  for name, value in pairs(more or {}) do update[name] = value end
  namespace_of("/gateway"):server_emit("progress", update)
end

--- Gives the answer to /gateway; while that can't take it, the sweep tries again.
local function respond(ns, job)
  local answer = job.answer
  local taken = ask("/gateway", "respond", {
    requestId = job.requestId, sessionId = job.sessionId, userId = job.userId, toolId = job.toolId,
    success = answer.error == nil, response = answer.response, error = answer.error,
    attempts = job.attempt, durationMs = math.floor((now() - job.submitted) * 1000 + 0.5),
  })
  if taken then job_table.erase(ns, job) end
end

--- The job has its answer.
local function conclude(ns, job, answer)
  if job.worker then pool.release(ns.state, job.worker) end
  if job.state == "queued" then job_table.unqueue(ns.state, job) end
  job.state, job.answer, job.worker = "finished", answer, nil
  job_table.tally(ns.state, answer.error and "failed" or "finished")
  local _, why = job_table.write(ns, job)
  if why == "too large" then
    job.answer = { error = { code = "too_large", message = "the answer is too large to be kept" } }
    job_table.write(ns, job)
  end
  respond(ns, job)
end

local function give_up(ns, job, code, message)
  conclude(ns, job, { error = { code = code, message = message } })
end

--- The job is nobody's; the next worker may have it, or its client hears why not.
local function lose(ns, job, code, message)
  pool.release(ns.state, job.worker)
  job.worker = nil
  if job.attempt >= ATTEMPTS or not pool.knows(ns.state, job.toolId, job.tried) then
    return give_up(ns, job, code, message)
  end
  job.wait_until = now() + WAIT
  job_table.enqueue(ns.state, job, true)
  job_table.tally(ns.state, "retried")
  job_table.write(ns, job)
  tell(job, "retrying", { message = message })
end

--- All that a worker had is lost; if it is back, without the set `still` of what it is at, and it
--- may have the rest again. Each is written down, which takes time: meanwhile the next may have
--- been answered, or cancelled.
local function lose_all(ns, worker_id, message, still)
  for _, job in ipairs(job_table.of_worker(ns.state, worker_id)) do
    if job.state == "sent" and job.worker == worker_id and not (still and still[job.jobId]) then
      if still then job.tried[worker_id] = nil end
      lose(ns, job, "worker_lost", message)
    end
  end
end

local function send(ns, job, worker_id)
  local worker = pool.take(ns.state, worker_id)
  job.state, job.worker, job.attempt = "sent", worker_id, job.attempt + 1
  job.tried[worker_id] = true
  job.deadline = now() + (TIMEOUTS[job.toolId] or SILENCE)
  job.longest = job.longest or now() + LONGEST
  local attempt = job.attempt
  job_table.write(ns, job)
  -- Meanwhile it may have been cancelled, or its worker may be gone.
  if job.worker ~= worker_id or job.attempt ~= attempt then return end
  jobs.carriers[worker.kind](worker, {
    jobId = job.jobId, requestId = job.requestId, toolId = job.toolId, message = job.message,
    parameters = job.parameters, userId = job.userId, sessionId = job.sessionId, attempt = attempt,
  })
end

--- Gives the jobs that wait to the workers that are free.
function jobs.dispatch(ns)
  local state = ns.state
  for _, tool_id in ipairs(job_table.tools(state)) do
    while pool.pick(state, tool_id, {}) do
      local job, worker_id = job_table.take(state, tool_id, function(job)
        return (pool.pick(state, tool_id, job.tried))
      end)
      if not job then break end
      send(ns, job, worker_id)
    end
  end
end

--- Takes a request: "accepted", or "pending" if it is here already.
function jobs.submit(ns, request)
  jobs.restore(ns)
  local state = ns.state
  if job_table.find_request(state, request.sessionId, request.requestId) then return "pending" end
  job_table.refuse_if_full(state, request.userId)
  local job = request
  job.jobId, job.attempt, job.tried = uuid(), 0, {}
  job.submitted, job.wait_until, job.state = now(), now() + WAIT, "new"
  job_table.add(state, job)
  local done, why = job_table.write(ns, job)
  if not done then
    job_table.remove(state, job)
    fail("unavailable", why)
  end
  if job.state ~= "new" then return "accepted" end  -- cancelled meanwhile
  job_table.enqueue(state, job)
  spawn(function()
    tell(job, "queued")
    jobs.dispatch(ns)
  end)
  return "accepted"
end

--- The job, if it is with this worker.
local function held(ns, worker_id, job_id)
  local job = job_table.find(ns.state, job_id)
  return job and job.state == "sent" and job.worker == worker_id and job or nil
end

--- A worker tells how far it is, which also says that it lives. False if the job is not its own
--- (any more).
function jobs.update(ns, worker_id, update)
  local job = held(ns, worker_id, update.jobId)
  if not job then return false end
  job.deadline = now() + (TIMEOUTS[job.toolId] or SILENCE)
  tell(job, update.status, { progress = update.progress, message = update.message })
  return true
end

--- A worker has done it: {response} or {error}. False if the job is not its own (any more).
function jobs.finish(ns, worker_id, job_id, answer)
  local job = held(ns, worker_id, job_id)
  if not job then return false end
  conclude(ns, job, { response = answer.response, error = answer.error })
  jobs.dispatch(ns)
  return true
end

--- A job could not be brought to its worker.
function jobs.undelivered(ns, worker_id, job_id, code, why)
  local job = held(ns, worker_id, job_id)
  if job then lose(ns, job, code, why) end
end

--- Tells a job's worker that it is not wanted any more.
local function call_back(ns, job)
  local worker = job.worker and pool.find(ns.state, job.worker)
  local cancel = worker and jobs.cancellers[worker.kind]
  if cancel then cancel(worker, job.jobId) end
end

--- Ends a client's request; it is answered with the error `cancelled`.
function jobs.cancel(ns, session_id, request_id)
  local job = job_table.find_request(ns.state, session_id, request_id)
  if not job or job.state == "finished" then fail("not_found", "no such request is pending") end
  call_back(ns, job)
  give_up(ns, job, "cancelled", "the client has cancelled it")
  jobs.dispatch(ns)
  return true
end

--- A worker is back, still at the jobs `running`: the rest of what it had is lost. Returns those of
--- them that are not its own (any more).
function jobs.returned(ns, worker_id, running)
  local still, unknown = {}, {}
  for _, job_id in ipairs(running) do
    still[job_id] = true
    if not held(ns, worker_id, job_id) then unknown[#unknown + 1] = job_id end
  end
  lose_all(ns, worker_id, "the worker began anew", still)
  return unknown
end

--- What this worker had, it gets again.
function jobs.begin_again(ns, worker_id)
  for _, job in ipairs(job_table.of_worker(ns.state, worker_id)) do
    pool.release(ns.state, worker_id)
    job.tried[worker_id] = nil
    job.attempt, job.wait_until = job.attempt - 1, now() + WAIT
    job_table.enqueue(ns.state, job, true)
  end
end

--- Ends what took too long, takes jobs from workers that are gone, and tries again what could not
--- be answered.
function jobs.sweep(ns)
  local state = ns.state
  for _, worker_id in ipairs(pool.gone(state, now() - RETURN)) do
    pool.remove(state, worker_id)
    lose_all(ns, worker_id, "the worker is gone")
  end
  for _, job in ipairs(job_table.list(state)) do
    if job.state == "finished" then
      respond(ns, job)
    elseif job.state == "sent" and now() >= job.longest then
      give_up(ns, job, "timeout", "the tool took too long")
    elseif job.state == "sent" and now() >= job.deadline then
      call_back(ns, job)
      lose(ns, job, "timeout", "the tool did not answer in time")
    elseif job.state == "queued" and now() >= job.wait_until
      and not pool.knows(state, job.toolId, job.tried) then
      give_up(ns, job, "no_worker", "no worker offers the tool '" .. job.toolId .. "'")
    elseif job.state == "queued" and now() >= job.submitted + LONGEST then
      give_up(ns, job, "timeout", "all workers were busy for too long")
    end
  end
  jobs.dispatch(ns)
end

--- Reads the jobs of before a restart, once. Their workers have a while to come back.
function jobs.restore(ns)
  if ns.state.restored then return end
  ns:lock("restore", function()
    if ns.state.restored then return end
    for _, job in ipairs(job_table.read(ns)) do
      job_table.add(ns.state, job)
      job.wait_until = now() + math.max(WAIT, RETURN)
      if job.state == "sent" then
        pool.expect(ns.state, job.worker)
        pool.take(ns.state, job.worker)
        job.deadline = now() + (TIMEOUTS[job.toolId] or SILENCE)
      elseif job.state ~= "finished" then
        job_table.enqueue(ns.state, job)
      end
    end
    ns.state.restored = true
  end)
end

--- For health and statistics.
function jobs.figures(state)
  local figures = job_table.figures(state)
  figures.workers = pool.count(state)
  return figures
end

return jobs
