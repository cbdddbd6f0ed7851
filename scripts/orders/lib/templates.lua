-- Notifications' messages from templates of the settings.
local option = require "shared.option"
local schema = require "schema"

local templates = {}

local TEMPLATES = option.of("notifications.templates", schema.map(schema.string()), {})

--- The message that is asked for. {name} in a template is a parameter's value.
function templates.message(asked)
  if not asked.template then
    return asked.message or fail("invalid", "message is required", { path = "message" })
  end
  local template = TEMPLATES[asked.template]
  if not template then
    fail("invalid", "template: there is none named " .. asked.template, { path = "template" })
  end
  return (template:gsub("{([%w_]+)}", function(name)
    local value = (asked.params or {})[name]
    if value == nil then
      fail("invalid", "params." .. name .. " is required by the template",
           { path = "params." .. name })
    end
    return tostring(value)
  end))
end

return templates
