---@meta geo

---@class moonwire.geo
local geo = {}

---A grid of points.
---@class moonwire.GeoIndex
local index = {}

---Adds or moves a point.
---@param id string
---@param lat number
---@param lng number
---@param reach? number found from at most so many metres; default: from anywhere
function index:set(id, lat, lng, reach) end

---@param id string
---@return boolean removed
function index:remove(id) end

---@return integer
function index:count() end

---The nearest first.
---@param lat number
---@param lng number
---@param radius number metres
---@param limit? integer default 1000
---@return string[] ids
---@return number[] metres
function index:near(lat, lng, radius, limit) end

---Metres (haversine).
---@param lat1 number
---@param lng1 number
---@param lat2 number
---@param lng2 number
---@return number
function geo.distance(lat1, lng1, lat2, lng2) end

---@param cell number metres
---@return moonwire.GeoIndex
function geo.index(cell) end

return geo
