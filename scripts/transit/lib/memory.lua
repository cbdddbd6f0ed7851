-- A map that holds so many entries and then forgets the oldest. Plain data, so it can live in
-- ns.state: {entries = {key -> entry}, ring = {key…}, next = place of the oldest}.
local memory = {}

function memory.new() return { entries = {}, ring = {}, next = 1 } end

function memory.get(self, key) return self.entries[key] end

--- Remembers `entry` (a table of the caller's) as the newest.
function memory.put(self, key, entry, limit)
  if #self.ring > limit then  -- the setting was lowered
    self.entries, self.ring, self.next = {}, {}, 1
  end
  local place = #self.ring < limit and #self.ring + 1 or self.next
  local oldest = self.ring[place]
  -- The key may have been remembered again since, in another place.
  if oldest and self.entries[oldest] and self.entries[oldest].place == place then
    self.entries[oldest] = nil
  end
  if oldest then self.next = self.next % limit + 1 end
  entry.place = place
  self.ring[place] = key
  self.entries[key] = entry
end

function memory.forget(self, key) self.entries[key] = nil end

return memory
