-- The bridge to another Socket.IO server: what happens here goes there, what happens there comes here,
-- each once. It can be away as long as it likes: events wait in the connection's queue, in order.
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

local function print_of(event, data)
  local fields = {}
  for _, field in ipairs(map[event].same or {}) do fields[field] = data[field] end
  return event .. canonical(fields)
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
  for print, at in pairs(self.echoes) do
    if at < before then
      self.echoes[print], self.echo_count = nil, self.echo_count - 1
    end
  end
end

function bridge:remember(event, data)
  local row = map[event]
  if not row.from or not row.same then return end
  if self.echo_count >= ECHOES then self:forget_echoes() end
  if self.echo_count >= ECHOES then self.echoes, self.echo_count = {}, 0 end
  local print = print_of(event, data)
  if not self.echoes[print] then self.echo_count = self.echo_count + 1 end
  self.echoes[print] = now()
end

function bridge:is_echo(event, data)
  local print = print_of(event, data)
  local at = self.echoes[print]
  if not at then return false end
  self.echoes[print], self.echo_count = nil, self.echo_count - 1
  return at >= now() - ECHO_SECONDS
end

--- Sends what has happened here. Never waits; what the connection's full queue refuses is counted.
function bridge:forward(event, data)
  local row = map[event]
  if not self.link or not row or not row.to then return end
  if data.id then duplicates.is_known(self.ids, event .. data.id, IDS) end
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
  local id = data.id
  if type(id) == "string" and duplicates.is_known(self.ids, event .. id, IDS) then
    self:count("duplicates")
    return
  end
  if self:is_echo(event, data) then
    self:count("echoes")
    return
  end
  local ok, problem = pcall(self.perform, event, ACTOR, data, "socket")
  if ok then return { success = true } end
  if type(problem) ~= "table" or not problem.code then error(problem, 0) end
  if id then duplicates.forget(self.ids, event .. tostring(id)) end
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
