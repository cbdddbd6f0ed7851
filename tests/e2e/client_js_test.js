"use strict";
// What the official JavaScript client can see of a server, over each way to reach it.

const assert = require("node:assert");
const { describe, it, before, after, afterEach } = require("node:test");
const { Manager } = require("socket.io-client");
const { Broker } = require("./lib/broker");
const { Clients, MODES, connected } = require("./lib/clients");
const { event, until, within } = require("./lib/wait");

for (const [mode, how] of Object.entries(MODES)) {
  describe(`socket.io-client over ${mode}`, () => {
    let broker;
    const clients = new Clients();
    const open = (nsp, options) => clients.open(broker, nsp, { ...how, ...options });
    before(async () => { broker = await Broker.start(); });
    after(() => broker.stop({ expected: /a bug of the test's own/ }));
    afterEach(() => clients.closeAll());

    it("connects, with an id the server knows it by", async () => {
      const socket = await open();
      const who = await socket.emitWithAck("who");
      assert.strictEqual(who.id, socket.id);
      assert.strictEqual(who.nsp, "/");
      assert.strictEqual(who.transport, mode === "polling" ? "polling" : "websocket");
      assert.strictEqual(who.address, "127.0.0.1");
      assert.strictEqual(who.secure, false);
      assert.ok(!socket.recovered);
    });

    it("presents auth, query and extra headers", async () => {
      const socket = await open("/", {
        auth: { token: "t", deep: [1, { a: null }] }, query: { room: "a b&c=ü" },
        extraHeaders: { "X-Token": "secret" },
      });
      const who = await socket.emitWithAck("who");
      assert.deepStrictEqual(who.auth, { token: "t", deep: [1, { a: null }] });
      assert.strictEqual(who.query.room, "a b&c=ü");
      assert.strictEqual(who.query.EIO, "4");
      assert.strictEqual(who.headers["x-token"], "secret");
    });

    it("presents auth that a function computes", async () => {
      const socket = await open("/", { auth: (done) => done({ computed: true }) });
      assert.deepStrictEqual((await socket.emitWithAck("who")).auth, { computed: true });
    });

    it("exchanges payloads of every kind", async () => {
      const socket = await open();
      const values = [
        0, -1, 1.5, 1e21, Number.MAX_SAFE_INTEGER, "", "ü€😀\u0000", true, false, null,
        [], {}, [[], {}], { a: { b: [1, null, "x"] } },
      ];
      assert.deepStrictEqual(await new Promise((resolve) => {
        socket.emit("message-with-ack", ...values, (...reply) => resolve(reply));
      }), values);
      const back = event(socket, "message-back");
      socket.emit("message", ...values);
      assert.deepStrictEqual(await back, values);
    });

    it("exchanges binary, alone and mixed in, in order", async () => {
      const socket = await open();
      const received = [];
      socket.on("message-back", (...args) => received.push(args));
      const sent = [];
      for (let i = 0; i < 50; i++) {
        sent.push(i % 3 === 0 ? [i, Buffer.from([i, 255 - i])]
          : i % 3 === 1 ? [{ i, list: [Buffer.alloc(0), Buffer.from("ü")], text: "t" }] : [i, "plain"]);
      }
      for (const args of sent) socket.emit("message", ...args);
      await until(() => received.length === sent.length, "all echoes");
      assert.deepStrictEqual(received, sent);
    });

    it("exchanges payloads of hundreds of kilobytes", async () => {
      const socket = await open();
      const text = "ü".repeat(200000);
      assert.strictEqual(await socket.emitWithAck("message-with-ack", text), text);
      const bytes = Buffer.alloc(300000, 7);
      assert.deepStrictEqual(await socket.emitWithAck("message-with-ack", bytes), bytes);
      assert.strictEqual((await socket.emitWithAck("big", 3000000)).length, 3000000);
    });

    it("keeps a burst in order both ways", async () => {
      const socket = await open();
      const numbers = [];
      socket.on("number", (n) => numbers.push(n));
      socket.emit("count", 2000);
      await until(() => numbers.length === 2000, "all numbers");
      assert.deepStrictEqual(numbers, Array.from({ length: 2000 }, (_, i) => i + 1));
      // Under the broker's limit of events in flight.
      const replies = await Promise.all(
        Array.from({ length: 500 }, (_, i) => socket.emitWithAck("message-with-ack", i)));
      assert.deepStrictEqual(replies, Array.from({ length: 500 }, (_, i) => i));
    });

    it("waits for acknowledgements, or gives them up", async () => {
      const socket = await open();
      assert.strictEqual(await socket.timeout(10000).emitWithAck("message-with-ack", "a"), "a");
      await assert.rejects(socket.timeout(50).emitWithAck("silent"), /operation has timed out/);
      await assert.rejects(socket.timeout(50).emitWithAck("nobody handles this"), /timed out/);
      assert.strictEqual(await socket.emitWithAck("message-with-ack", "still"), "still");
    });

    it("answers the server's questions, or lets them time out", async () => {
      const socket = await open();
      socket.on("add", (a, b, reply) => reply(a + b, Buffer.from([a, b])));
      socket.on("ignore", () => {});
      assert.deepStrictEqual(
        await socket.emitWithAck("call-me", 10, "add", 1, 2), { replies: [3, Buffer.from([1, 2])] });
      assert.deepStrictEqual(
        await socket.emitWithAck("call-me", 0.05, "ignore"), { error: "timeout" });
    });

    it("broadcasts a question and gathers the answers in time", async () => {
      const [a, b, c] = await Promise.all([open(), open(), open()]);
      for (const each of [a, b, c]) await each.emitWithAck("join", `jury-${mode}`);
      a.on("vote", (reply) => reply("a"));
      b.on("vote", (reply) => reply("b"));
      c.on("vote", (reply) => reply("c"));
      const all = await a.emitWithAck("call-room", `jury-${mode}`, 10, "vote");
      assert.deepStrictEqual(all.replies.sort(), ["a", "b", "c"]);
      assert.strictEqual(all.error, undefined);
      c.off("vote");
      const some = await a.emitWithAck("call-room", `jury-${mode}`, 0.2, "vote");
      assert.deepStrictEqual(some.replies.sort(), ["a", "b"]);
      assert.strictEqual(some.error, "timeout");
    });

    it("reaches everyone, everyone else, a room, and all but a room", async () => {
      const nsp = `/tenant/${mode}`;
      const [a, b, c] = await Promise.all([open(nsp), open(nsp), open(nsp)]);
      const heard = { a: [], b: [], c: [] };
      for (const [name, each] of Object.entries({ a, b, c })) {
        each.on("said", (text) => heard[name].push(text));
      }
      await b.emitWithAck("join", "r");
      await c.emitWithAck("join", "r");
      await a.emitWithAck("all", "all");
      await a.emitWithAck("others", "others");
      await a.emitWithAck("room", "r", "room");
      await b.emitWithAck("room-others", "r", "room-others");
      await b.emitWithAck("leave", "r");
      await a.emitWithAck("except", "r", "except");
      await a.emitWithAck("all", "end");
      await until(() => Object.values(heard).every((list) => list.includes("end")), "the end");
      assert.deepStrictEqual(heard.a, ["all", "except", "end"]);
      assert.deepStrictEqual(heard.b, ["all", "others", "room", "except", "end"]);
      assert.deepStrictEqual(heard.c, ["all", "others", "room", "room-others", "end"]);
    });

    it("joins several namespaces over one connection", async () => {
      const manager = new Manager(broker.url, { ...how });
      const sockets = ["/", "/custom", "/tenant/x"].map((nsp) => manager.socket(nsp));
      clients.all.push(...sockets);
      await Promise.all(sockets.map((socket) => connected(socket)));
      const names = await Promise.all(sockets.map((socket) => socket.emitWithAck("who")));
      assert.deepStrictEqual(names.map((who) => who.nsp), ["/", "/custom", "/tenant/x"]);
      assert.strictEqual(new Set(sockets.map((socket) => socket.id)).size, 3);
      sockets[1].disconnect();
      assert.strictEqual(await sockets[0].emitWithAck("message-with-ack", 1), 1);
      manager._close();
    });

    it("is told why it may not join", async () => {
      const refused = clients.make(broker, "/private", { ...how, auth: { token: "bad" } });
      const [error] = await event(refused, "connect_error");
      assert.strictEqual(error.message, "wrong token");
      assert.deepStrictEqual(error.data, { hint: "try another", code: "forbidden" });
      refused.auth = { token: "good" };
      refused.connect();
      await connected(refused);
      const unknown = clients.make(broker, "/nowhere", how);
      assert.strictEqual((await event(unknown, "connect_error"))[0].message, "Invalid namespace");
    });

    it("reaches a namespace by its alias", async () => {
      const socket = await open("/old");
      assert.strictEqual(await socket.emitWithAck("message-with-ack", "x"), "x");
      const target = await open("/custom");
      const said = event(socket, "said");
      target.emit("all", "through the alias");
      assert.deepStrictEqual(await said, ["through the alias"]);
    });

    it("hears what went wrong with its event", async () => {
      const socket = await open();
      assert.deepStrictEqual(await socket.emitWithAck("refuse", "forbidden", "no", [1]),
                             { error: { code: "forbidden", message: "no", data: [1] } });
      const heard = event(socket, "error");
      socket.emit("refuse", "forbidden", "no");
      assert.deepStrictEqual(await heard, [{ code: "forbidden", message: "no" }]);
      const bug = await socket.emitWithAck("bug");
      assert.strictEqual(bug.error.code, "internal");
    });

    it("leaves for a reason that both sides know", async () => {
      const watch = await open();
      await watch.emitWithAck("watch");
      const leaves = async (reason, leave, expected) => {
        const socket = await open("/", { reconnection: false });
        const { id } = socket;
        const left = event(watch, "left");
        const disconnected = event(socket, "disconnect");
        leave(socket);
        assert.match((await disconnected)[0], expected);
        assert.deepStrictEqual(await left, [id, reason]);
      };
      await leaves("client namespace disconnect", (socket) => socket.disconnect(), /^io client disconnect$/);
      await leaves("server namespace disconnect", (socket) => socket.emit("kick", false), /^io server disconnect$/);
      // Told so, the client stays away; a mere end of the connection would bring it back.
      await leaves("server namespace disconnect", (socket) => socket.emit("kick", true), /^io server disconnect$/);
      await leaves("transport close", (socket) => socket.io.engine.close(), /^(forced close|transport close)$/);
    });

    it("drops volatile events rather than queue them without end", async () => {
      const socket = await open();
      const seen = [];
      socket.on("maybe", (n) => seen.push(n));
      assert.strictEqual(await socket.emitWithAck("volatile", 5000), 5000);
      assert.ok(seen.length <= 5000);
      assert.deepStrictEqual(seen, [...seen].sort((x, y) => x - y));
      assert.strictEqual(await socket.emitWithAck("message-with-ack", "after"), "after");
    });

    it("sends a volatile event of its own", async () => {
      const socket = await open();
      const back = event(socket, "message-back");
      await until(() => socket.io.engine.transport.writable, "a writable transport");
      socket.volatile.emit("message", "maybe");
      assert.deepStrictEqual(await back, ["maybe"]);
    });

    it("retries until it is acknowledged", async () => {
      const socket = await open("/", { retries: 3, ackTimeout: 5000 });
      assert.strictEqual(await new Promise((resolve, reject) => {
        socket.emit("message-with-ack", "kept", (error, reply) => (error ? reject(error) : resolve(reply)));
      }), "kept");
      const impatient = await open("/", { retries: 2, ackTimeout: 50 });
      await assert.rejects(new Promise((resolve, reject) => {
        impatient.emit("silent", (error) => (error ? reject(error) : resolve()));
      }), /timed out/);
    });

    it("survives a client that comes and goes without a pause", async () => {
      const socket = clients.make(broker, "/", how);
      for (let i = 0; i < 20; i++) {
        if (!socket.connected) await event(socket, "connect");
        socket.disconnect();
        socket.connect();
      }
      await connected(socket);
      assert.strictEqual(await socket.emitWithAck("message-with-ack", "alive"), "alive");
    });
  });

  describe(`socket.io-client over ${mode}, when the broker restarts`, () => {
    const clients = new Clients();
    after(() => clients.closeAll());

    it("reconnects, and sends what it had kept", async () => {
      let broker = await Broker.start();
      const { port } = broker;
      const socket = await clients.open(broker, "/", how);
      const first = socket.id;
      const disconnected = event(socket, "disconnect");
      await broker.stop();
      assert.match((await disconnected)[0], /^(io server disconnect|transport close|transport error)$/);
      const kept = socket.emitWithAck("message-with-ack", "kept");
      broker = await Broker.start({ port });
      // After a disconnect by the server's word a client waits to be told.
      if (!socket.active) socket.connect();
      assert.strictEqual(await within(kept, "the kept event"), "kept");
      assert.notStrictEqual(socket.id, first);
      socket.disconnect();
      await broker.stop();
    });

    it("reconnects after a crash", async () => {
      let broker = await Broker.start();
      const { port } = broker;
      const socket = await clients.open(broker, "/", how);
      const attempts = [];
      socket.io.on("reconnect_attempt", (n) => attempts.push(n));
      const disconnected = event(socket, "disconnect");
      broker.discard();
      assert.match((await disconnected)[0], /^transport (close|error)$/);
      const reconnected = event(socket.io, "reconnect");
      broker = await Broker.start({ port });
      await reconnected;
      await connected(socket);
      assert.ok(attempts.length >= 1);
      assert.strictEqual(await socket.emitWithAck("message-with-ack", "back"), "back");
      socket.disconnect();
      await broker.stop();
    });
  });
}

describe("socket.io-client's heartbeat", () => {
  it("is kept over many intervals, and its loss is noticed", async () => {
    const broker = await Broker.start({
      settings: { "engine.ping_interval_ms": 100, "engine.ping_timeout_ms": 2000 },
    });
    const clients = new Clients();
    for (const how of Object.values(MODES)) {
      const socket = await clients.open(broker, "/", how);
      let pings = 0;
      socket.io.on("ping", () => pings++);
      await until(() => pings >= 3, "three pings");
      assert.ok(socket.connected);
    }
    const sockets = [...clients.all];
    const losses = sockets.map((socket) => event(socket, "disconnect"));
    sockets.forEach((socket) => socket.io.reconnection(false));
    broker.signal("SIGSTOP"); // still connected, but silent
    for (const loss of losses) assert.strictEqual((await loss)[0], "ping timeout");
    broker.signal("SIGCONT");
    clients.closeAll();
    await broker.stop();
  });
});
