-- Messages for other systems over HTTP: for the `deliver` of an outbox.
local webhook = {}

-- A status of these is about now; any other of 4xx means that it will never be taken.
local LATER = { [401] = true, [403] = true, [404] = true, [408] = true, [425] = true, [429] = true }

--- POSTs `message` as JSON, with its id in the Idempotency-Key header; `options` are `token` (bearer;
--- none if empty) and `timeout` in seconds. True once it is answered with 2xx; or nil and why, and
--- "refused" if it will never be taken. Waits.
function webhook.post(url, id, message, options)
  local headers = { ["idempotency-key"] = id }
  if options.token ~= "" then headers.authorization = "Bearer " .. options.token end
  local response, why = http.request {
    url = url, method = "POST", headers = headers, json = message, timeout = options.timeout,
  }
  if not response then return nil, why end
  local status = response.status
  if status >= 200 and status < 300 then return true end
  local is_final = status >= 400 and status < 500 and not LATER[status]
  return nil, "status " .. status, is_final and "refused" or nil
end

return webhook
