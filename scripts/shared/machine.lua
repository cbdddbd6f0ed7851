-- State machines: which state may follow which. A record keeps only the name of its state.
--
--   local ticket = machine.new("ticket", { waiting = { "serving" }, serving = { "gone" }, gone = {} })
--   record.status = ticket:move(record.status, "serving", "F-001")
local machine = {}
machine.__index = machine

--- `transitions` has for each state the list of those that may follow it. One that leads to a state
--- which is not there is an error while the file loads. `what` is what refusals call its things.
function machine.new(what, transitions)
  local self = setmetatable({ what = what, follows = {} }, machine)
  for from, list in pairs(transitions) do
    self.follows[from] = {}
    for _, to in ipairs(list) do
      if not transitions[to] then
        error(string.format("a %s can't go from '%s' to '%s', which is no state of it",
                            what, from, to), 2)
      end
      self.follows[from][to] = true
    end
  end
  return self
end

--- Its states in order of their names, for schema.enum.
function machine:states()
  local states = {}
  for state in pairs(self.follows) do states[#states + 1] = state end
  table.sort(states)
  return states
end

--- Whether `to` may follow `from`; a state does not follow itself unless that is said.
function machine:allows(from, to) return (self.follows[from] or {})[to] == true end

--- Whether nothing follows.
function machine:ends(state) return next(self.follows[state] or {}) == nil end

--- Returns `to`, or fails with `conflict`, which names both; `name` is that of the one thing.
function machine:move(from, to, name)
  if self:allows(from, to) then return to end
  fail("conflict", string.format("%s%s is %s and can't become %s",
                                 self.what, name and " " .. name or "", tostring(from), tostring(to)),
       { from = from, to = to })
end

return machine
