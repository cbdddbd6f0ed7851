local ns = namespace "/private"
require "lib.echo"(ns)
ns:use(function(socket)
  local token = socket.handshake.auth.token
  if token == nil then fail("unauthorized", "no token") end
  if token == "slow" then sleep(0.05) end
  if token == "bad" then fail("forbidden", "wrong token", { hint = "try another" }) end
end)
