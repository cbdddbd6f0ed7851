-- Pages of lists over HTTP and in events: `limit`, and `after` or `before`, which say where the
-- page begins. An answer is {items, next}: `next` holds what to ask for the following page, and is
-- missing at the end.
local schema = require "schema"

local paging = {}

local DEFAULT_LIMIT, MAX_LIMIT = 50, 200

--- The fields of a page for an event's schema: `schema.object(paging.fields { roomId = … })`.
function paging.fields(others)
  local place = schema.one_of { schema.integer { min = 0 }, schema.string { max = 300 } }
  local fields = {
    limit = schema.optional(schema.integer { min = 1, max = MAX_LIMIT }),
    after = schema.optional(place), before = schema.optional(place),
  }
  for name, field in pairs(others or {}) do fields[name] = field end
  return fields
end

local function refuse(field, what)
  fail("invalid", field .. ": " .. what, { path = "$." .. field })
end

local function whole(field, value, least, most)
  local number = tonumber(value)
  if not number or number % 1 ~= 0 or number < least or number > most then
    refuse(field, string.format("must be a whole number from %d to %.0f", least, most))
  end
  return number
end

--- What a request's query or an event's data asks for. `options.by` is "id" (of a stream, the
--- default) or "key" (of names); `options.limit` is the size of a page that doesn't say.
function paging.of(source, options)
  options = options or {}
  local page = {
    limit = source.limit and whole("limit", source.limit, 1, MAX_LIMIT)
      or options.limit or DEFAULT_LIMIT,
  }
  if source.after and source.before then refuse("before", "can't be given together with after") end
  if options.by == "key" then
    if source.before then refuse("before", "this list only goes on after a name") end
    page.after = source.after and tostring(source.after)
  else
    page.after = source.after and whole("after", source.after, 0, 2 ^ 53)
    page.before = source.before and whole("before", source.before, 0, 2 ^ 53)
  end
  return page
end

local function answer(entries, page, of, from)
  local items = {}
  for i = 1, #entries do items[i] = of(entries[i]) end
  return { items = json.array(items), next = from }
end

--- A page of a stream, oldest first: its end, or what is before or after an id. `of(entry)` makes
--- an item of an entry {id, at, value}. Raises `unavailable` if the store can't be read.
function paging.stream(store, stream, page, of)
  local entries, why = store:history(stream, {
    limit = page.limit + 1, after = page.after, before = page.before,
  })
  if not entries then fail("unavailable", why) end
  local from
  if #entries > page.limit then
    if page.after then
      entries[#entries] = nil
      from = { after = entries[#entries].id }
    else
      table.remove(entries, 1)
      from = { before = entries[1].id }
    end
  end
  return answer(entries, page, of, from)
end

--- A page of the store's keys with this prefix. `of({key, value})` makes an item; keys come without
--- the prefix. Raises `unavailable` if the store can't be read.
function paging.keys(store, prefix, page, of)
  local entries, why = store:scan(prefix, {
    limit = page.limit + 1, after = page.after and prefix .. page.after,
  })
  if not entries then fail("unavailable", why) end
  local from
  for _, entry in ipairs(entries) do entry.key = entry.key:sub(#prefix + 1) end
  if #entries > page.limit then
    entries[#entries] = nil
    from = { after = entries[#entries].key }
  end
  return answer(entries, page, of, from)
end

--- A page of a table in memory, by its keys (strings). `of(key, value)` makes an item.
function paging.table(values, page, of)
  local keys = {}
  for key in pairs(values) do
    if not page.after or key > page.after then keys[#keys + 1] = key end
  end
  table.sort(keys)
  local from
  if #keys > page.limit then from = { after = keys[page.limit] } end
  for i = #keys, page.limit + 1, -1 do keys[i] = nil end
  return answer(keys, page, function(key) return of(key, values[key]) end, from)
end

return paging
