-- Assignments: sent to their unit's room until the unit confirms, by acknowledging or by the event
-- assignment:received; a dispatcher may for it, on the radio. What is not confirmed stays on the
-- board.
local board = require "lib.board"
local machine = require "shared.machine"
local option = require "shared.option"

local assignments = {}

local RESEND_SECONDS = option.amount("assignments.resend_seconds", 15)
local SENDS = option.count("assignments.sends", 20)
local LIMIT = option.count("assignments.limit", 10000)

-- unconfirmed: sent so often without an answer that it is left to the dispatcher.
local STATES = machine.new("assignment", {
  pending = { "confirmed", "unconfirmed", "closed" },
  unconfirmed = { "confirmed", "closed" },
  confirmed = { "closed" },
  closed = {},
})

local ns
local busy = {}  -- by id: that it is being sent

local function is_open(assignment)
  return assignment.state == "pending" or assignment.state == "unconfirmed"
end

--- What is not confirmed yet: a set of ids that is made of the board when it is first needed.
local function open_ones()
  local state = ns.state
  if not state.open_assignments then
    local open = {}
    for id, assignment in pairs(board.all("assignments")) do
      if is_open(assignment) then open[id] = true end
    end
    state.open_assignments = open
  end
  return state.open_assignments
end

--- Tells the staff, and the unit, how an assignment is.
local function tell(assignment)
  open_ones()[assignment.assignmentId] = is_open(assignment) or nil
  ns:to { "staff", "unit:" .. assignment.unitId }:emit("assignment:updated", assignment)
end

local function count(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

--- {pending, unconfirmed}
function assignments.figures()
  local figures = { pending = 0, unconfirmed = 0 }
  for id in pairs(open_ones()) do
    local assignment = board.find("assignments", id)
    if assignment and figures[assignment.state] then
      figures[assignment.state] = figures[assignment.state] + 1
    end
  end
  return figures
end

local function move(id, state, fields)
  local assignment, before = board.change("assignments", id, function(record)
    if not record.assignmentId then fail("not_found", "no assignment " .. id) end
    if record.state == state then return false end
    record.state = STATES:move(record.state, state, id)
    for name, value in pairs(fields) do record[name] = value end
  end)
  if before ~= false then tell(assignment) end
  return assignment, before == false
end

--- The unit has it. Returns the assignment, and whether it was confirmed already.
function assignments.confirm(id, by)
  return move(id, "confirmed", { confirmedAt = iso_time(), confirmedBy = by })
end

--- Nobody needs to go there any more.
function assignments.close_all(incident)
  for unit, id in pairs(board.crews(incident)) do
    move(id, "closed", { closedAt = iso_time() })
    ns:to("unit:" .. unit):leave("incident:" .. incident)
  end
end

--- What a device says to the question whether it has it.
local function is_yes(answer, why)
  if answer == nil then return why == nil end
  if type(answer) == "table" then return answer.confirmed ~= false end
  return answer ~= false
end

--- Sends it to these devices of its unit; the first that confirms counts.
local function send_to(devices, assignment)
  for _, device in ipairs(devices) do
    spawn(function()
      local answer, why = device:timeout(math.max(1, RESEND_SECONDS))
        :call("assignment:received", assignment)
      if not is_yes(answer, why) then return end
      local latest = board.find("assignments", assignment.assignmentId)
      if latest and is_open(latest) then
        assignments.confirm(assignment.assignmentId, (device.data.actor or {}).id or device.id)
      end
    end)
  end
end

--- Sends it once more, or gives up. While no device of the unit is there, this counts for nothing.
local function send(id)
  local devices = ns:to("unit:" .. board.find("assignments", id).unitId):fetch()
  local reachable = #devices > 0
  local assignment, before = board.change("assignments", id, function(record)
    if record.state ~= "pending" then return false end
    if not reachable then
      if record.reachable == false then return false end
      record.reachable = false
    elseif record.sends >= SENDS then
      record.state = STATES:move(record.state, "unconfirmed", id)
    else
      record.reachable, record.sends, record.lastSentAt = true, record.sends + 1, iso_time()
    end
  end, { durable = false })
  if before == false then return end
  tell(assignment)
  if assignment.state == "unconfirmed" then
    log.warn("an assignment is not confirmed", { assignment = id, unit = assignment.unitId })
  elseif reachable then
    send_to(devices, assignment)
  end
end

local function send_now(id)
  if busy[id] then return end
  busy[id] = true
  local ok, problem = pcall(send, id)
  busy[id] = nil
  if not ok then error(problem, 0) end
end

local function refuse_id(id)
  fail("conflict", "assignment " .. id .. " is of another unit or incident",
       { field = "assignmentId" })
end

--- Makes one and sends it; one that is there already (the same id, or the same unit and incident)
--- is left as it is. Returns it, and whether it was there. `confirmed`: another system says so.
function assignments.make(wanted, by, confirmed)
  local unit, incident = wanted.unitId, wanted.incident.incidentId
  local assignment, was_there = ns:lock("assign:" .. unit .. ":" .. incident, function()
    local id = wanted.assignmentId or board.assignment_of(unit, incident)
    local found = id and board.find("assignments", id)
    if found then
      if found.unitId == unit and found.incidentId == incident then return found, true end
      refuse_id(id)
    end
    local other = board.assignment_of(unit, incident)
    if other then return board.find("assignments", other), true end
    if count(open_ones()) >= LIMIT then
      fail("busy", string.format("%d assignments wait to be confirmed, which is the limit", LIMIT))
    end
    id = id or uuid()
    return board.change("assignments", id, function(record)
      -- Of another unit, made while this one waited.
      if record.assignmentId then refuse_id(id) end
      record.assignmentId, record.unitId, record.incidentId = id, unit, incident
      record.incident, record.state = wanted.incident, confirmed and "confirmed" or "pending"
      record.sentAt, record.sentBy, record.sends = iso_time(), by, 0
      if confirmed then record.confirmedAt, record.confirmedBy = iso_time(), by end
    end), false
  end)
  if not assignment then fail("busy", "too many assignments of " .. unit .. " at once") end
  if not was_there then
    ns:to("unit:" .. unit):join("incident:" .. incident)
    tell(assignment)
    -- The incident was closed while this one was made.
    if board.is_closed(incident) then
      assignments.close_all(incident)
      assignment = board.find("assignments", assignment.assignmentId)
    elseif not confirmed then spawn(function() send_now(assignment.assignmentId) end) end
  end
  return assignment, was_there
end

--- A device of a unit is there: it joins the rooms of its incidents and is sent what waits for it.
function assignments.welcome(socket, unit)
  for incident, id in pairs(board.tasks(unit)) do
    local assignment = board.find("assignments", id)
    if assignment.state ~= "closed" then socket:join("incident:" .. incident) end
    if assignment.state == "pending" and assignment.reachable == false then
      spawn(function() send_now(id) end)
    elseif is_open(assignment) then
      send_to({ socket }, assignment)
    end
  end
end

--- A device is no longer of a unit: it hears of its incidents only as another unit's.
function assignments.dismiss(socket, unit)
  local units = {}
  for _, room in ipairs(socket.rooms) do units[#units + 1] = room:match("^unit:(.*)$") end
  for incident in pairs(board.tasks(unit)) do
    local crews, is_there = board.crews(incident), false
    for _, other in ipairs(units) do is_there = is_there or crews[other] ~= nil end
    if not is_there then socket:leave("incident:" .. incident) end
  end
end

--- Sends again what is due.
local function resend()
  local due, ids = iso_time(now() - RESEND_SECONDS), {}
  for id in pairs(open_ones()) do ids[#ids + 1] = id end
  for _, id in ipairs(ids) do
    local assignment = board.find("assignments", id)
    if not assignment or not is_open(assignment) then
      open_ones()[id] = nil
    elseif assignment.state == "pending" and (assignment.lastSentAt or "") <= due then
      send_now(id)
    end
  end
end

--- Closes what the process left open when it ended between an incident's end and theirs.
local function close_late()
  local late = {}
  for id, assignment in pairs(board.all("assignments")) do
    if assignment.state ~= "closed" and board.is_closed(assignment.incidentId) then
      late[assignment.incidentId] = true
    end
  end
  for incident in pairs(late) do assignments.close_all(incident) end
end

function assignments.open(the_ns)
  ns = the_ns
  every(1, resend)
  after(0, close_late)
end

return assignments
