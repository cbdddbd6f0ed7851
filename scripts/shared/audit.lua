-- Who did what, when, and from where: entries in a stream of the store, which can be asked.
local schema = require "schema"

local audit = {}
audit.__index = audit

local PAGE, MOST_PAGES = 500, 40  -- entries that one question looks at: at most 20000
local DEFAULT_LIMIT, MAX_LIMIT = 50, 500

-- What an entry is found by.
local FIELDS = { "who", "what", "source", "subject", "outcome" }

--- A log of its own; beyond `limits.count` (100000) entries, or after `limits.age` seconds (90 days),
--- the oldest go.
function audit.open(ns, name, limits)
  return setmetatable({
    ns = ns, stream = "audit:" .. name,
    keep = { count = limits.count or 100000, age = limits.age or 90 * 86400, durable = false },
  }, audit)
end

--- Writes {who, what, source, subject, outcome, detail}; all texts, `detail` any small value. It
--- survives the broker's death, and all but the last second a power cut. Nil and why if the store
--- can't have it, which is logged: what was done is done.
function audit:note(entry)
  local ok, id, why = pcall(self.ns.store.append, self.ns.store, self.stream, entry, self.keep)
  if not ok then id, why = nil, id end  -- `count` is more than store.stream_items
  if id then
    self.quiet = nil
  elseif not self.quiet then
    self.quiet = true
    log.warn("the audit log is not written", { reason = why, what = entry.what })
  end
  return id, why
end

local time = schema.string { format = "date-time" }
local text = schema.string { min = 1, max = 200 }
audit.QUERY = schema.object {
  additional = false,
  who = schema.optional(text), what = schema.optional(text), source = schema.optional(text),
  subject = schema.optional(text), outcome = schema.optional(text),
  since = schema.optional(time), ["until"] = schema.optional(time),
  limit = schema.optional(schema.string { pattern = "^%d+$", max = 9 }),
  before = schema.optional(schema.string { pattern = "^%d+$", max = 16 }),
}

local function holds(query, entry, at)
  local value = entry.value
  for _, field in ipairs(FIELDS) do
    if query[field] and value[field] ~= query[field] then return false end
  end
  return not query["until"] or at <= query["until"]
end

--- Entries by a request's query, newest first: {items, next}; `next.before` goes on where this
--- ended, which may be before anything was found. Times compare as the texts that iso_time() makes.
function audit:query(query)
  local checked, problem = schema.check(audit.QUERY, query)
  if not checked then
    local field = problem.path:gsub("^%$%.?", "")
    fail("invalid", field .. " " .. problem.message, { path = problem.path, field = field })
  end
  local limit = math.max(1, math.min(MAX_LIMIT, tonumber(query.limit) or DEFAULT_LIMIT))
  local items, before = {}, tonumber(query.before)
  for _ = 1, MOST_PAGES do
    local page, why = self.ns.store:history(self.stream, { before = before, limit = PAGE })
    if not page then fail("unavailable", why) end
    for i = #page, 1, -1 do
      local entry = page[i]
      local at = iso_time(entry.at)
      if query.since and at < query.since then return { items = json.array(items) } end
      before = entry.id
      if holds(query, entry, at) then
        local item = { id = entry.id, when = at }
        for field, value in pairs(entry.value) do item[field] = value end
        items[#items + 1] = item
        if #items == limit then
          return { items = json.array(items), next = { before = before } }
        end
      end
    end
    if #page < PAGE then return { items = json.array(items) } end
  end
  return { items = json.array(items), next = { before = before } }
end

return audit
