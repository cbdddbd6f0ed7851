"use strict";
// The plugin redis beside Node's own packages on one Redis server: a socket.io server with
// @socket.io/redis-adapter, and @socket.io/redis-emitter. What brokers do among themselves: cluster_test.js.

const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const { after, afterEach, before, describe, it } = require("node:test");
const { createAdapter } = require("@socket.io/redis-adapter");
const { Emitter } = require("@socket.io/redis-emitter");
const { decode } = require("notepack.io");
const { Server } = require("socket.io");
const { io } = require("socket.io-client");
const { Broker, moonwire, scriptsFolder } = require("./lib/broker");
const { Redis } = require("./lib/redis");
const { event, until, within } = require("./lib/wait");

const SCRIPT = `
local ns = namespace "/"
ns:on("join", function(socket, room) socket:join(room) end)
ns:on("rooms", function(socket) return socket.rooms end)
ns:on("all", function(socket, ...) ns:emit(...) end)
ns:on("to", function(socket, rooms, ...) ns:to(rooms):emit(...) end)
ns:on("except", function(socket, rooms, ...) ns:except(rooms):emit(...) end)
ns:on("join_all", function(socket, from, room) ns:to(from):join(room) end)
ns:on("leave_all", function(socket, from, room) ns:to(from):leave(room) end)
ns:on("kick", function(socket, room, close) ns:to(room):disconnect(close) end)
ns:on("server", function(socket, ...) ns:server_emit("note", ...) end)
ns:on("volatile", function(socket, ...) ns:volatile():emit(...) end)
ns:on_server("note", function(...) ns:here():emit("noted", ...) end)
`;
const ORDERS = `
local ns = namespace "/orders"
ns:on("all", function(socket, ...) ns:emit(...) end)
`;

/// A socket.io server with the classic adapter, whose clients can ask for what the broker's can.
class NodeServer {
  static async start(redis, options = {}) {
    const node = new NodeServer();
    node.publisher = await redis.client();
    node.subscriber = await redis.client();
    node.http = http.createServer();
    node.io = new Server(node.http, { adapter: createAdapter(node.publisher, node.subscriber, options) });
    node.io.on("connection", (socket) => socket.on("join", (room, done) => done(socket.join(room))));
    node.noted = [];
    node.io.on("note", (...args) => node.noted.push(args));
    await new Promise((resolve) => node.http.listen(0, "127.0.0.1", resolve));
    node.url = `http://127.0.0.1:${node.http.address().port}`;
    // The adapter does not say when it is subscribed.
    await until(async () => (await node.publisher.pubSubNumSub("socket.io-request#/#"))["socket.io-request#/#"] > 0,
      "the Node server's subscription");
    return node;
  }

  async stop() {
    await this.io.close();
    await Promise.all([this.publisher, this.subscriber].map((each) => each.quit().catch(() => {})));
  }
}

const clients = [];
async function connect(server, nsp = "/", options = {}) {
  const client = io(server.url + nsp, { transports: ["websocket"], reconnection: false, forceNew: true, ...options });
  clients.push(client);
  client.heard = [];
  client.onAny((...line) => client.heard.push(line));
  client.take = () => client.heard.splice(0);
  await event(client, "connect");
  return client;
}
const ask = (client, ...args) => within(client.emitWithAck(...args), `answer to ${args[0]}`);
const brokerWith = (redis, settings = {}) => Broker.start({
  scripts: { "app/main.lua": SCRIPT, "app/orders.lua": ORDERS },
  settings: { "plugins.load": "redis,metrics", "plugins.redis.url": redis.url, ...settings },
});
/// A figure of the plugin's, by the name that Prometheus has.
async function figure(broker, name) {
  const text = await (await fetch(`${broker.url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

describe("redis", { skip: Redis.installed ? false : "redis-server is not there" }, () => {
  let redis;
  before(async () => { redis = await Redis.start(); });
  after(() => redis?.stop());
  afterEach(() => clients.splice(0).forEach((client) => client.close()));

  describe("with a Node server", () => {
    let broker, node, here, there;
    before(async () => {
      broker = await brokerWith(redis);
      node = await NodeServer.start(redis);
    });
    after(async () => {
      await node?.stop();
      await broker?.stop();
    });

    /// Clients of both sides; those of the room "r" and not.
    async function four() {
      here = await connect(broker);
      there = await connect(node);
      const all = [here, there, await connect(broker), await connect(node)];
      await ask(here, "join", "r");
      await ask(there, "join", "r");
      return all;
    }
    let fences = 0;
    /// Once what each side said before has reached all: what they heard, without the fences.
    async function heard(all) {
      const [one, two] = [`fence${++fences}`, `fence${++fences}`];
      node.io.emit(one);
      here.emit("all", two);
      const has = (client, name) => client.heard.some(([each]) => each === name);
      await until(() => all.every((client) => has(client, one) && has(client, two)), "the fences");
      return all.map((client) => client.take().filter(([name]) => !name.startsWith("fence")));
    }

    it("hears the broker's broadcasts, rooms, exceptions and binary values, each once", async () => {
      const all = await four();
      const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => i % 256));
      here.emit("all", "e", 1, -1.5, { x: [null, "ü", true] }, bytes, { deep: [Buffer.alloc(0)] });
      const line = ["e", 1, -1.5, { x: [null, "ü", true] }, bytes, { deep: [Buffer.alloc(0)] }];
      assert.deepStrictEqual(await heard(all), [[line], [line], [line], [line]]);
      here.emit("to", "r", "room");
      here.emit("to", ["r", all[3].id], "rooms");
      here.emit("except", ["r"], "except");
      here.emit("to", [all[3].id], "id");
      assert.deepStrictEqual(await heard(all), [
        [["room"], ["rooms"]], [["room"], ["rooms"]], [["except"]], [["rooms"], ["except"], ["id"]]]);
      await until(() => {  // not for who is busy at the moment
        here.emit("volatile", "v");
        return all.every((client) => client.heard.some(([name]) => name === "v"));
      }, "a volatile event");
    });

    it("is heard likewise", async () => {
      const all = await four();
      const bytes = Buffer.from([0, 1, 255]);
      node.io.emit("e", 1, -1.5, 2 ** 40, { x: [null, "ü"] }, bytes, { deep: [Buffer.alloc(0)] });
      const line = ["e", 1, -1.5, 2 ** 40, { x: [null, "ü"] }, bytes, { deep: [Buffer.alloc(0)] }];
      assert.deepStrictEqual(await heard(all), [[line], [line], [line], [line]]);
      node.io.to("r").emit("room");
      node.io.to(["r", all[2].id]).emit("rooms");
      node.io.except("r").emit("except");
      node.io.to(all[2].id).emit("id");
      node.io.to("r").compress(false).emit("flags");
      node.io.local.emit("local");
      assert.deepStrictEqual(await heard(all), [
        [["room"], ["rooms"], ["flags"]], [["room"], ["rooms"], ["flags"], ["local"]],
        [["rooms"], ["except"], ["id"]], [["except"], ["local"]]]);
      await until(() => {
        node.io.volatile.emit("v");
        return all.every((client) => client.heard.some(([name]) => name === "v"));
      }, "a volatile event");
      await heard(all);
      node.io.emit("date", new Date(1700000000123), undefined);
      const [[date]] = await heard(all);
      assert.deepStrictEqual(date, ["date", "2023-11-14T22:13:20.123Z", null]);
    });

    it("and the broker move each other's sockets between rooms", async () => {
      const all = await four();
      here.emit("join_all", "r", "s");
      here.emit("to", "s", "joined");
      assert.deepStrictEqual(await heard(all), [[["joined"]], [["joined"]], [], []]);
      node.io.in("s").socketsLeave("s");
      node.io.in("r").socketsJoin(["t", "u"]);
      await heard(all);
      assert.deepStrictEqual((await ask(here, "rooms")).sort(), [here.id, "r", "t", "u"].sort());
      here.emit("leave_all", "t", "u");
      await heard(all);
      const [socket] = await node.io.local.in("t").fetchSockets();
      assert.deepStrictEqual([...socket.rooms].sort(), [there.id, "r", "t"].sort());
      assert.deepStrictEqual((await ask(here, "rooms")).sort(), [here.id, "r", "t"].sort());
    });

    it("and the broker put each other's sockets out", async () => {
      const all = await four();
      const gone = (client) => event(client, "disconnect");
      const first = Promise.all([gone(here), gone(there)]);
      all[2].emit("kick", "r", false);
      for (const [reason] of await first) assert.strictEqual(reason, "io server disconnect");
      assert.ok(all[2].connected && all[3].connected);
      const second = Promise.all([gone(all[2]), gone(all[3])]);
      node.io.disconnectSockets(true);
      await second;
    });

    it("and the broker's scripts hear each other's serverSideEmit, and not their own", async () => {
      const all = await four();
      here.emit("server", 1, { x: ["y"] });
      here.emit("server", Buffer.from([7]));
      await until(() => node.noted.length >= 2, "serverSideEmit at the Node server");
      assert.deepStrictEqual(node.noted.splice(0), [[1, { x: ["y"] }], [Buffer.from([7])]]);
      node.io.serverSideEmit("note", 2, { z: null });
      await until(() => here.heard.length > 0, "on_server");
      assert.deepStrictEqual(await heard(all), [[["noted", 2, { z: null }]], [], [["noted", 2, { z: null }]], []]);
      assert.deepStrictEqual(node.noted, []);
    });

    it("waits for no answers of the broker's", async () => {
      await four();
      // The adapter's own limit is 5 s, and it would reject then.
      assert.strictEqual((await within(node.io.fetchSockets(), "fetchSockets")).length, 2);
      const counted = await node.publisher.pubSubNumSub("socket.io-request#/#");
      assert.strictEqual(counted["socket.io-request#/#"], 1); // the Node server itself
      const asked = await figure(broker, 'redis_received_total{kind="question"}');
      await node.publisher.publish("socket.io-request#/#", '{"type":5,"uid":"x","requestId":"y","opts":{}}');
      await until(async () => await figure(broker, 'redis_received_total{kind="question"}') > asked, "the question");
    });
  });

  describe("with the emitter", () => {
    let broker, client, emitter, a, b;
    before(async () => {
      broker = await brokerWith(redis, { "plugins.redis.namespaces./outside": "/orders" });
      client = await redis.client();
      emitter = new Emitter(client);
    });
    after(async () => {
      await client?.quit();
      await broker?.stop();
    });
    const settled = async () => {
      emitter.emit("fence");
      await until(() => [a, b].every((each) => each.heard.some(([name]) => name === "fence")), "the fence");
      return [a, b].map((each) => each.take().filter(([name]) => name !== "fence"));
    };

    it("takes its events, rooms, exceptions and binary values", async () => {
      a = await connect(broker);
      b = await connect(broker);
      await ask(a, "join", "r");
      emitter.emit("all", 1, Buffer.from([1, 2]));
      emitter.to("r").emit("room");
      emitter.to(["r", b.id]).except(a.id).compress(false).emit("rooms");
      emitter.except("r").emit("except");
      emitter.of("/nobody").emit("nothing");
      assert.deepStrictEqual(await settled(), [
        [["all", 1, Buffer.from([1, 2])], ["room"]],
        [["all", 1, Buffer.from([1, 2])], ["rooms"], ["except"]]]);
    });

    it("takes its requests", async () => {
      a = await connect(broker);
      b = await connect(broker);
      emitter.in(a.id).socketsJoin(["x", "y"]);
      emitter.in("x").socketsLeave("y");
      await settled();
      assert.deepStrictEqual((await ask(a, "rooms")).sort(), [a.id, "x"].sort());
      emitter.serverSideEmit("note", 1, "two");
      await until(() => a.heard.length > 0, "on_server");
      assert.deepStrictEqual(await settled(), [[["noted", 1, "two"]], [["noted", 1, "two"]]]);
      const gone = event(a, "disconnect");
      emitter.in("x").disconnectSockets();
      await gone;
      assert.ok(b.connected);
    });

    it("can call a namespace by the name that a setting gives", async () => {
      const order = await connect(broker, "/orders");
      emitter.of("/outside").emit("renamed");
      await until(() => order.heard.length > 0, "the event");
      assert.deepStrictEqual(order.take(), [["renamed"]]);
      const channels = [];
      const watcher = await redis.client();
      await watcher.pSubscribe("socket.io#/*", (_, channel) => channels.push(channel));
      order.emit("all", "out");
      await until(() => channels.length > 0, "the channel");
      assert.deepStrictEqual(channels, ["socket.io#/outside#"]);
      await watcher.quit();
    });
  });

  it("ignores what is malformed, with a line in the log, and nobody notices", async () => {
    const broker = await brokerWith(redis, { "plugins.redis.max_message_bytes": 5000 });
    const client = await redis.client();
    const socket = await connect(broker);
    const invalid = () => figure(broker, 'redis_dropped_total{reason="invalid"}');
    const bad = [
      "", "{", "{}", "\x93\x01", "\xc1", "[1,2]", "[".repeat(4000), '{"type":6,"data":{}}', '{"type":99}',
      '{"type":2,"opts":[]}', '{"type":6,"data":["disconnect"]}',
      '{"type":6,"data":["e",{"_placeholder":true,"num":0}]}',
    ];
    for (const text of bad) {
      await client.publish("socket.io#/#", Buffer.from(text, "latin1"));
      await client.publish("socket.io-request#/#", Buffer.from(text, "latin1"));
      await client.publish("socket.io#/", Buffer.from(text, "latin1"));
    }
    await client.publish("socket.io#/#", "x".repeat(6000));
    new Emitter(client).emit("good", 1);
    await until(() => socket.heard.length > 0, "the good one");
    assert.deepStrictEqual(socket.take(), [["good", 1]]);
    assert.ok(await invalid() >= bad.length);
    assert.strictEqual(await figure(broker, 'redis_dropped_total{reason="too_large"}'), 1);
    await broker.logged(/not understood/);
    assert.ok(broker.lines("warn").length < 30, broker.stderr);
    await client.quit();
    await broker.stop();
  });

  it("goes on without the server, and with it again: a bounded queue, in order", async () => {
    const own = await Redis.start();
    const broker = await brokerWith(own, { "plugins.redis.queue": 300, "plugins.redis.reconnection_delay_ms": 50,
      "plugins.redis.reconnection_delay_max_ms": 100 });
    const socket = await connect(broker);
    for (let n = 0; n < 500; ++n) socket.emit("all", "n", n);
    await own.halt("SIGKILL");
    await until(async () => await figure(broker, 'redis_connected{connection="publish"}') === 0, "the loss");
    const from = 500, to = 1500;
    socket.emit("volatile", "v");
    for (let n = from; n < to; ++n) socket.emit("all", "n", n);
    const heard = () => socket.heard.filter(([name]) => name === "n").map(([, n]) => n);
    await until(() => heard().length === to, "all events here");
    assert.deepStrictEqual(heard(), Array.from({ length: to }, (_, n) => n));
    socket.take();
    assert.strictEqual((await fetch(`${broker.url}/readyz`)).status, 200);
    assert.strictEqual(await figure(broker, "redis_queued"), 300);
    assert.ok(await figure(broker, 'redis_dropped_total{reason="queue_full"}') >= 700);
    assert.strictEqual(await figure(broker, 'redis_dropped_total{reason="away"}'), 1);
    await broker.logged(/messages for other nodes are dropped/);

    await own.resume();
    const watcher = await own.client();
    await until(async () => await figure(broker, "redis_queued") === 0, "the queue to go out");
    await until(async () => await figure(broker, 'redis_connected{connection="subscribe"}') === 1, "the subscription");
    assert.ok(await figure(broker, "redis_reconnections_total") >= 2);
    const numbers = [];
    await watcher.pSubscribe("socket.io#/*", (message) => numbers.push(decode(message)[1].data[1]), true);
    for (let n = 0; n < 200; ++n) socket.emit("all", "n", n);
    await until(() => numbers.length === 200, "what is published again");
    assert.deepStrictEqual(numbers, Array.from({ length: 200 }, (_, n) => n));
    const client = await own.client();
    new Emitter(client).emit("back");
    await until(() => socket.heard.some(([name]) => name === "back"), "an event from outside");
    await Promise.all([client, watcher].map((each) => each.quit()));
    await broker.stop();
    await own.stop();
  });

  it("waits for a server that hangs, and nobody waits with it", async () => {
    const own = await Redis.start();
    const broker = await brokerWith(own, { "plugins.redis.timeout_seconds": 1, "plugins.redis.reconnection_delay_ms": 50,
      "plugins.redis.reconnection_delay_max_ms": 100 });
    const socket = await connect(broker);
    own.child.kill("SIGSTOP");
    for (let n = 0; n < 1000; ++n) socket.emit("all", "n", n);
    await until(() => socket.heard.length === 1000, "all events here");
    await until(async () => await figure(broker, 'redis_connected{connection="publish"}') === 0, "the loss");
    // What was on its way is lost, and no more.
    const lost = await figure(broker, 'redis_dropped_total{reason="unconfirmed"}');
    assert.ok(lost <= 128, `${lost} are lost`);
    const kept = async () => await figure(broker, "redis_queued") + await figure(broker, "redis_published_total");
    assert.strictEqual(await kept(), 1000 - lost);
    own.child.kill("SIGCONT");
    await until(async () => await figure(broker, "redis_queued") === 0, "the queue to go out");
    await until(async () => await figure(broker, 'redis_connected{connection="subscribe"}') === 1, "the subscription");
    await broker.stop();
    await own.stop();
  });

  it("starts without the server, and finds it later", async () => {
    const own = await Redis.start();
    await own.halt("SIGKILL");
    const broker = await brokerWith(own, { "plugins.redis.reconnection_delay_ms": 50,
      "plugins.redis.reconnection_delay_max_ms": 100 });
    await broker.logged(/no connection; trying again/);
    const socket = await connect(broker);
    await own.resume();
    const client = await own.client();
    await until(() => {
      new Emitter(client).emit("found");
      return socket.heard.length > 0;
    }, "an event from outside");
    await client.quit();
    await broker.stop();
    await own.stop();
  });

  it("logs in, by TCP and by a Unix socket, and tells nobody the password", async () => {
    const own = await Redis.start({ args: ["--requirepass", "se/cret"] });
    const wrong = await brokerWith(own, { "plugins.redis.url": `redis://:wrong-word@127.0.0.1:${own.port}` });
    await wrong.logged(/log in: WRONGPASS/);
    assert.ok(!wrong.stderr.includes("wrong-word"));
    await wrong.stop();
    const none = await brokerWith(own);
    await none.logged(/log in: NOAUTH/);
    await none.stop();
    for (const url of [`redis://:se%2Fcret@127.0.0.1:${own.port}/0`, `unix://default:se%2Fcret@${own.socket}`]) {
      const broker = await brokerWith(own, { "plugins.redis.url": url });
      await until(async () => await figure(broker, 'redis_connected{connection="publish"}') === 1, "the connection");
      assert.strictEqual(await figure(broker, 'redis_connected{connection="subscribe"}'), 1);
      assert.ok(!broker.stderr.includes("cret"), broker.stderr);
      await broker.stop();
    }
    await own.stop();
  });

  it("refuses wrong settings with their place", () => {
    const folder = scriptsFolder({
      "main.lua": "", "moonwire.toml": '[plugins]\nload = ["redis"]\n[plugins.redis]\nurl = "rediss://:word@h"\n',
    });
    after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const { status, stdout, stderr } = moonwire(["check", folder]);
    assert.match(stdout + stderr, /moonwire\.toml:4: plugins\.redis\.url: rediss:\/\/ \(TLS\) is not supported/);
    assert.doesNotMatch(stdout + stderr, /word/);
    assert.notStrictEqual(status, 0);
  });
});
