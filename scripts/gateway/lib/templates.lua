-- Templates of notifications: "template:NAME" in the store, with {{placeholders}} in the title, the
-- message and the texts of the data.
local option = require "shared.option"

local templates = {}

local LIMIT = option.count("templates.limit", 1000)

function templates.key(name) return "template:" .. name end

function templates.find(store, name)
  local template = store:get(templates.key(name))
  if not template then fail("not_found", "no template '" .. name .. "'") end
  return template
end

--- Keeps a template, replacing one of that name. True if it is new.
function templates.keep(store, name, template)
  local is_new = store:get(templates.key(name)) == nil
  local count = (store:get("template_count") or 0) + (is_new and 1 or 0)
  if count > LIMIT then
    fail("too_many_templates", string.format("there are %d templates, which is the limit", LIMIT))
  end
  for key, value in pairs { template_count = count, [templates.key(name)] = template } do
    local done, why = store:set(key, value)
    if not done then fail("unavailable", why) end
  end
  return is_new
end

--- Forgets a template; true.
function templates.remove(store, name)
  templates.find(store, name)
  store:delete(templates.key(name))
  local done, why = store:set("template_count", math.max(0, (store:get("template_count") or 1) - 1))
  if not done then fail("unavailable", why) end
  return true
end

--- Fills a text, or a table in place: empty lists stay lists.
local function fill(value, values)
  if type(value) == "string" then
    return (value:gsub("{{%s*([%w_]+)%s*}}", function(name)
      local given = values[name]
      if given == nil or given == null or type(given) == "table" then
        fail("invalid", "values." .. name .. ": the template needs it, as a text or a number",
             { path = "$.values." .. name })
      end
      return tostring(given)
    end))
  end
  if type(value) ~= "table" or value == null then return value end
  for key, each in pairs(value) do value[key] = fill(each, values) end
  return value
end

--- The notification's fields, with `values` in their places; `template` is used up. Raises
--- `invalid` for one that is missing.
function templates.fill(template, values)
  return {
    type = template.type, priority = template.priority,
    title = fill(template.title, values), message = fill(template.message, values),
    data = fill(template.data, values),
  }
end

return templates
