local ns = namespace "/"
require "lib.echo"(ns)
ns:on_connect(function(socket) socket:emit("auth", socket.handshake.auth) end)
