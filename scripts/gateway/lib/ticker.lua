-- Looks after what waits for its time, while there is any: no timer runs when there is nothing to
-- do.
local ticker = {}

local STEP = 0.05

--- A function that makes sure of it: calls `tick()` every 50 ms as long as `any()` says that
--- something waits. Call it whenever something begins to wait, and once when the scripts are
--- loaded.
function ticker.new(any, tick)
  local running = false
  return function()
    if running or not any() then return end
    running = true
    spawn(function()
      while any() do
        sleep(STEP)
        tick()
      end
      running = false
    end)
  end
end

return ticker
