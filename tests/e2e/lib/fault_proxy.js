"use strict";
// A TCP proxy that a test puts between a client and a broker, to cut what passes through it, at
// once or at a point of the protocol. It looks at the bytes only as far as it must.

const net = require("node:net");
const { event } = require("./wait");

/// Numbers from 0 to 1, the same ones for the same seed.
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/// A length from 0 to `length` - 1.
function part(length, random) {
  return Math.floor(random() * length);
}

/// All or nothing of it.
function whole(data, random) {
  return random() < 0.5 ? 0 : data.length;
}

/// Where a cut can be. Each is shown what passes, `from` a side of a `link`, and answers how many of
/// the bytes may still pass before the cut, or nothing for "not here".
const POINTS = {
  "right after CONNECT": (link, from, data, random) =>
    (from === "server" && data.includes('40{"sid"') ? whole(data, random) : undefined),

  "between probe and upgrade": (link, from, data, random) =>
    (from === "server" && data.includes("3probe") ? whole(data, random) : undefined),

  // The client's first packet after the answer to its probe is the upgrade.
  "right after the upgrade": (link, from, data) => {
    if (from === "server" && data.includes("3probe")) link.probed = true;
    else if (from === "client" && link.probed) return data.length;
  },

  "inside a frame from the client": (link, from, data, random) =>
    (from === "client" && link.websocket ? part(data.length, random) : undefined),

  "inside a frame from the server": (link, from, data, random) =>
    (from === "server" && link.websocket ? part(data.length, random) : undefined),

  "inside a POST body": (link, from, data, random) => {
    if (from !== "client" || link.websocket) return undefined;
    if (link.posting) return part(data.length, random);
    const body = data.indexOf("\r\n\r\n") + 4;
    if (!data.toString("latin1", 0, 5).startsWith("POST ") || body < 4) return undefined;
    link.posting = body === data.length;
    return link.posting ? undefined : body + part(data.length - body, random);
  },

  "inside a polling response": (link, from, data, random) => {
    const body = data.indexOf("\r\n\r\n") + 4;
    return from === "server" && !link.websocket && body >= 4 && body < data.length
      ? body + part(data.length - body, random) : undefined;
  },

  // What the client sends arrives; what it is answered does not.
  "between an event and its acknowledgement": (link, from, data) => {
    if (from === "client" && (link.websocket || data.includes("42"))) link.asked = true;
    else if (from === "server" && link.asked) return 0;
  },

  "after some bytes": (link, from, data, random) => {
    link.left = (link.left ?? Math.floor(random() * 4000)) - data.length;
    return link.left < 0 ? data.length + link.left : undefined;
  },
};

class FaultProxy {
  /// Passes connections on to `port` of this machine.
  static async start(port) {
    const proxy = new FaultProxy();
    proxy.target = port;
    proxy.open = true;
    proxy.links = new Set();
    proxy.server = net.createServer({ noDelay: true }, (client) => proxy.accept(client));
    proxy.server.listen(0, "127.0.0.1");
    await event(proxy.server, "listening");
    proxy.server.unref();
    proxy.port = proxy.server.address().port;
    return proxy;
  }

  accept(client) {
    client.on("error", () => {});
    if (!this.open) return client.destroy();
    const server = net.connect({ port: this.target, host: "127.0.0.1", noDelay: true });
    const link = { client, server };
    this.links.add(link);
    for (const [from, to] of [["client", "server"], ["server", "client"]]) {
      const [source, sink] = [link[from], link[to]];
      source.on("error", () => {});
      source.on("data", (data) => this.pass(link, from, data));
      source.on("end", () => sink.end());
      source.on("close", () => { this.links.delete(link); sink.destroySoon(); });
      sink.on("drain", () => source.resume());
    }
  }

  pass(link, from, data) {
    if (link.dead) return;
    const sink = from === "client" ? link.server : link.client;
    const passing = this.trap && POINTS[this.trap.point](link, from, data, this.trap.random);
    if (from === "server" && data.includes("HTTP/1.1 101 ")) link.websocket = true;
    if (passing !== undefined) this.spring(link, sink, data.subarray(0, passing));
    else if (!sink.write(data)) (from === "client" ? link.client : link.server).pause();
  }

  /// Lets `last` pass, and cuts the link; every second time all that the client has.
  spring(link, sink, last) {
    const { random, resolve } = this.trap;
    this.trap = undefined;
    const ends = random() < 0.5 ? [link] : [...this.links];
    const harsh = random() < 0.3;
    for (const end of ends) end.dead = true;
    sink.write(last, () => {
      for (const { client, server } of ends) {
        for (const socket of [client, server]) {
          // Node never lets go of a socket that is reset while it shuts down.
          if (harsh && !socket.writableEnded) socket.resetAndDestroy();
          else socket.destroy();
        }
      }
      resolve();
    });
  }

  /// Cuts at the next time that the point is passed; resolves when it has. One at a time.
  arm(point, random) {
    return new Promise((resolve) => { this.trap = { point, random, resolve }; });
  }

  /// Cuts every connection; new ones are let through.
  drop() {
    for (const { client, server } of this.links) {
      client.destroy();
      server.destroy();
    }
  }

  /// Cuts every connection, and every new one until `restore`.
  cut() {
    this.open = false;
    this.drop();
  }

  restore() {
    this.open = true;
  }

  stop() {
    this.cut();
    this.server.close();
  }
}

module.exports = { FaultProxy, randomFrom };
