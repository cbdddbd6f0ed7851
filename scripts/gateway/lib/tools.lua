-- Tools that are functions of this broker: `tools.add("echo", function(job, progress) … end)`,
-- while a file loads. What one returns is the answer, what it `fail`s the error; progress(percent,
-- text) tells the client how far it is. They run in the background and may wait.
local jobs = require "lib.jobs"
local pool = require "lib.pool"

local tools = {}

local ID = "broker"
local CAPACITY = 100

local functions = {}

function tools.add(name, fn)
  if functions[name] then error("a second tool '" .. name .. "'", 2) end
  functions[name] = fn
end

--- They are there, if there are any; what they were at before a reload or a restart begins again.
function tools.arrive(ns)
  local names = {}
  for name in pairs(functions) do names[#names + 1] = name end
  jobs.begin_again(ns, ID)
  if #names == 0 then return pool.remove(ns.state, ID) end
  pool.arrive(ns.state, ID, { kind = "tool", tools = names, capacity = CAPACITY })
end

--- Carries a job out in the background.
function tools.run(ns, job)
  local fn = functions[job.toolId]
  if not fn then
    return jobs.undelivered(ns, ID, job.jobId, "no_worker", "the tool is not here any more")
  end
  spawn(function()
    local ok, result = pcall(fn, job, function(percent, text)
      jobs.update(ns, ID, {
        jobId = job.jobId, status = "processing", progress = percent, message = text,
      })
    end)
    if ok then return jobs.finish(ns, ID, job.jobId, { response = result }) end
    local refusal = type(result) == "table" and result.code and result
    if not refusal then
      log.error("a tool failed", { tool = job.toolId, error = tostring(result) })
    end
    jobs.finish(ns, ID, job.jobId, { error = {
      code = refusal and refusal.code or "tool_failed",
      message = refusal and refusal.message or "the tool failed",
    } })
  end)
end

return tools
