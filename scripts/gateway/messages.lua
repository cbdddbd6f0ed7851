-- /gateway: notifications, announcements, templates and what is scheduled.
local ns = namespace "/gateway"

local schema = require "schema"
local announcements = require "lib.announcements"
local events = require "lib.events"
local identity = require "lib.identity"
local mailbox = require "lib.mailbox"
local outlet = require "lib.outlet"
local paging = require "shared.paging"
local publishing = require "lib.publishing"
local sending = require "lib.sending"
local templates = require "lib.templates"

local SENDERS, READERS = { "admin", "service" }, { "admin", "service", "monitor" }

local id, text = identity.id, schema.string { max = 16384 }
local priority = schema.default(outlet.priority, "normal")

ns:emits("notification", schema.named("Notification", schema.object {
  notificationId = schema.string(), userId = id, type = schema.string(), priority = outlet.priority,
  title = schema.optional(text), message = schema.optional(text),
  data = schema.optional(schema.any()),
  timestamp = schema.string(),
}))
ns:emits("announcement", schema.named("Announcement", schema.object {
  id = schema.integer(), type = schema.string(), priority = outlet.priority,
  title = schema.optional(text), message = text, data = schema.optional(schema.any()),
  keepSeconds = schema.number(), timestamp = schema.string(),
}))

local SAYS = {
  type = schema.optional(id), priority = schema.optional(outlet.priority),
  title = schema.optional(text), message = schema.optional(text),
  data = schema.optional(schema.object {}),
}
local function with(fields, others)
  local all = {}
  for name, field in pairs(fields) do all[name] = field end
  for name, field in pairs(others) do all[name] = field end
  return all
end

--- What the body says, its own words before the template's.
local function words_of(body)
  local words = body.template
    and templates.fill(templates.find(ns.store, body.template), body.values or {}) or {}
  for name in pairs(SAYS) do
    if body[name] ~= nil then words[name] = body[name] end
  end
  if not words.title and not words.message and not words.data then
    fail("invalid", "message: is required, or a title, data or template", { path = "$.message" })
  end
  words.type, words.priority = words.type or "info", words.priority or "normal"
  return words
end

local notice = schema.object(sending.when(with(SAYS, {
  userId = id, template = schema.optional(id), values = schema.optional(schema.object {}),
})))
local news = schema.object(sending.when {
  type = schema.default(id, "info"), priority = priority, title = schema.optional(text),
  message = schema.string { min = 1, max = 16384 }, data = schema.optional(schema.object {}),
  keepSeconds = schema.default(schema.number { min = 1, max = announcements.LONGEST }, 86400),
})

local function notify(body)
  local notification = words_of(body)
  notification.notificationId, notification.userId = uuid(), body.userId
  notification.timestamp = iso_time()
  local status, answer = sending.send(ns, "notification", notification, body)
  answer.id, answer.notificationId = nil, notification.notificationId
  if status == 200 then answer.online = answer.sockets > 0 end
  return status, answer
end

local function announce(body)
  return sending.send(ns, "announcement", {
    type = body.type, priority = body.priority, title = body.title, message = body.message,
    data = body.data, keepSeconds = body.keepSeconds, timestamp = iso_time(),
  }, body)
end

events.route(ns, "POST", "/socket/notifications", { roles = SENDERS, body = notice },
  function(request) return notify(request.json) end)
events.route(ns, "POST", "/socket/announcements", { roles = SENDERS, body = news },
  function(request) return announce(request.json) end)
-- For other apps of this broker: ask("/gateway", "notify", {userId = …, message = …}).
ns:serve("notify", function(body) return select(2, notify(events.check(notice, body))) end)
ns:serve("announce", function(body) return select(2, announce(events.check(news, body))) end)

--- What a user was sent, whether delivered or waiting.
local function notifications_of(user_id, page)
  return paging.stream(ns.store, mailbox.stream(identity.user_room(user_id)), page, function(entry)
    return { id = entry.id, event = entry.value.event, data = entry.value.data }
  end)
end

events.on(ns, "notification_history", {
  schema.object(paging.fields()),
  returns = schema.object { items = schema.array(schema.any()), next = schema.any() },
}, function(socket, data)
  local page = notifications_of(socket.data.who.userId, paging.of(data))
  page.next = page.next or null
  return page
end)

events.route(ns, "GET", "/socket/users/:userId/notifications", { roles = READERS },
  function(request)
    local user_id = events.check(id, request.params.userId, "userId")
    local page = notifications_of(user_id, paging.of(request.query))
    return 200, { notifications = page.items, next = page.next,
                  waiting = mailbox.waiting(ns, identity.user_room(user_id)) }
  end)

-- Templates ------------------------------------------------------------------------------------

local function shown(name, template)
  return with({ name = name }, template)
end

local template_body = schema.object(SAYS)
events.route(ns, "PUT", "/socket/templates/:name", { roles = { "admin" }, body = template_body },
  function(request)
    local name = events.check(id, request.params.name, "name")
    local result, why = ns.store:transaction(function(store)
      return { new = templates.keep(store, name, request.json) }
    end)
    if not result then fail("unavailable", why) end
    return result.new and 201 or 200, shown(name, request.json)
  end)

events.route(ns, "GET", "/socket/templates", { roles = READERS }, function(request)
  local page = paging.keys(ns.store, "template:", paging.of(request.query, { by = "key" }),
    function(entry) return shown(entry.key, entry.value) end)
  return 200, { templates = page.items, next = page.next }
end)

events.route(ns, "GET", "/socket/templates/:name", { roles = READERS }, function(request)
  return 200, shown(request.params.name, templates.find(ns.store, request.params.name))
end)

events.route(ns, "DELETE", "/socket/templates/:name", { roles = { "admin" } }, function(request)
  local done, why = ns.store:transaction(function(store)
    return templates.remove(store, request.params.name)
  end)
  if not done then fail("unavailable", why) end
  return 204
end)

-- What is scheduled ----------------------------------------------------------------------------

ns:on_schedule("publish", function(due) publishing.due(ns, due.id) end)

events.route(ns, "GET", "/socket/schedules", { roles = READERS }, function(request)
  local page = paging.keys(ns.store, "scheduled:", paging.of(request.query, { by = "key" }),
    function(entry)
      local scheduled = entry.value
      return { scheduleId = entry.key, kind = scheduled.kind, message = scheduled.message,
               deliverAt = iso_time(scheduled.at) }
    end)
  return 200, { schedules = page.items, next = page.next }
end)

events.route(ns, "DELETE", "/socket/schedules/:id", { roles = SENDERS }, function(request)
  publishing.cancel(ns, request.params.id)
  return 204
end)
