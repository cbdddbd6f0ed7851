"use strict";
// permessage-deflate with the real clients: what is negotiated, what it saves, what it must not cost.

const assert = require("node:assert");
const { describe, it, before, after, afterEach } = require("node:test");
const zlib = require("node:zlib");
const { chromium } = require("playwright-core");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { Tcp, Ws } = require("./lib/engine");
const { event, until } = require("./lib/wait");

const SCRIPT = `local ns = namespace "/"
ns:on_connect(function(socket) socket:join("all") end)
ns:on("echo", function(_, value) return value end)
ns:on("tell", function(socket, value) ns:to("all"):emit("told", value) end)
ns:on("mixed", function(socket, value)
  socket:emit("first", value)
  socket:compress(false):emit("second", value)
  ns:to("all"):compress(false):emit("third", value)
end)
`;
const LARGE = JSON.stringify(Array.from({ length: 2000 }, (_, i) => ({ id: i, name: "moonwire" })));
const EXTENSION = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const BUNDLE = require.resolve("socket.io-client/dist/socket.io.js");

/// What a client's WebSocket has received, in bytes on the wire.
const received = (socket) => socket.io.engine.transport.ws._socket.bytesRead;

describe("compression", () => {
  let broker;
  const clients = new Clients();
  const compressing = { transports: ["websocket"], perMessageDeflate: { threshold: 0 } };
  const plain = { transports: ["websocket"], perMessageDeflate: false };

  before(async () => {
    broker = await Broker.start({
      scripts: { "main.lua": SCRIPT }, settings: { "engine.deflate": true },
    });
  });
  afterEach(() => clients.closeAll());
  after(() => broker.stop());

  it("is agreed upon with the official client and used in both directions", async () => {
    const socket = await clients.open(broker, "/", compressing);
    assert.strictEqual(socket.io.engine.transport.ws.extensions, "permessage-deflate");
    const before = { there: (await broker.stats()).traffic.bytes_in, here: received(socket) };
    assert.strictEqual(await socket.emitWithAck("echo", LARGE), LARGE);
    const there = (await broker.stats()).traffic.bytes_in - before.there;
    assert.ok(there < LARGE.length / 4, `${there} bytes to the broker`);
    const here = received(socket) - before.here;
    assert.ok(here < LARGE.length / 4, `${here} bytes to the client`);
    const bytes = Buffer.alloc(100_000, "moonwire");
    assert.ok(bytes.equals(await socket.emitWithAck("echo", bytes)));
    for (let i = 0; i < 20; ++i) assert.strictEqual(await socket.emitWithAck("echo", i), i);
  });

  it("stays after an upgrade", async () => {
    const socket = await clients.open(broker, "/", { perMessageDeflate: { threshold: 0 } });
    assert.strictEqual(socket.io.engine.transport.ws.extensions, "permessage-deflate");
    assert.strictEqual(await socket.emitWithAck("echo", LARGE), LARGE);
  });

  it("gives each receiver of a broadcast what it agreed to", async () => {
    const sockets = [];
    for (const how of [compressing, plain, compressing, plain, { transports: ["polling"] }]) {
      sockets.push(await clients.open(broker, "/", how));
    }
    const before = sockets.slice(0, 4).map(received);
    const told = sockets.map((socket) => event(socket, "told"));
    sockets[4].emit("tell", LARGE);
    for (const [value] of await Promise.all(told)) assert.strictEqual(value, LARGE);
    const cost = sockets.slice(0, 4).map((socket, i) => received(socket) - before[i]);
    for (const i of [0, 2]) assert.ok(cost[i] < LARGE.length / 4, `${cost}`);
    for (const i of [1, 3]) assert.ok(cost[i] > LARGE.length, `${cost}`);
  });

  it("is left out where the script says so", async () => {
    const socket = await clients.open(broker, "/", compressing);
    const before = received(socket);
    const events = ["first", "second", "third"].map((name) => event(socket, name));
    socket.emit("mixed", LARGE);
    for (const [value] of await Promise.all(events)) assert.strictEqual(value, LARGE);
    const cost = received(socket) - before;
    assert.ok(cost > 2 * LARGE.length && cost < 2.5 * LARGE.length, `${cost}`);
  });

  it("is agreed upon with Chromium", async () => {
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium", chromiumSandbox: false,
      args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update"],
    });
    try {
      const page = await browser.newPage();
      await page.goto(`${broker.url}/healthz`);
      await page.addScriptTag({ path: BUNDLE });
      const seen = await page.evaluate(async ([text]) => {
        const socket = io({ transports: ["websocket"] });
        const echoed = await socket.emitWithAck("echo", text);
        const { extensions } = socket.io.engine.transport.ws;
        socket.disconnect();
        return { extensions, same: echoed === text };
      }, [LARGE]);
      assert.deepStrictEqual(seen, { extensions: EXTENSION, same: true });
    } finally {
      await browser.close();
    }
  });

  it("closes with 1009 what inflates beyond the limit, and serves the others meanwhile", async () => {
    const other = await clients.open(broker, "/", compressing);
    const bomb = await Ws.client(broker, "", "", { perMessageDeflate: { threshold: 0 } });
    const before = (await broker.stats()).traffic.bytes_in;
    bomb.send(`42["echo","${"0".repeat(50_000_000)}"]`);
    const end = bomb.end();
    assert.strictEqual(await other.emitWithAck("echo", 1), 1);
    assert.strictEqual((await end).code, 1009);
    assert.ok((await broker.stats()).traffic.bytes_in - before < 1_000_000);
    assert.strictEqual(await other.emitWithAck("echo", 2), 2);
  });

  it("ends a connection whose compressed data is none", async () => {
    const peer = await Tcp.open(broker);
    peer.send("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    await until(() => /pingInterval/.test(peer.data), "the handshake");
    assert.match(peer.data, new RegExp(`Sec-WebSocket-Extensions: ${EXTENSION}\r\n`));
    peer.send(Buffer.concat([
      Buffer.from([0xc1, 0x80 | 20, 0, 0, 0, 0]), Buffer.alloc(20, 0xff),
    ]));
    await peer.end();
  });

  it("takes a message whose compressed bytes come one at a time", async () => {
    const peer = await Tcp.open(broker);
    peer.socket.setNoDelay();
    peer.send("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    await until(() => /pingInterval/.test(peer.data), "the handshake");
    for (const message of ["40", '421["echo","slowly"]']) {
      const data = zlib.deflateRawSync(message, { finishFlush: zlib.constants.Z_SYNC_FLUSH })
        .subarray(0, -4);
      const frame = Buffer.concat([Buffer.from([0xc1, 0x80 | data.length, 0, 0, 0, 0]), data]);
      for (const byte of frame) {
        await new Promise((sent) => peer.socket.write(Buffer.from([byte]), sent));
      }
      if (message === "40") await until(() => /40\{"sid"/.test(peer.data), "the namespace");
    }
    await until(() => /431\["slowly"\]/.test(peer.data), "the answer");
    peer.socket.destroy();
  });
});

describe("a broker that was not asked to compress", () => {
  it("declines", async () => {
    const clients = new Clients();
    const broker = await Broker.start({ scripts: { "main.lua": SCRIPT } });
    try {
      const socket = await clients.open(broker, "/", {
        transports: ["websocket"], perMessageDeflate: { threshold: 0 },
      });
      assert.strictEqual(socket.io.engine.transport.ws.extensions, "");
      assert.strictEqual(await socket.emitWithAck("echo", LARGE), LARGE);
    } finally {
      clients.closeAll();
      await broker.stop();
    }
  });
});
