-- The order rooms that a user's clients are in: kept for orders that have not ended, so that a
-- client which connects anew, after whatever time, is in them again.
-- In the store: in:PARTY:<order's id>, and for admins, who are no party to it and hear of it only
-- thus, watch:<order's id>:PARTY.
local option = require "shared.option"
local orders = require "lib.orders"

local subscriptions = {}

local LIMIT = option.count("rooms.kept", 100, option.PAGE)
local MOST_WATCHERS = option.count("rooms.watchers", 50, option.PAGE)

local function prefix_of(party) return "in:" .. party .. ":" end

local function watch_of(id) return "watch:" .. id .. ":" end

local function kept(ns, party)
  return ns.store:scan(prefix_of(party), { limit = LIMIT }) or {}
end

local function forget(ns, party, id)
  ns.store:delete(prefix_of(party) .. id)
  ns.store:delete(watch_of(id) .. party)
end

--- Keeps the party in the room of an order that has not ended.
local function keep(ns, user, order)
  local key = prefix_of(user.party) .. order.id
  if orders.has_ended(order) or ns.store:get(key) then return end
  if #kept(ns, user.party) >= LIMIT then
    fail("busy", string.format("a user watches at most %d orders", LIMIT))
  end
  local ok, why = true, nil
  if user.userType == "admin" then
    if #subscriptions.watchers(ns, order) >= MOST_WATCHERS then
      fail("busy", string.format("at most %d admins watch an order", MOST_WATCHERS))
    end
    ok, why = ns.store:set(watch_of(order.id) .. user.party, true)
  end
  if ok then ok, why = ns.store:set(key, true) end
  if not ok then fail("unavailable", why) end
end

--- Into the room, whose name it returns, of an order that the user is a party to; fails otherwise,
--- and with `busy` beyond the limit.
function subscriptions.add(ns, socket, id)
  local room = "order:" .. id
  local done, why = ns:lock(room, function()  -- it may end, or go to another driver, meanwhile
    local order = orders.require(ns.store, id, socket.data.user)
    keep(ns, socket.data.user, order)
    local ok, problem = socket:join(room)
    if ok == nil and problem and problem ~= "disconnected" then fail("busy", problem) end
    return true
  end)
  if not done then fail("busy", why) end
  return room
end

function subscriptions.remove(ns, socket, id)
  forget(ns, socket.data.user.party, id)
  socket:leave("order:" .. id)
  return "order:" .. id
end

--- The parties that watch the order without being its own.
function subscriptions.watchers(ns, order)
  local parties, list = {}, ns.store:scan(watch_of(order.id), { limit = MOST_WATCHERS }) or {}
  for i, entry in ipairs(list) do parties[i] = entry.key:sub(#watch_of(order.id) + 1) end
  return parties
end

--- The party is none of the order's any more.
function subscriptions.leave(ns, order, party)
  forget(ns, party, order.id)
  ns:to(party):leave("order:" .. order.id)
end

--- The order has ended: nobody hears of it any more.
function subscriptions.close(ns, order)
  for _, party in ipairs(subscriptions.watchers(ns, order)) do
    subscriptions.leave(ns, order, party)
  end
  for _, party in pairs(orders.parties(order)) do subscriptions.leave(ns, order, party) end
end

--- Puts a new client into its user's rooms, and forgets those that are no longer for them. Returns
--- the orders.
function subscriptions.restore(ns, socket)
  local user, watched = socket.data.user, {}
  for _, entry in ipairs(kept(ns, user.party)) do
    local id = entry.key:sub(#prefix_of(user.party) + 1)
    local order = ns.store:get("order:" .. id)
    if order and not orders.has_ended(order) and orders.is_party(order, user) then
      socket:join("order:" .. id)
      watched[#watched + 1] = order
    else
      forget(ns, user.party, id)
    end
  end
  return watched
end

return subscriptions
