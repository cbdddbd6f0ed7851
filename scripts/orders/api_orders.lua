-- /api/v1/orders: for the back office, and for the parties themselves.
local ns = namespace "/events"

local desk = require "lib.desk"
local drivers = require "lib.drivers"
local forms = require "lib.forms"
local identity = require "lib.identity"
local orders = require "lib.orders"
local tracking = require "lib.tracking"
local paging = require "shared.paging"

local BASE = "/api/v1/orders"

local function id_of(request)
  local id = identity.id(request.params.id)
  if not id then fail("not_found", "there is no such order") end
  return id
end

route("POST", BASE, { auth = true, schema = forms.ORDER }, function(request)
  local user = identity.require(request, "customer", "merchant")
  return 201, orders.view(desk.create(ns, request.json, user))
end)

--- The user's own, oldest first; an admin's are all. ?active=true leaves out those that have ended.
route("GET", BASE, { auth = true }, function(request)
  local user = identity.require(request)
  local shelf = user.userType == "admin" and "all" or user.party
  local kind = request.query.active == "true" and "active:" or "of:"
  local page = paging.of(request.query, { by = "key" })
  return 200, paging.keys(ns.store, kind .. shelf .. ":", page, function(entry)
    return orders.view(orders.find(ns.store, entry.value))
  end)
end)

--- What a driver could take now, nearest first.
route("GET", BASE .. "/available", { auth = true }, function(request)
  local user = identity.require(request, "driver")
  return 200, { items = json.array(desk.available(ns, user.id)) }
end)

route("GET", BASE .. "/:id", { auth = true }, function(request)
  local user = identity.require(request)
  local order = orders.require(ns.store, id_of(request), user)
  local view = orders.view(order)
  view.tracking = tracking.of(ns, order)
  return 200, view
end)

route("PATCH", BASE .. "/:id/status", { auth = true, schema = forms.STATUS }, function(request)
  local user = identity.require(request)
  return 200, orders.view(desk.move(ns, id_of(request), request.json.status, user))
end)

route("POST", BASE .. "/:id/assign", { auth = true, schema = forms.ASSIGNMENT }, function(request)
  local user = identity.require(request, "merchant", "driver")
  local id, asked = id_of(request), request.json
  local driver_id = identity.id(asked.driverId)
  if user.userType == "driver" then driver_id = driver_id or user.id end
  if asked.driver then
    if user.userType ~= "admin" then fail("forbidden", "driver: only admins describe drivers") end
    if not driver_id then fail("invalid", "driverId is required", { path = "driverId" }) end
    drivers.describe(ns, driver_id, asked.driver)
  end
  return 200, orders.view(desk.assign(ns, id, driver_id, user))
end)
