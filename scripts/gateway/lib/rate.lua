-- How often a user may do what, by the minute. Plain data in state.rates, which begins anew with
-- each minute.
local option = require "shared.option"

local rate = {}

local LIMITS = {
  requests = option.count("limits.requests_per_minute", 60),
  messages = option.count("limits.messages_per_minute", 300),
  events = option.count("limits.events_per_minute", 1200),  -- of all kinds
}

--- Raises `rate_limited` for more of `kind` than a user has a minute.
function rate.refuse_over(state, kind, user_id)
  local minute = math.floor(now() / 60)
  if not state.rates or state.rates.minute ~= minute then state.rates = { minute = minute } end
  local counts = state.rates[kind] or {}
  state.rates[kind] = counts
  counts[user_id] = (counts[user_id] or 0) + 1
  if counts[user_id] > LIMITS[kind] then
    fail("rate_limited", string.format("at most %d %s a minute", LIMITS[kind], kind),
         { limit = LIMITS[kind], retryAfterSeconds = math.ceil((minute + 1) * 60 - now()) })
  end
end

return rate
