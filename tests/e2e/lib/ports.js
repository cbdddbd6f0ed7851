"use strict";

const net = require("node:net");

/// A port that nobody has, for what may have to listen on it again: not of the range that the system gives
/// to outgoing connections (from 32768), one of which could have it by then.
async function freePort() {
  for (;;) {
    const port = 15000 + Math.floor(Math.random() * 17000);
    const probe = net.createServer();
    const free = await new Promise((resolve) => {
      probe.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

module.exports = { freePort };
