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

local amount = schema.number { min = 0 }

-- What one look into the store may find.
option.PAGE = 1000

--- How many: at least one, at most `most` if that is given.
function option.count(name, default, most)
  return option.of(name, schema.integer { min = 1, max = most }, default)
end

--- How much: any number but a negative one.
function option.amount(name, default) return option.of(name, amount, default) end

--- How long, in days: the seconds of it, more than none.
function option.days(name, default)
  return option.of(name, schema.number { min = 0.001 }, default) * 86400
end

return option
