-- Orders: their records, how their status may change, and who may change it.
-- In the store: order:<id>, and who has which: of:PARTY:<number> and, until it has ended,
-- active:PARTY:<number>; open:<number> while no driver has it; each with the order's id.
local identity = require "lib.identity"
local machine = require "shared.machine"
local option = require "shared.option"
local schema = require "schema"

local orders = {}

orders.ASSIGNED = "ASSIGNED_TO_DRIVER"

local names = schema.array(schema.string { min = 1, max = 64 })
local FIRST = option.of("orders.first", schema.string { min = 1 }, "PENDING")
local TRANSITIONS = option.of("orders.transitions", schema.map(names), {
  PENDING = { "CONFIRMED", orders.ASSIGNED, "CANCELLED" },
  CONFIRMED = { "READY_FOR_PICKUP", orders.ASSIGNED, "CANCELLED" },
  READY_FOR_PICKUP = { orders.ASSIGNED, "CANCELLED" },
  [orders.ASSIGNED] = { "PICKED_UP", "CANCELLED" },
  PICKED_UP = { "IN_TRANSIT", "DELIVERED" },
  IN_TRANSIT = { "DELIVERED" },
  DELIVERED = json.array {},
  CANCELLED = json.array {},
})
-- Who beside an admin may set a status, if they are a party to the order.
local SET_BY = option.of("orders.set_by", schema.map(names), {
  CONFIRMED = { "merchant" }, READY_FOR_PICKUP = { "merchant" },
  PICKED_UP = { "driver" }, IN_TRANSIT = { "driver" }, DELIVERED = { "driver" },
  CANCELLED = { "customer", "merchant" },
})
-- From these on a driver is on the way to the customer; before, to where the order is fetched.
local UNDER_WAY = option.of("orders.under_way", names, { "PICKED_UP", "IN_TRANSIT" })
local KEEP = option.days("orders.keep_days", 90)
local MAX_HISTORY = 50

local statuses = machine.new("order", TRANSITIONS)
orders.STATUSES = statuses:states()
for _, needed in ipairs { FIRST, orders.ASSIGNED } do
  if not TRANSITIONS[needed] then
    error("moonwire.toml: settings.orders.transitions lacks the status " .. needed, 0)
  end
end

local function contains(list, wanted)
  for _, each in ipairs(list or {}) do
    if each == wanted then return true end
  end
  return false
end

function orders.has_ended(order) return statuses:ends(order.status) end
function orders.is_under_way(order) return contains(UNDER_WAY, order.status) end

--- The order, or fails with `not_found`.
function orders.find(store, id)
  local order, why = store:get("order:" .. id)
  if why then fail("unavailable", why) end
  if not order then fail("not_found", "there is no order " .. id) end
  return order
end

--- {customer = "customer:1", …}: who the order is of, by type; a driver once there is one.
function orders.parties(order)
  return {
    customer = "customer:" .. order.customerId, merchant = "merchant:" .. order.merchantId,
    driver = order.pickupDriverId and "driver:" .. order.pickupDriverId,
  }
end

function orders.is_party(order, user)
  return user.userType == "admin" or orders.parties(order)[user.userType] == user.party
end

--- The order, if the user is a party to it; fails otherwise.
function orders.require(store, id, user)
  local order = orders.find(store, id)
  if not orders.is_party(order, user) then fail("forbidden", "not your order") end
  return order
end

local function number_of(order) return string.format("%015d", order.number) end

--- Under which the store lists the order: for all, and for each party.
local function shelves(order)
  local all = { "all" }
  for _, party in pairs(orders.parties(order)) do all[#all + 1] = party end
  return all
end

local function set(store, key, value, options)
  local ok, why = store:set(key, value, options)
  if not ok then fail("unavailable", why) end
end

--- In a transaction: writes the order, which is kept for a while after it has ended.
function orders.write(store, order)
  local ended = orders.has_ended(order)
  local kept = ended and { ttl = KEEP } or nil
  set(store, "order:" .. order.id, order, kept)
  for _, shelf in ipairs(shelves(order)) do
    local active = "active:" .. shelf .. ":" .. number_of(order)
    set(store, "of:" .. shelf .. ":" .. number_of(order), order.id, kept)
    if ended then store:delete(active) else set(store, active, order.id) end
  end
  local open = "open:" .. number_of(order)
  if ended or order.pickupDriverId then store:delete(open) else set(store, open, order.id) end
end

--- In a transaction: the party has it no longer.
function orders.take_from(store, order, party)
  for _, kind in ipairs { "of:", "active:" } do
    store:delete(kind .. party .. ":" .. number_of(order))
  end
end

local function list_of(ns, prefix, limit)
  local found = {}
  local list, why = ns.store:scan(prefix, { limit = limit })
  if not list then fail("unavailable", why) end
  for _, entry in ipairs(list) do found[#found + 1] = ns.store:get("order:" .. entry.value) end
  return found
end

--- The orders of the party that have not ended, the oldest first, at most `limit`.
function orders.active(ns, party, limit)
  return list_of(ns, "active:" .. party .. ":", limit or 100)
end

--- The orders that no driver has yet, likewise.
function orders.open(ns, limit) return list_of(ns, "open:", limit) end

local function note(order, status, user)
  order.status, order.updatedAt = status, iso_time()
  if #order.history >= MAX_HISTORY then table.remove(order.history, 1) end
  order.history[#order.history + 1] = { status = status, at = order.updatedAt, by = user.party }
end

--- In a transaction: a new order of these fields. Fails with `conflict` if its id is taken.
function orders.make(store, fields, user)
  local number = (store:get("orders:last") or 0) + 1
  set(store, "orders:last", number)
  local order = {
    id = fields.id or uuid(), number = number,
    orderNumber = fields.orderNumber or string.format("ORD-%06d", number),
    customerId = fields.customerId, merchantId = fields.merchantId,
    pickup = fields.pickup, dropoff = fields.dropoff, items = fields.items, total = fields.total,
    notes = fields.notes, createdAt = iso_time(), history = json.array {},
  }
  if store:get("order:" .. order.id) then fail("conflict", "there is an order " .. order.id) end
  note(order, FIRST, user)
  orders.write(store, order)
  return order
end

--- Whether the user may set this status; fails otherwise. What it was.
function orders.move(order, status, user)
  if user.userType ~= "admin" and not contains(SET_BY[status], user.userType) then
    fail("forbidden", string.format("a %s does not set %s", user.userType, status))
  end
  local previous = order.status
  if status == orders.ASSIGNED and statuses:allows(previous, status)
      and not order.pickupDriverId then
    fail("conflict", "the order has no driver: assign one", { from = previous, to = status })
  end
  statuses:move(previous, status, order.orderNumber)
  note(order, status, user)
  return previous
end

--- Gives the order to a driver. A driver may take only what nobody has. What its status was.
function orders.assign(order, driver_id, user)
  if user.userType == "driver" and user.id ~= driver_id then
    fail("forbidden", "a driver assigns orders to nobody else")
  end
  local previous = order.status
  if previous == orders.ASSIGNED and order.pickupDriverId ~= driver_id
      and user.userType ~= "driver" then
    order.pickupDriverId = driver_id
    note(order, previous, user)
    return previous
  end
  statuses:move(previous, orders.ASSIGNED, order.orderNumber)
  order.pickupDriverId = driver_id
  note(order, orders.ASSIGNED, user)
  return previous
end

--- What users see: not where the store keeps it.
function orders.view(order)
  local view = {}
  for name, value in pairs(order) do view[name] = value end
  view.number = nil
  view.orderId = order.id
  return view
end

orders.ID = identity.ID

return orders
