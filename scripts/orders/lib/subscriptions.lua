-- The order rooms that a user's clients are in: kept for orders that have not ended, so that a client
-- which connects anew, after whatever time, is in them again.
-- In the store: in:PARTY:<order's id>.
local option = require "shared.option"
local orders = require "lib.orders"

local subscriptions = {}

local LIMIT = option.count("rooms.kept", 100)

local function prefix_of(party) return "in:" .. party .. ":" end

local function kept(ns, party)
  return ns.store:scan(prefix_of(party), { limit = LIMIT }) or {}
end

--- Into the order's room, whose name it returns. Fails with `busy` beyond the limit.
function subscriptions.add(ns, socket, order)
  local party, room = socket.data.user.party, "order:" .. order.id
  if not orders.has_ended(order) then
    local key = prefix_of(party) .. order.id
    if not ns.store:get(key) and #kept(ns, party) >= LIMIT then
      fail("busy", string.format("a user watches at most %d orders", LIMIT))
    end
    local ok, why = ns.store:set(key, true)
    if not ok then fail("unavailable", why) end
  end
  local ok, why = socket:join(room)
  if ok == nil and why and why ~= "disconnected" then fail("busy", why) end
  return room
end

function subscriptions.remove(ns, socket, id)
  ns.store:delete(prefix_of(socket.data.user.party) .. id)
  socket:leave("order:" .. id)
  return "order:" .. id
end

--- Puts a new client into its user's rooms, and forgets those that are no longer for them.
function subscriptions.restore(ns, socket)
  local user = socket.data.user
  for _, entry in ipairs(kept(ns, user.party)) do
    local id = entry.key:sub(#prefix_of(user.party) + 1)
    local order = ns.store:get("order:" .. id)
    if order and not orders.has_ended(order) and orders.is_party(order, user) then
      socket:join("order:" .. id)
    else
      ns.store:delete(entry.key)
    end
  end
end

return subscriptions
