-- What the tests share: users, workers, and who asks over HTTP.
local support = {}

support.NSP, support.WORKERS = "/gateway", "/workers"

--- A connected user; `more` is added to its auth.
function support.user(user_id, session_id, more)
  local auth = { userId = user_id, sessionId = session_id or "s-" .. user_id }
  for name, value in pairs(more or {}) do auth[name] = value end
  local client, refusal = connect(support.NSP, { auth = auth })
  if not client then error("refused: " .. refusal.message, 2) end
  return client
end

--- A client that acknowledges `event`; the list of what it got.
function support.acknowledge(client, event)
  local got = {}
  client:on_call(event, function(data)
    got[#got + 1] = data
    return true
  end)
  return got
end

local function with_body(body)
  return type(body) == "table" and next(body) ~= nil and body or nil
end

--- A request with a role; its status and body.
function support.http(method, path, body, role)
  local options = { user = { sub = "back-end", role = role or "service" } }
  if role == "nobody" then options.user = nil end
  if body then options.json = with_body(body) or json.decode "{}" end
  return request(method, path, options)
end

function support.get(path, role) return support.http("GET", path, nil, role or "monitor") end

function support.post(path, body, role) return support.http("POST", path, body, role) end

--- Notifies a user; `more` is added to the body.
function support.notify(user_id, message, more)
  local body = { userId = user_id, message = message }
  for name, value in pairs(more or {}) do body[name] = value end
  return support.post("/socket/notifications", body)
end

--- What the events of this kind (notifications) said.
function support.texts(client, event)
  local list = {}
  for _, each in ipairs(client:received(event or "notification")) do
    list[#list + 1] = each.message
  end
  return list
end

--- A connected worker; `more` is added to its auth.
function support.worker(worker_id, more)
  local auth = { workerId = worker_id, tools = { "upper" } }
  for name, value in pairs(more or {}) do auth[name] = value end
  local client, refusal = connect("/workers", {
    user = { sub = "w", role = "worker" }, auth = auth,
  })
  if not client then error("refused: " .. refusal.message, 2) end
  return client
end

--- The jobs that a worker got.
function support.jobs_of(client) return client:received("ai_request") end

--- Answers a job; `more` is added to what the worker says.
function support.answer(client, job, more)
  local says = { jobId = job.jobId, response = job.message:upper() }
  for name, value in pairs(more or {}) do says[name] = value end
  return client:call("ai_response", says)
end

--- An AI request, with what else it should hold.
function support.ask(client, request_id, more)
  local asked = { toolId = "upper", message = "hello", requestId = request_id }
  for name, value in pairs(more or {}) do asked[name] = value end
  return client:call("ai_request", asked)
end

--- Lets what goes on in the background get there.
function support.settle() advance(0.2) end

return support
