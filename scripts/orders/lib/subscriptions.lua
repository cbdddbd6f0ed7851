-- The order rooms that a user's clients are in: kept for orders that have not ended, so that a client
-- which connects anew, after whatever time, is in them again.
-- In the store: in:PARTY:<order's id>, and for users who are no party to it, and hear of it only thus,
-- watch:<order's id>:PARTY.
local option = require "shared.option"
local orders = require "lib.orders"

local subscriptions = {}

local LIMIT = option.count("rooms.kept", 100)
local MOST_WATCHERS = option.count("rooms.watchers", 50)

local function prefix_of(party) return "in:" .. party .. ":" end

local function watch_of(id) return "watch:" .. id .. ":" end

local function kept(ns, party)
  return ns.store:scan(prefix_of(party), { limit = LIMIT }) or {}
end

--- Into the order's room, whose name it returns. Fails with `busy` beyond the limit.
function subscriptions.add(ns, socket, order)
  local party, room = socket.data.user.party, "order:" .. order.id
  local key = prefix_of(party) .. order.id
  if not orders.has_ended(order) and not ns.store:get(key) then
    if #kept(ns, party) >= LIMIT then
      fail("busy", string.format("a user watches at most %d orders", LIMIT))
    end
    local ok, why = true, nil
    if socket.data.user.userType == "admin" then
      if #subscriptions.watchers(ns, order) >= MOST_WATCHERS then
        fail("busy", string.format("at most %d admins watch an order", MOST_WATCHERS))
      end
      ok, why = ns.store:set(watch_of(order.id) .. party, true)
    end
    if ok then ok, why = ns.store:set(key, true) end
    if not ok then fail("unavailable", why) end
  end
  local ok, why = socket:join(room)
  if ok == nil and why and why ~= "disconnected" then fail("busy", why) end
  return room
end

function subscriptions.remove(ns, socket, id)
  local party = socket.data.user.party
  ns.store:delete(prefix_of(party) .. id)
  ns.store:delete(watch_of(id) .. party)
  socket:leave("order:" .. id)
  return "order:" .. id
end

--- The parties that watch the order without being its own.
function subscriptions.watchers(ns, order)
  local parties, list = {}, ns.store:scan(watch_of(order.id), { limit = MOST_WATCHERS }) or {}
  for i, entry in ipairs(list) do parties[i] = entry.key:sub(#watch_of(order.id) + 1) end
  return parties
end

--- The order has ended: nobody hears of it any more.
function subscriptions.close(ns, order)
  for _, party in ipairs(subscriptions.watchers(ns, order)) do
    ns.store:delete(watch_of(order.id) .. party)
  end
end

--- Puts a new client into its user's rooms, and forgets those that are no longer for them. The orders.
function subscriptions.restore(ns, socket)
  local user, watched = socket.data.user, {}
  for _, entry in ipairs(kept(ns, user.party)) do
    local id = entry.key:sub(#prefix_of(user.party) + 1)
    local order = ns.store:get("order:" .. id)
    if order and not orders.has_ended(order) and orders.is_party(order, user) then
      socket:join("order:" .. id)
      watched[#watched + 1] = order
    else
      ns.store:delete(entry.key)
    end
  end
  return watched
end

return subscriptions
