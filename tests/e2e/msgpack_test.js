"use strict";
// A server that speaks msgpack, and clients that do: socket.io-client with socket.io-msgpack-parser.

const assert = require("node:assert");
const { describe, it, before, after, afterEach } = require("node:test");
const parser = require("socket.io-msgpack-parser");
const { Broker } = require("./lib/broker");
const { Clients, MODES, connected } = require("./lib/clients");
const { event, until } = require("./lib/wait");

for (const [mode, how] of Object.entries(MODES)) {
  describe(`socket.io-msgpack-parser over ${mode}`, () => {
    let broker;
    const clients = new Clients();
    const open = (nsp, options) => clients.open(broker, nsp, { ...how, parser, ...options });
    before(async () => {
      broker = await Broker.start({ settings: { "engine.parser": "msgpack", "recovery.enabled": true } });
    });
    after(() => broker.stop());
    afterEach(() => clients.closeAll());

    it("connects with auth, to namespaces too", async () => {
      const socket = await open("/", { auth: { token: "t", n: [1, null] } });
      const who = await socket.emitWithAck("who");
      assert.deepStrictEqual(who.auth, { token: "t", n: [1, null] });
      const tenant = await open("/tenant/a");
      assert.strictEqual((await tenant.emitWithAck("who")).nsp, "/tenant/a");
      const refused = clients.make(broker, "/private", { ...how, parser });
      const [error] = await event(refused, "connect_error");
      assert.strictEqual(error.message, "no token");
    });

    it("exchanges payloads of every kind, binary in their place", async () => {
      const socket = await open();
      const values = [
        0, -1, 1.5, 2 ** 40, "ü€😀", true, null, [], {}, { a: { b: [1, null, "x".repeat(300)] } },
        Buffer.from([0, 1, 255]), { deep: [Buffer.from("x".repeat(70000))] },
      ];
      const reply = await new Promise((resolve) => {
        socket.emit("message-with-ack", ...values, (...back) => resolve(back));
      });
      assert.deepStrictEqual(reply, values);
    });

    it("takes a date for its text and undefined for null", async () => {
      const socket = await open();
      const date = new Date("2026-11-21T10:00:00.123Z");
      assert.deepStrictEqual(
        await new Promise((resolve) => socket.emit("message-with-ack", date, undefined, 1, (...a) => resolve(a))),
        [date.toISOString(), null, 1]);
    });

    it("recovers a connection", async () => {
      const socket = await open();
      const gone = event(socket, "disconnect");
      socket.io.engine.close();
      await gone;
      await connected(socket);
      await until(() => socket.recovered, "the recovery");
    });
  });
}

it("a client that speaks JSON to a msgpack server is closed, and told in the log", async () => {
  const broker = await Broker.start({ settings: { "engine.parser": "msgpack" } });
  const clients = new Clients();
  const socket = clients.make(broker, "/", { ...MODES.websocket, reconnection: false });
  await event(socket.io, "close");
  await until(() => /text where a msgpack packet was due/.test(broker.stderr), "the log line");
  clients.closeAll();
  await broker.stop();
});
