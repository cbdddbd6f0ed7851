-- /workers: those who do what clients ask for. They are Socket.IO clients that announce their
-- tools, functions of this broker (lib/tools), or, with settings.amqp.url, consumers of RabbitMQ
-- queues.
local ns = namespace "/workers"

local schema = require "schema"
local jobs = require "lib.jobs"
local option = require "shared.option"
local pool = require "lib.pool"
local rabbit = require "lib.rabbit"
local tools = require "lib.tools"

local PER_WORKER = option.count("workers.tools", 100)

ns:require_auth { roles = { "worker", "admin" } }

local tool = schema.string { min = 1, max = 100, pattern = "^[%w._-]+$" }
local job_id = schema.string { min = 1, max = 64 }
local AUTH = schema.object {
  workerId = schema.optional(schema.string { min = 1, max = 128, pattern = "^[%w._-]+$" }),
  tools = schema.array(tool, { min = 1, max = PER_WORKER }),
  capacity = schema.default(schema.integer { min = 1, max = 1000 }, 1),
  running = schema.optional(schema.array(job_id, { max = 1000 })),
}

ns:use(function(socket)
  local auth, problem = schema.check(AUTH, socket.handshake.auth)
  if problem then
    local field = problem.path:gsub("^%$%.?", "auth.")
    fail("invalid", field .. ": " .. problem.message, problem)
  end
  pool.refuse_if_full(ns.state, auth.workerId)
  socket.data.worker = auth
end)

ns:on_connect(function(socket)
  local auth = socket.data.worker
  local worker_id = auth.workerId or socket.id
  socket.data.id = worker_id
  jobs.restore(ns)
  local replaced = pool.arrive(ns.state, worker_id, {
    socket = socket.id, tools = auth.tools, capacity = auth.capacity,
  })
  if replaced and replaced ~= socket.id then ns:to(replaced):disconnect() end
  log.info("a worker is here", { worker = worker_id, tools = table.concat(auth.tools, " ") })
  if not socket.recovered then
    for _, unknown in ipairs(jobs.returned(ns, worker_id, auth.running or {})) do
      socket:emit("ai_cancel", { jobId = unknown })
    end
  end
  jobs.dispatch(ns)
end)

ns:on_disconnect(function(socket, reason)
  if not pool.leave(ns.state, socket.data.id, socket.id) then return end
  log.info("a worker is gone", { worker = socket.data.id, reason = reason })
  jobs.sweep(ns)
end)

ns:emits("ai_request", schema.named("Job", schema.object {
  jobId = job_id, requestId = schema.string(), toolId = tool, message = schema.any(),
  parameters = schema.optional(schema.any()), userId = schema.string(), sessionId = schema.string(),
  attempt = schema.integer { description = "2: another worker may have done some of it" },
}))
ns:emits("ai_cancel", schema.named("Cancel", schema.object { jobId = job_id }))

local ANSWER = schema.object {
  success = schema.boolean { description = "false: the job is no longer the worker's" },
}

ns:on("status_update", {
  schema.object {
    jobId = job_id, status = schema.default(schema.string { min = 1, max = 64 }, "processing"),
    progress = schema.optional(schema.number { min = 0, max = 100 }),
    message = schema.optional(schema.string { max = 4096 }),
  },
  returns = ANSWER,
}, function(socket, update)
  return { success = jobs.update(ns, socket.data.id, update) }
end)

ns:on("ai_response", {
  schema.object {
    jobId = job_id, response = schema.optional(schema.any()),
    error = schema.optional(schema.object {
      code = schema.default(schema.string { min = 1, max = 64 }, "tool_failed"),
      message = schema.string { max = 4096 },
    }),
  },
  returns = ANSWER,
}, function(socket, answer)
  return { success = jobs.finish(ns, socket.data.id, answer.jobId, answer) }
end)

ns:serve("submit", function(request) return jobs.submit(ns, request) end)
ns:serve("cancel", function(session_id, request_id)
  return jobs.cancel(ns, session_id, request_id)
end)
ns:serve("figures", function() return jobs.figures(ns.state) end)
ns:serve("list", function() return pool.list(ns.state) end)

-- How a job gets to its worker, by the worker's kind.
jobs.carriers.socket = function(worker, job) ns:to(worker.socket):emit("ai_request", job) end
jobs.carriers.tool = function(_, job) tools.run(ns, job) end
jobs.carriers.amqp = function(_, job) rabbit.publish(ns, job) end
jobs.cancellers.socket = function(worker, id)
  ns:to(worker.socket):emit("ai_cancel", { jobId = id })
end

rabbit.open(ns)

spawn(function()
  jobs.restore(ns)
  tools.arrive(ns)
  rabbit.arrive(ns)
  jobs.dispatch(ns)
end)
every(option.amount("workers.sweep_seconds", 1), function() jobs.sweep(ns) end)
