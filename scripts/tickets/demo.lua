-- An office to look at: visitors take tickets, clerks call and serve them, so that public/ shows
-- something at once. Loaded by `moonwire run --demo` only. It does what people do.
local ns = namespace "/tickets"

local forecast = require "lib.forecast"
local office = require("lib.office").open(ns)

local TICK_SECONDS = 1
local CROWD = 18          -- people who wait, at most
local VISITORS = 0.7      -- the chance that one comes in a tick
local PAUSE_SECONDS = 2   -- between two tickets of a clerk
local SERVICES = {        -- seconds that serving takes, more or less: a time-lapse
  { name = "Finance", takes = 10 }, { name = "Passports", takes = 16 },
  { name = "Registry", takes = 7 },
}
local COUNTERS = {
  { id = "counter-1", name = "Counter 1" }, { id = "counter-2", name = "Counter 2" },
  { id = "counter-3", name = "Counter 3", services = { "Passports" } },
  { id = "counter-4", name = "Counter 4", services = { "Finance", "Registry" } },
}

local takes = {}
for _, service in ipairs(SERVICES) do takes[service.name] = service.takes end

--- What somebody at the page did meanwhile may be in the way.
local function try(fn, ...)
  local ok, problem = pcall(fn, office, ...)
  if not ok and (type(problem) ~= "table" or not problem.code) then error(problem, 0) end
end

--- From half of it to one and a half times it, by the ticket, so that it outlives a restart.
local function seconds_of(ticket)
  return (takes[ticket.serviceType] or 10) * (0.5 + ticket.number * 7 % 11 / 10)
end

local function visitor_comes(records)
  local waiting = 0
  for _, ticket in pairs(records.tickets) do
    if ticket.status == "waiting" then waiting = waiting + 1 end
  end
  if waiting >= CROWD or math.random() > VISITORS then return end
  local service = SERVICES[math.random(#SERVICES)].name
  try(office.take, { serviceType = service, userId = "visitor-" .. math.random(999) })
end

--- Each clerk completes what has taken long enough, and calls whom the advice says.
local function clerks_work(records)
  local advice = forecast.advice(records)
  for _, each in ipairs(COUNTERS) do
    local counter, following = records.counters[each.id], advice[each.id]
    local ticket = records.tickets[counter.ticketId]
    if ticket and now() - ticket.servedAt > seconds_of(ticket) then
      try(office.complete, ticket.ticketId)
      ns.state.rest[each.id] = now() + PAUSE_SECONDS
    elseif following and now() > (ns.state.rest[each.id] or 0) then
      try(office.serve, following.ticketId, each.id)
    end
  end
end

spawn(function()
  ns.state.rest = ns.state.rest or {}
  for _, each in ipairs(COUNTERS) do
    if not office.ledger:records().counters[each.id] then
      try(office.set_counter, each.id,
          { status = "open", name = each.name, services = each.services })
    end
  end
  while true do
    visitor_comes(office.ledger:records())
    clerks_work(office.ledger:records())
    sleep(TICK_SECONDS)
  end
end)
