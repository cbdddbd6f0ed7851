-- What Node back ends ask for through @socket.io/redis-emitter (the plugin `redis`): the office's
-- operations, as its paths have them, in an admin's name. Every node hears what an emitter says, so
-- one node of a cluster is told to do it.
local ns = namespace "/events"

local desk = require "lib.desk"
local drivers = require "lib.drivers"
local figures = require "lib.figures"
local forms = require "lib.forms"
local identity = require "lib.identity"
local templates = require "lib.templates"
local tracking = require "lib.tracking"
local option = require "shared.option"
local schema = require "schema"

if not option.of("office.emitter", schema.boolean(), false) then return end

local OFFICE = { id = "emitter", userType = "admin", party = "admin:emitter" }

--- Done one after the other, as they were said. Nobody waits for an answer: what fails is logged.
local function take(event, form, fn)
  ns:on_server(event, function(asked)
    local ok, why = pcall(function()
      local fields, problem = schema.check(form, asked)
      if problem then
        local path = problem.path:sub(3)
        fail("invalid", (path ~= "" and path .. ": " or "") .. problem.message, { path = path })
      end
      local done, busy = ns:lock("emitter", function()
        fn(fields)
        return true
      end)
      if not done then fail("busy", busy) end
    end)
    figures.count(ns, ok and "emitterDone" or "emitterFailed")
    if ok then return end
    local code = type(why) == "table" and why.code or "internal"
    local message = type(why) == "table" and why.message or tostring(why)
    log.warn("from an emitter", { event = event, code = code, message = message })
  end)
end

take("order:create", forms.ORDER, function(fields) desk.create(ns, fields, OFFICE) end)

take("order:status", forms.ORDER_STATUS, function(fields)
  desk.move(ns, identity.id(fields.orderId), fields.status, OFFICE)
end)

take("order:assign", forms.ORDER_ASSIGNMENT, function(fields)
  local driver_id = identity.id(fields.driverId)
  if fields.driver then
    if not driver_id then fail("invalid", "driverId is required", { path = "driverId" }) end
    drivers.describe(ns, driver_id, fields.driver)
  end
  desk.assign(ns, identity.id(fields.orderId), driver_id, OFFICE)
end)

take("driver:location", forms.DRIVER_POSITION, function(fields)
  tracking.locate(ns, identity.id(fields.driverId), forms.place(fields))
end)

take("notification", forms.NOTIFICATION, function(fields)
  desk.notify(ns, fields.userType .. ":" .. identity.id(fields.userId), {
    title = fields.title, message = templates.message(fields), type = fields.type,
    data = fields.data,
  })
end)
