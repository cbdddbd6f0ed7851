-- What every server of the benchmark does: see ../README.md.
local ns = namespace "/"
local geo = require "geo"

ns:on("join", function(socket, room)
  socket:join(room)
  return true
end)

ns:on("pub", function(socket, room, payload)
  socket:to(room):emit("msg", payload)
end)

ns:relay("relay", { to = "{room}", as = "msg" })

ns:on("echo", function(_, payload) return payload end)

ns:on("rebuild", function(_, v)
  return {
    id = v.id, seq = v.seq + 1, time = v.time, lat = v.lat, lng = v.lng, speed = v.speed,
    heading = v.heading, driver = v.driver, status = v.status, passengers = v.passengers,
  }
end)

-- Commuters by direction: an index of where they are. What reloads keep does not matter here.
local waiting, index = {}, { inbound = geo.index(500), outbound = geo.index(500) }

ns:on("spawn", function(_, commuters)
  for _, commuter in ipairs(commuters) do
    waiting[commuter.id] = commuter
    index[commuter.direction]:set(commuter.id, commuter.lat, commuter.lng, commuter.max_walk)
  end
  return true
end)

ns:on("query", function(_, query)
  local ids, metres = index[query.direction]:near(query.lat, query.lng, query.radius, query.seats)
  local found = json.array {}
  for i, id in ipairs(ids) do
    local commuter = waiting[id]
    found[i] = { id = id, lat = commuter.lat, lng = commuter.lng, distance = metres[i] }
  end
  return found
end)
