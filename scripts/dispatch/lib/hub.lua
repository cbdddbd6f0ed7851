-- The way of every event, whether a client, a request or another system brings it: may they, does
-- it hold, did it come before; then it is done, passed on to the other system and noted in the
-- audit log.
local audit = require "shared.audit"
local duplicates = require "lib.duplicates"
local events = require "lib.events"
local operations = require "lib.operations"
local option = require "shared.option"
local roles = require "shared.roles"

local hub = {}

local IDS = 20000  -- by which duplicates are known

local ns, forward

--- {since, processed, refused, total, longest, sources}: counters since the start.
function hub.figures()
  local state = ns.state
  if not state.figures then
    state.figures = { since = now(), processed = 0, refused = 0, total = 0, longest = 0 }
  end
  return state.figures
end

local function note(operation, actor, event, outcome, subject, detail)
  local log_of = operation and operation.frequent and hub.positions or hub.audit
  log_of:note { who = actor.id, what = event, source = actor.source, outcome = outcome,
                subject = subject, detail = detail }
end

--- Notes what is no event: connections, refusals at the door, an operator's doing.
function hub.note(actor, what, outcome, subject, detail)
  note(nil, actor, what, outcome, subject, detail)
end

local function carry_out(operation, event, actor, data)
  local answer, told = operation.run(actor, data)
  answer.success = true
  if told and not actor.upstream then
    told.id = told.id or data.id or uuid()
    forward(event, told)
  end
  return answer
end

--- The same, unless it was done before. One that comes again while the first is under way waits
--- for how that ends: it may fail.
local function once(operation, event, actor, data)
  local memory = ns.state.ids or duplicates.new()
  ns.state.ids = memory
  local key = table.concat({ actor.source, actor.id, event, data.id }, " ")
  local answer, why = ns:lock("once:" .. key, function()
    if duplicates.is_known(memory, key) then return { success = true, duplicate = true } end
    local done = carry_out(operation, event, actor, data)
    duplicates.note(memory, key, IDS)
    return done
  end)
  if not answer then fail("busy", why) end
  return answer
end

local function run(operation, event, actor, given, form)
  if actor.source == "unauthenticated" then fail("unauthorized", "no token") end
  roles.require(actor, operation.roles)
  local data = events.read(event, form, given)
  return (data.id and once or carry_out)(operation, event, actor, data), data
end

--- Does what an event asks for: `form` is "socket" or "rest", by which `given` is read. Waits until
--- the store has it. Returns the answer, with the names of the socket's form; fails as `fail` does.
function hub.perform(event, actor, given, form)
  local operation, figures, began = operations.by_event[event], hub.figures(), now()
  local ok, answer, data = pcall(run, operation, event, actor, given, form)
  local taken = now() - began
  figures.processed, figures.total = figures.processed + 1, figures.total + taken
  figures.longest = math.max(figures.longest, taken)
  local field = ok and operation.subject
  local subject = field and (data[field] or answer[field])
  if ok then
    note(operation, actor, event, answer.duplicate and "duplicate" or "done", subject or nil)
    return answer
  end
  figures.refused = figures.refused + 1
  local is_refusal = type(answer) == "table" and answer.code
  note(operation, actor, event, is_refusal and answer.code or "internal", nil,
       is_refusal and answer.message or nil)
  error(answer, 0)
end

--- `pass_on(event, data)` is called with what is done, unless another system brought it.
function hub.open(the_ns, pass_on)
  ns, forward = the_ns, pass_on
  local limits = { count = option.count("audit.count", 100000), age = option.days("audit.days", 90) }
  hub.audit, hub.positions = audit.open(ns, "events", limits), audit.open(ns, "positions", limits)
end

return hub
