-- What comes in and goes out looks like.
local identity = require "lib.identity"
local orders = require "lib.orders"
local schema = require "schema"

local forms = {}

local optional, text = schema.optional, schema.string
local id, time = schema.string(), schema.string { format = "date-time" }
local latitude = schema.number { min = -90, max = 90 }
local longitude = schema.number { min = -180, max = 180 }
local metres, seconds = optional(schema.integer { min = 0 }), optional(schema.integer { min = 0 })
local function maybe(kind) return schema.optional(schema.nullable(kind)) end

forms.PLACE = schema.named("Place", schema.object {
  additional = false,
  latitude = latitude, longitude = longitude, address = optional(text { max = 300 }),
})

-- What phones send: null is as good as missing.
local report = {
  latitude = optional(latitude), longitude = optional(longitude),
  lat = optional(latitude), lng = optional(longitude),
  heading = maybe(schema.number { min = -1, max = 360 }), speed = maybe(schema.number { min = -1 }),
  accuracy = maybe(schema.number()), timestamp = maybe(schema.any()),
}
forms.POSITION = schema.object(report)
report.driverId = identity.ID
forms.DRIVER_POSITION = schema.object(report)  -- of emitters
report.driverId, report.orderId = maybe(identity.ID), maybe(identity.ID)
forms.REPORT = schema.named("LocationReport", schema.object(report))
forms.REPORTED = schema.object {
  success = schema.boolean(), accepted = schema.boolean(), reason = optional(text()),
  orders = schema.integer(),
}

local function known(value) return value ~= null and value or nil end

--- {latitude, longitude, heading, speed} of a report; `lat` and `lng` do as well.
function forms.place(from)
  local place = {
    latitude = from.latitude or from.lat, longitude = from.longitude or from.lng,
    heading = known(from.heading), speed = known(from.speed),
  }
  for _, field in ipairs { "latitude", "longitude" } do
    if not place[field] then
      fail("invalid", field .. ": is required: a number", { path = field })
    end
  end
  return place
end

forms.ORDER = schema.object {
  additional = false,
  id = optional(identity.ID), orderNumber = optional(text { min = 1, max = 64 }),
  customerId = optional(identity.ID), merchantId = optional(identity.ID),
  pickup = optional(forms.PLACE), dropoff = optional(forms.PLACE),
  items = optional(schema.array(schema.any(), { max = 100 })),
  total = optional(schema.number { min = 0 }), notes = optional(text { max = 1000 }),
}
forms.STATUS = schema.object { status = schema.enum(orders.STATUSES) }
local card = {
  name = optional(text { max = 100 }), phone = optional(text { max = 40 }),
  rating = optional(schema.number { min = 0, max = 5 }), vehicleType = optional(text { max = 40 }),
}
local about = { additional = false, available = optional(schema.boolean()) }
for name, kind in pairs(card) do about[name] = kind end
forms.DRIVER = schema.object(about)
forms.ASSIGNMENT = schema.object {
  additional = false, driverId = optional(identity.ID), driver = optional(schema.object(card)),
}
-- Of emitters, whose events name what over HTTP is in the path.
forms.ORDER_STATUS = schema.object { orderId = identity.ID, status = schema.enum(orders.STATUSES) }
forms.ORDER_ASSIGNMENT = schema.object {
  additional = false, orderId = identity.ID, driverId = optional(identity.ID),
  driver = optional(schema.object(card)),
}
forms.NOTIFICATION = schema.object {
  additional = false,
  userType = schema.enum(identity.TYPES), userId = identity.ID,
  title = text { min = 1, max = 200 },
  message = optional(text { max = 2000 }), template = optional(text { max = 64 }),
  params = optional(schema.map(schema.one_of { text(), schema.number() })),
  type = optional(text { max = 64 }), data = optional(schema.any()),
}
forms.WISHES = schema.object {
  additional = false,
  muted = optional(schema.array(text { min = 1, max = 64 }, { max = 50 })),
  channels = optional(schema.map(schema.object {
    additional = false, enabled = optional(schema.boolean()),
    address = optional(text { max = 300 }),
  })),
}

local order = schema.named("Order", schema.object {
  orderId = id, orderNumber = id, status = id, customerId = id, merchantId = id,
  pickupDriverId = optional(id), pickup = optional(forms.PLACE), dropoff = optional(forms.PLACE),
})
local driver = { id = id }
for name, kind in pairs(card) do driver[name] = kind end

forms.EVENTS = {
  ["order:created"] = order,
  ["order:assigned"] = order,
  ["order:statusChanged"] = schema.object {
    orderId = id, orderNumber = id, status = id, previousStatus = id, timestamp = time,
  },
  ["order:available"] = schema.object {
    orderId = id, orderNumber = id, merchantId = id, pickup = forms.PLACE,
    dropoff = optional(forms.PLACE), total = optional(schema.number()), distanceMetres = metres,
    timestamp = time,
  },
  ["driver:assigned"] = schema.object {
    orderId = id, orderNumber = id, driver = schema.named("Driver", schema.object(driver)),
    timestamp = time,
  },
  ["driver:locationUpdate"] = schema.object {
    driverId = id, latitude = latitude, longitude = longitude,
    orderId = optional(id), orderNumber = optional(id), orderIds = optional(schema.array(id)),
    distanceMetres = metres, etaSeconds = seconds, heading = optional(schema.number()),
    speed = optional(schema.number()), timestamp = time,
  },
  notification = schema.object {
    id = id, type = id, title = id, message = id, data = optional(schema.any()), timestamp = time,
  },
}

return forms
