-- What the tests share: clients, and the office's paths.
local support = {}

--- A connected client of the document's; `options` as for connect.
function support.join(options)
  local client, refusal = connect("/tickets", options)
  if not client then error("refused: " .. refusal.message, 2) end
  return client
end

--- A member of the staff at the dashboard.
function support.dashboard()
  local client = support.join()
  client:call("joinDashboard", { userRole = "admin", userId = "boss" })
  client:clear()
  return client
end

--- A new ticket's status and body.
function support.take(service, user, options)
  options = options or {}
  options.json = { serviceType = service, userId = user }
  return request("POST", "/tickets", options)
end

--- The id of a new ticket.
function support.ticket(service, user)
  local status, body = support.take(service, user or "someone")
  if status ~= 201 then error(json.encode(body), 2) end
  return body.ticketId
end

function support.serve(ticket_id, counter_id, options)
  options = options or {}
  options.json = { counterId = counter_id }
  return request("POST", "/tickets/" .. ticket_id .. "/serve", options)
end

function support.complete(ticket_id, options)
  return request("POST", "/tickets/" .. ticket_id .. "/complete", options)
end

function support.cancel(ticket_id, options)
  return request("POST", "/tickets/" .. ticket_id .. "/cancel", options)
end

function support.set(counter_id, change, options)
  options = options or {}
  options.json = change
  return request("PATCH", "/counters/" .. counter_id, options)
end

function support.show(ticket_id)
  local _, ticket = request("GET", "/tickets/" .. ticket_id)
  return ticket
end

--- A service's queue; nil if there is none.
function support.queue(service)
  local _, body = request("GET", "/queues")
  for _, queue in ipairs(body.queues) do
    if queue.serviceType == service then return queue end
  end
  return nil
end

function support.counter(counter_id)
  local _, body = request("GET", "/counters")
  for _, counter in ipairs(body.counters) do
    if counter.counterId == counter_id then return counter end
  end
  return nil
end

--- The newest metrics of a dashboard's client, within one round of them.
function support.metrics(client)
  client:clear()
  advance(10)
  local all = client:received("loadBalancingMetrics")
  return all[#all]
end

return support
