-- /api/v1: drivers, notifications, and what the office looks at.
local ns = namespace "/events"

local channels = require "lib.channels"
local desk = require "lib.desk"
local drivers = require "lib.drivers"
local figures = require "lib.figures"
local forms = require "lib.forms"
local identity = require "lib.identity"
local mailbox = require "lib.mailbox"
local templates = require "lib.templates"
local tracking = require "lib.tracking"
local paging = require "shared.paging"

--- The driver that a path names: oneself, or whoever if one is an admin.
local function driver_of(request)
  local user = identity.require(request, "driver")
  local id = identity.id(request.params.id)
  if not id then fail("not_found", "there is no such driver") end
  if user.userType == "driver" and user.id ~= id then fail("forbidden", "not you") end
  return id, user
end

route("POST", "/api/v1/drivers/:id/location", { auth = true, schema = forms.POSITION },
      function(request)
  local id = driver_of(request)
  return 200, tracking.locate(ns, id, forms.place(request.json))
end)

route("GET", "/api/v1/drivers/:id", { auth = true }, function(request)
  local id = driver_of(request)
  local driver = drivers.find(ns, id)
  driver.online = drivers.is_here(ns, id)
  return 200, driver
end)

route("PATCH", "/api/v1/drivers/:id", { auth = true, schema = forms.DRIVER }, function(request)
  local id, user = driver_of(request)
  if request.json.rating and user.userType ~= "admin" then
    fail("forbidden", "rating: others rate drivers")
  end
  return 200, drivers.describe(ns, id, request.json)
end)

--- 202: it waits until the user has acknowledged it. No id: the user wants none of this type.
route("POST", "/api/v1/notifications", { auth = true, schema = forms.NOTIFICATION },
      function(request)
  identity.require(request, "admin")
  local asked = request.json
  local party = asked.userType .. ":" .. identity.id(asked.userId)
  local id = desk.notify(ns, party, {
    title = asked.title, message = templates.message(asked), type = asked.type, data = asked.data,
  })
  return 202, { id = id, muted = not id or nil, online = ns:to(party):count() > 0,
                waiting = mailbox.count(ns, party) }
end)

route("POST", "/api/v1/notifications/retry", { auth = true }, function(request)
  identity.require(request, "admin")
  return 200, { moved = channels.retry() }
end)

--- What the user wants of notifications.
route("GET", "/api/v1/preferences", { auth = true }, function(request)
  return 200, channels.wishes(ns, identity.require(request).party)
end)

route("PATCH", "/api/v1/preferences", { auth = true, schema = forms.WISHES }, function(request)
  return 200, channels.wish(ns, identity.require(request).party, request.json)
end)

route("GET", "/api/v1/stats", { auth = true }, function(request)
  identity.require(request, "admin")
  local report = figures.report(ns)
  report.channels = channels.status()
  return 200, report
end)

route("GET", "/api/v1/suspicious", { auth = true }, function(request)
  identity.require(request, "admin")
  return 200, paging.stream(ns.store, "suspicious", paging.of(request.query), function(entry)
    local item = { id = entry.id, time = iso_time(entry.at) }
    for name, value in pairs(entry.value) do item[name] = value end
    return item
  end)
end)

channels.open(ns)
