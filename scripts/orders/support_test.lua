-- What the tests share: users with tokens, orders, and requests in users' names.
local jwt = require "plugin.jwt"

local support = {}

support.NSP = "/events"
support.SHOP = { latitude = 52.5200, longitude = 13.4050, address = "Shop" }
support.HOME = { latitude = 52.5300, longitude = 13.4200 }

--- A token of "driver:7", good for so long in real time: handlers' time is simulated.
function support.token(party, seconds, more)
  local kind, id = party:match("^(%a+):(.+)$")
  local claims = { sub = id, userType = kind }
  for name, value in pairs(more or {}) do claims[name] = value end
  return jwt.sign(claims, seconds or 3600)
end

--- A client of the party, which acknowledges what asks for it unless `silent`. What it was sent with
--- an acknowledgement is in `letters`, {event, data}, too.
function support.join(party, silent)
  local client = connect(support.NSP, { auth = { token = support.token(party) } })
  if not silent then support.acknowledge(client) end
  return client
end

support.LETTERS = { "order:created", "order:statusChanged", "order:assigned", "driver:assigned",
                    "notification" }

function support.acknowledge(client)
  for _, event in ipairs(support.LETTERS) do
    client:on_call(event, function() return true end)
  end
end

--- A request in the party's name (nil: in nobody's): status, body.
function support.ask(party, method, path, body)
  local headers = party and { authorization = "Bearer " .. support.token(party) }
  return request(method, "/api/v1" .. path, { json = body, headers = headers })
end

--- What must be right: the body.
function support.must(party, method, path, body)
  local status, answer = support.ask(party, method, path, body)
  if status >= 300 then
    error(method .. " " .. path .. ": " .. status .. " " .. json.encode(answer), 2)
  end
  return answer
end

--- An order of customer:1 at merchant:2, near driver:3's usual place.
function support.order(fields)
  local body = { customerId = "1", merchantId = "2", pickup = support.SHOP, dropoff = support.HOME }
  for name, value in pairs(fields or {}) do body[name] = value end
  return support.must("admin:0", "POST", "/orders", body)
end

function support.assign(order, driver)
  return support.must("admin:0", "POST", "/orders/" .. order.id .. "/assign",
                      { driverId = driver or "3" })
end

function support.move(order, status, party)
  return support.must(party or "admin:0", "PATCH", "/orders/" .. order.id .. "/status",
                      { status = status })
end

function support.locate(driver, place, party)
  return support.must(party or ("driver:" .. driver), "POST",
                      "/drivers/" .. driver .. "/location",
                      { latitude = place.latitude, longitude = place.longitude })
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

--- The claims of a token.
function support.claims(token)
  local bits, count, out = 0, 0, {}
  for digit in token:match("%.([^.]+)%."):gmatch(".") do
    bits, count = bits * 64 + DIGITS:find(digit, 1, true) - 1, count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(math.floor(bits / 2 ^ count))
      bits = bits % 2 ^ count
    end
  end
  return json.decode(table.concat(out))
end

--- Lets simulated time begin at the real one, so that tokens end in it.
function support.real_time() clock(support.claims(support.token("driver:1")).iat) end

return support
