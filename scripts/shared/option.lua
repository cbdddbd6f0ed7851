-- Settings that are checked while the file loads, so that `moonwire check` finds what is wrong.
local schema = require "schema"

local option = {}

--- The setting if it holds, or the default; an error that names it otherwise.
function option.of(name, kind, default)
  local value, problem = schema.check(kind, setting(name, default))
  if problem then
    error("moonwire.toml: settings." .. name .. problem.path:sub(2) .. " " .. problem.message, 0)
  end
  return value
end

local count, amount = schema.integer { min = 1 }, schema.number { min = 0 }

--- How many: at least one.
function option.count(name, default) return option.of(name, count, default) end

--- How much: any number but a negative one.
function option.amount(name, default) return option.of(name, amount, default) end

return option
