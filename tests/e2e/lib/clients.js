"use strict";
// The official JavaScript client, and a place to close all that a test opened.

const { io } = require("socket.io-client");
const { until, within } = require("./wait");

/// The three ways a client reaches a server.
const MODES = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

class Clients {
  constructor() {
    this.all = [];
  }

  /// A client on a connection of its own, not necessarily connected yet.
  make(broker, nsp = "/", options = {}) {
    const socket = io(broker.url + nsp, {
      forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 50, ...options,
    });
    this.all.push(socket);
    return socket;
  }

  /// A connected client; one that may upgrade has done so.
  async open(broker, nsp = "/", options = {}) {
    const socket = this.make(broker, nsp, options);
    await connected(socket);
    return socket;
  }

  closeAll() {
    for (const socket of this.all.splice(0)) socket.disconnect();
  }
}

async function connected(socket) {
  if (!socket.connected) {
    await within(new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
    }), "connect");
  }
  const last = socket.io.opts.transports ? socket.io.opts.transports.slice(-1)[0] : "websocket";
  await until(() => socket.io.engine.transport.name === last, `transport ${last}`);
}

module.exports = { Clients, MODES, connected };
