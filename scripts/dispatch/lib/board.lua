-- What is known: units, incidents and assignments. The store has it, and state.board is the same in
-- memory: {units, incidents, assignments} by id, `counts` of them, crews[incident][unit] =
-- assignment, and tasks[unit][incident] = assignment. Records are replaced, never changed in place.
local schema = require "schema"
local option = require "shared.option"

local board = {}

local LIMITS = {
  units = option.count("board.units", 5000),
  incidents = option.count("board.incidents", 20000),
  assignments = option.count("board.assignments", 40000),
}
local KEEP_SECONDS = option.amount("board.keep_hours", 72) * 3600
local UNIT_KEEP_SECONDS = option.amount("board.unit_keep_hours", 720) * 3600
local CLOSING = {}
for _, status in ipairs(option.of("board.closing", schema.array(schema.string()),
                                  { "completed", "cancelled", "closed" })) do
  CLOSING[status:lower()] = true
end
local PAGE = 500

local ns

local function copy(value)
  if type(value) ~= "table" then return value end
  local other = {}
  for key, each in pairs(value) do other[key] = copy(each) end
  return other
end

local function put(index, outer, inner, value)
  local of = index[outer] or {}
  of[inner] = value
  index[outer] = next(of) and of or nil
end

--- Notes in the indices that an assignment is there; or, with false, that it is not.
local function index_assignment(known, assignment, is_there)
  local unit, incident = assignment.unitId, assignment.incidentId
  local id = is_there and assignment.assignmentId or nil
  put(known.crews, incident, unit, id)
  put(known.tasks, unit, incident, id)
end

local function read_all()
  local known = { units = {}, incidents = {}, assignments = {}, counts = {}, crews = {},
                  tasks = {} }
  for kind in pairs(LIMITS) do
    local last
    known.counts[kind] = 0
    repeat
      local page, why = ns.store:scan(kind .. ":", { limit = PAGE, after = last })
      if not page then fail("unavailable", why) end
      for _, entry in ipairs(page) do
        known[kind][entry.key:sub(#kind + 2)] = entry.value
        known.counts[kind] = known.counts[kind] + 1
        last = entry.key
      end
    until #page < PAGE
  end
  for _, assignment in pairs(known.assignments) do index_assignment(known, assignment, true) end
  return known
end

--- All of it, read from the store when it is first needed. May wait.
local function known()
  if not ns.state.board then
    ns:lock("board", function()
      if not ns.state.board then ns.state.board = read_all() end
    end)
    if not ns.state.board then fail("busy", "the board is being read") end
  end
  return ns.state.board
end

--- Units, incidents or assignments, by id: to look at, not to change.
function board.all(kind) return known()[kind] end
function board.find(kind, id) return known()[kind][id] end
function board.count(kind) return known().counts[kind] end

--- Gives one record its next form: `make(record)` gets a copy, or an empty table, and changes it; a
--- false from it means that nothing is to change. One at a time for each record, and nothing is
--- there before the store has it. `also(store, record)` writes more in the same transaction;
--- `durable = false` waits for less. Returns the record, and what it was before (nil: it is new;
--- false: nothing has changed). Fails with `busy` at a limit, `unavailable` if the store does.
function board.change(kind, id, make, options)
  options = options or {}
  local all = known()
  local record, before = ns:lock(kind .. ":" .. id, function()
    local was = all[kind][id]
    if not was and all.counts[kind] >= LIMITS[kind] then
      fail("busy", string.format("%d %s are known, which is the limit", LIMITS[kind], kind))
    end
    local changed = copy(was) or {}
    if make(changed) == false then return was, false end
    local key = kind .. ":" .. id
    local ok, why
    if options.also then
      ok, why = ns.store:transaction(function(store)
        options.also(store, changed)
        return store:set(key, changed)
      end)
    else
      ok, why = ns.store:set(key, changed, { durable = options.durable })
    end
    if not ok then fail("unavailable", "the store: " .. tostring(why)) end
    if not was then all.counts[kind] = all.counts[kind] + 1 end
    all[kind][id] = changed
    if kind == "assignments" then index_assignment(all, changed, true) end
    return changed, was
  end)
  if record == nil and before == "busy" then
    fail("busy", "too many wait for " .. kind .. " " .. id)
  end
  return record, before
end

--- The assignment of a unit to an incident, if there is one.
function board.assignment_of(unit, incident) return (known().crews[incident] or {})[unit] end

--- The assignments of an incident, by unit.
function board.crews(incident) return copy(known().crews[incident]) or {} end

--- The assignments of a unit, by incident.
function board.tasks(unit) return copy(known().tasks[unit]) or {} end

function board.is_closed(incident)
  local record = known().incidents[incident]
  return record ~= nil and record.closedAt ~= nil
end

function board.is_closing(status) return CLOSING[status:lower()] == true end

local function forget(kind, id)
  local all = known()
  if not ns.store:delete(kind .. ":" .. id) then return end
  local record = all[kind][id]
  if not record then return end
  all[kind][id] = nil
  all.counts[kind] = all.counts[kind] - 1
  if kind == "assignments" then index_assignment(all, record, false) end
end

--- Forgets incidents that were closed long ago, with their assignments, and units of which nobody
--- has heard for long.
function board.sweep()
  local all = known()
  local gone, before = {}, iso_time(now() - KEEP_SECONDS)
  for id, incident in pairs(all.incidents) do
    if incident.closedAt and incident.closedAt < before then
      gone[#gone + 1] = { "incidents", id }
    end
  end
  for id, assignment in pairs(all.assignments) do
    local incident = all.incidents[assignment.incidentId]
    if not incident or (incident.closedAt and incident.closedAt < before) then
      gone[#gone + 1] = { "assignments", id }
    end
  end
  local unheard = iso_time(now() - UNIT_KEEP_SECONDS)
  for id, unit in pairs(all.units) do
    if unit.updatedAt < unheard then gone[#gone + 1] = { "units", id } end
  end
  for _, each in ipairs(gone) do forget(each[1], each[2]) end
end

function board.open(the_ns)
  ns = the_ns
  every(60, board.sweep)
end

return board
