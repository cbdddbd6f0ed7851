-- Workers behind RabbitMQ, with settings.amqp.url: a job goes to the queue "PREFIX.TOOL", from
-- which any consumer takes it; what it says comes back through the queue "PREFIX.replies": {jobId,
-- type: "status_update" | "ai_response", …}. A consumer that dies leaves its job to the next one,
-- by RabbitMQ's own doing.
local jobs = require "lib.jobs"
local option = require "shared.option"
local pool = require "lib.pool"
local schema = require "schema"

local rabbit = {}

local ID = "rabbitmq"
local PLUGIN = "plugin.amqp"  -- only needed, and only looked for, with a URL
local URL = setting("amqp.url", "")
local PREFIX = setting("amqp.prefix", "gateway")
local CAPACITY = option.count("amqp.jobs", 10000)
local REPLIES = PREFIX .. ".replies"

local REPLY = schema.object {
  jobId = schema.string { min = 1, max = 64 },
  type = schema.enum { "status_update", "ai_response" },
  status = schema.default(schema.string { min = 1, max = 64 }, "processing"),
  progress = schema.optional(schema.number { min = 0, max = 100 }),
  message = schema.optional(schema.string { max = 4096 }),
  response = schema.optional(schema.any()),
  error = schema.optional(schema.object {
    code = schema.default(schema.string { min = 1, max = 64 }, "tool_failed"),
    message = schema.string { max = 4096 },
  }),
}

local mq

--- Connects, if there is a URL: while the file loads.
function rabbit.open(ns)
  if URL == "" then return end
  mq = require(PLUGIN).connect { name = "gateway", url = URL }
  mq:consume(REPLIES, { prefetch = 100 }, function(message)
    local reply, problem = schema.check(REPLY, message.json)
    if problem then
      -- Whatever else it is, it will not get better by being tried again.
      return log.warn("a reply from RabbitMQ does not hold", {
        why = problem.path .. " " .. problem.message,
      })
    end
    jobs.restore(ns)
    if reply.type == "status_update" then
      jobs.update(ns, ID, reply)
    else
      jobs.finish(ns, ID, reply.jobId, reply)
    end
  end)
end

function rabbit.arrive(ns)
  if not mq then return pool.remove(ns.state, ID) end
  pool.arrive(ns.state, ID, { kind = "amqp", capacity = CAPACITY })
end

--- Brings a job to RabbitMQ in the background: while that is away, it may take long.
function rabbit.publish(ns, job)
  spawn(function()
    local done, why = mq:publish("", PREFIX .. "." .. job.toolId, job, {
      message_id = job.jobId, correlation_id = job.requestId, reply_to = REPLIES, persistent = true,
    })
    if done then return end
    if why:find("^unroutable") then
      jobs.undelivered(ns, ID, job.jobId, "no_worker",
                       "no worker offers the tool '" .. job.toolId .. "'")
    else
      jobs.undelivered(ns, ID, job.jobId, "unavailable", "RabbitMQ does not take it: " .. why)
    end
  end)
end

return rabbit
