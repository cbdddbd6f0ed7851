-- The bridge to another Socket.IO server: what happens here goes there, what happens there comes
-- here, each once. It can be away as long as it likes: events wait in the connection's queue, in
-- order.
local map = require "lib.bridge_map"
local duplicates = require "lib.duplicates"

local bridge = {}
bridge.__index = bridge

local IDS = 20000
local ECHO_SECONDS, ECHOES = 60, 20000  -- for which what was sent is known when it comes back

local ACTOR = { id = "upstream", source = "bridge", upstream = true,
                roles = { "dispatcher", "crew", "admin" } }

--- A text that is the same for the same values, in whatever order.
local function canonical(value)
  if type(value) ~= "table" then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    if value[key] ~= null then
      parts[#parts + 1] = tostring(key) .. "=" .. canonical(value[key])
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- What an event says, and what it is about.
local function print_of(event, data)
  local row, fields, subject = map[event], {}, {}
  for _, field in ipairs(row.same) do fields[field] = data[field] end
  local print = event .. canonical(fields)
  if not row.about then return print, print end
  for _, field in ipairs(row.about) do subject[field] = data[field] end
  return print, event .. canonical(subject)
end

--- Over a connection of the plugin `upstream`, or none: then it is disabled. `perform(event, actor,
--- data, form)` does here what happened there.
function bridge.new(link, perform)
  local self = setmetatable({
    link = link, perform = perform, ids = duplicates.new(), echoes = {}, echo_count = 0,
    figures = { forwarded = 0, failed = 0, received = 0, duplicates = 0, echoes = 0, refused = 0 },
  }, bridge)
  if not link then return self end
  for event, row in pairs(map) do
    if row.from then
      link:on(row.from, function(data) return self:take(event, data) end)
    end
  end
  link:on_status(function(status, detail)
    log.info("the bridge", { status = status, detail = detail and tostring(detail) or nil })
  end)
  return self
end

function bridge:count(what) self.figures[what] = self.figures[what] + 1 end

--- Forgets what was sent so long ago that it won't come back.
function bridge:forget_echoes()
  local before = now() - ECHO_SECONDS
  for subject, prints in pairs(self.echoes) do
    for print, at in pairs(prints) do
      if at < before then
        prints[print], self.echo_count = nil, self.echo_count - 1
      end
    end
    if not next(prints) then self.echoes[subject] = nil end
  end
end

function bridge:remember(event, data)
  local row = map[event]
  if not row.from or not row.same then return end
  if self.echo_count >= ECHOES then self:forget_echoes() end
  if self.echo_count >= ECHOES then self.echoes, self.echo_count = {}, 0 end
  local print, subject = print_of(event, data)
  local prints = self.echoes[subject] or {}
  self.echoes[subject] = prints
  if not prints[print] then self.echo_count = self.echo_count + 1 end
  prints[print] = now()
end

--- Whether it is our own that comes back. What is not makes those that it replaces, if they still
--- come back, news again: the other system has them in that order.
function bridge:is_echo(event, data)
  local print, subject = print_of(event, data)
  local prints = self.echoes[subject]
  if not prints then return false end
  local at = prints[print]
  if at then
    prints[print], self.echo_count = nil, self.echo_count - 1
    if at >= now() - ECHO_SECONDS then return true end
  end
  for _ in pairs(prints) do self.echo_count = self.echo_count - 1 end
  self.echoes[subject] = nil
  return false
end

--- Sends what has happened here. Never waits; what the connection's full queue refuses is counted.
function bridge:forward(event, data)
  local row = map[event]
  if not self.link or not row or not row.to then return end
  if data.id then duplicates.note(self.ids, event .. data.id, IDS) end
  self:remember(event, data)
  local ok, why = self.link:emit(row.to, data)
  if ok then self:count("forwarded") return end
  self:count("failed")
  if self.figures.failed % 1000 == 1 then
    log.warn("the bridge drops events", { reason = why, failed = self.figures.failed })
  end
end

--- Does what has happened there, unless it came before or is our own. What does not hold is logged:
--- there is nobody to tell.
function bridge:take(event, data)
  self:count("received")
  if type(data) ~= "table" then data = {} end
  local id = type(data.id) == "string" and event .. data.id
  local is_known, is_echo = id and duplicates.is_known(self.ids, id), self:is_echo(event, data)
  if is_known or is_echo then
    self:count(is_known and "duplicates" or "echoes")
    return { success = true, duplicate = true }
  end
  if id then duplicates.note(self.ids, id, IDS) end
  local ok, problem = pcall(self.perform, event, ACTOR, data, "socket")
  if ok then return { success = true } end
  if type(problem) ~= "table" or not problem.code then error(problem, 0) end
  if id then duplicates.forget(self.ids, id) end
  self:count("refused")
  log.warn("the other system's event is refused", {
    event = event, code = problem.code, reason = problem.message,
  })
  return { error = { code = problem.code, message = problem.message } }
end

--- What health says of it: of the connection, and what went over it.
function bridge:status()
  if not self.link then return { state = "disabled", connected = false, failed_emissions = 0 } end
  local status = self.link:status()
  for name, value in pairs(self.figures) do status[name .. "_events"] = value end
  -- What was refused by the full queue, and what the connection dropped or failed to send.
  status.failed_emissions = (status.dropped or 0) + (status.failed or 0)
  return status
end

return bridge
