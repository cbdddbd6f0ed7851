"use strict";
// Connection state recovery, as the unmodified official client sees it.

const assert = require("node:assert");
const { describe, it, before, after, afterEach } = require("node:test");
const { Broker, SANITIZED } = require("./lib/broker");
const { Clients, MODES, connected } = require("./lib/clients");
const { event, until } = require("./lib/wait");

const SCRIPT = `
local ns = namespace "/"
local expired = {}
ns:use(function(socket) socket.data.uses = (socket.data.uses or 0) + 1 end)
ns:on_connect(function(socket)
  socket.data.connects = (socket.data.connects or 0) + 1
end)
ns:on_expired(function(socket) ns.state.expired = { id = socket.id, name = socket.data.name } end)
ns:on("name", function(socket, name) socket.data.name = name socket:join("named") return true end)
ns:on("me", function(socket)
  return { id = socket.id, recovered = socket.recovered, data = socket.data, rooms = socket.rooms,
           auth = socket.handshake.auth, transport = socket.transport }
end)
ns:on("say", function(socket, to, ...)
  if to == nil or to == null then ns:emit("said", ...) else ns:to(to):emit("said", ...) end
  return true
end)
ns:on("bytes", function(socket) socket:emit("bytes", bytes("\\0\\1\\255")) return true end)
ns:on("slow", function(socket, seconds) sleep(seconds) return "done " .. tostring(socket.recovered) end)
ns:on("ask", function(socket) socket.data.answer = { socket:timeout(10):call("question") } return true end)
ns:on("expired", function() return ns.state.expired or false end)
`;
// Under sanitizers, beside other tests, three seconds may go by while a client changes transports.
const SLOWNESS = SANITIZED ? 5 : 1;
const SETTINGS = {
  "recovery.enabled": true,
  "engine.ping_interval_ms": 300 * SLOWNESS,
  "engine.ping_timeout_ms": 3000 * SLOWNESS,
};

/// The network goes away under the client, without a word.
const cut = (socket) => new Promise((resolve) => {
  socket.once("disconnect", resolve);
  socket.io.engine.close();
});

for (const [mode, how] of Object.entries(MODES)) {
  for (const threads of [1, 2]) {
    describe(`recovery over ${mode}, ${threads} reactor(s)`, () => {
      let broker;
      const clients = new Clients();
      const open = async (options) => {
        // The tests connect again by themselves: beside the client's own attempt that makes two.
        const socket = await clients.open(broker, "/", { ...how, reconnection: false, ...options });
        socket.said = [];
        socket.on("said", (...args) => socket.said.push(args.slice(0, -1)));
        return socket;
      };
      const back = async (socket) => {
        await connected(socket);
        assert.strictEqual(socket.recovered, true);
      };
      before(async () => {
        broker = await Broker.start({
          scripts: { "app.lua": SCRIPT }, settings: { ...SETTINGS, "server.threads": threads },
        });
      });
      after(() => broker.stop());
      afterEach(() => clients.closeAll());

      it("gives back what was missed, in order, with rooms and data", async () => {
        const [one, other] = [await open(), await open()];
        await one.emitWithAck("name", "Ada");
        const { id } = one;
        await other.emitWithAck("say", null, "before");
        await until(() => one.said.length === 1, "the first event");
        await cut(one);
        for (let n = 0; n < 20; n++) await other.emitWithAck("say", n % 2 ? "named" : null, n);
        await other.emitWithAck("say", "elsewhere", "not for me");
        one.connect();
        await back(one);
        assert.strictEqual(one.id, id);
        await until(() => one.said.length === 21, "what was missed");
        assert.deepStrictEqual(one.said.map(([n]) => n), ["before", ...Array(20).keys()]);
        const me = await one.emitWithAck("me");
        assert.strictEqual(me.recovered, true);
        assert.deepStrictEqual(me.data, { name: "Ada", uses: 1, connects: 2 });
        assert.deepStrictEqual(me.rooms, [id, "named"]);
        await other.emitWithAck("say", "named", "after");
        await until(() => one.said.length === 22, "the event after");
      });

      it("recovers a client that received no event at all", async () => {
        const [one, other] = [await open(), await open()];
        await cut(one);
        await other.emitWithAck("say", null, "hello");
        one.connect();
        await back(one);
        await until(() => one.said.length === 1, "what was missed");
      });

      it("keeps binary events and the ids of many disconnections", async () => {
        const socket = await open();
        const { id } = socket;
        for (let round = 0; round < 5; round++) {
          await cut(socket);
          socket.connect();
          await back(socket);
        }
        assert.strictEqual(socket.id, id);
        const bytes = event(socket, "bytes");
        await socket.emitWithAck("bytes");
        assert.deepStrictEqual([...(await bytes)[0]], [0, 1, 255]);
      });

      it("goes on waiting for an answer, and answers once", async () => {
        const socket = await open();
        let asked = 0;
        // The question comes, the line is cut before the answer; it is asked once, and times out or
        // is answered by a later client: here the answer goes out after the return.
        let answer;
        socket.on("question", (reply) => { asked++; answer = reply; });
        const whole = socket.emitWithAck("ask").catch(() => null);
        await until(() => answer, "the question");
        await cut(socket);
        socket.connect();
        await back(socket);
        answer(42);
        await until(async () => (await socket.emitWithAck("me")).data.answer, "the answer's arrival");
        assert.deepStrictEqual((await socket.emitWithAck("me")).data.answer, [42]);
        assert.strictEqual(asked, 1);
        await whole;
      });

      it("lets a handler that was at work go on with the same socket", async () => {
        const [socket, other] = [await open(), await open()];
        socket.emit("slow", 0.3, () => {});
        await socket.emitWithAck("name", "Bob");
        await cut(socket);
        socket.connect();
        await back(socket);
        assert.strictEqual((await socket.emitWithAck("me")).data.name, "Bob");
        assert.strictEqual(await other.emitWithAck("slow", 0), "done false");
      });

      it("does not recover who left on purpose", async () => {
        const socket = await open();
        const { id } = socket;
        const left = async () => (await broker.stats()).namespaces.find(({ name }) => name === "/").disconnects;
        const before = await left();
        socket.disconnect();
        // On another connection the return could overtake the goodbye.
        await until(async () => (await left()) > before, "the goodbye");
        socket.connect();
        await connected(socket);
        assert.strictEqual(socket.recovered, false);
        assert.notStrictEqual(socket.id, id);
      });
    });
  }
}

describe("recovery that ends", () => {
  const clients = new Clients();
  afterEach(() => clients.closeAll());

  it("tells the script of who did not return, and forgets everything", async () => {
    const broker = await Broker.start({
      scripts: { "app.lua": SCRIPT },
      settings: { ...SETTINGS, "recovery.max_disconnection_seconds": 1 },
    });
    const options = { reconnection: false, ...MODES.websocket };
    const [one, other] = [await clients.open(broker, "/", options), await clients.open(broker, "/", options)];
    const { id } = one;
    await one.emitWithAck("name", "Eve");
    await other.emitWithAck("say", null, 1);
    await cut(one);
    let told;
    await until(async () => (told = await other.emitWithAck("expired")), "the expiry");
    assert.deepStrictEqual(told, { id, name: "Eve" });
    const stats = async () => (await (await fetch(`${broker.url}/stats`)).json()).namespaces[0];
    await until(async () => (await stats()).recovery_bytes === 0, "an empty log");
    assert.strictEqual((await stats()).away, 0);
    one.connect();
    await connected(one);
    assert.strictEqual(one.recovered, false);
    await broker.stop();
  });

  it("is off unless asked for", async () => {
    const broker = await Broker.start({ scripts: { "app.lua": SCRIPT } });
    const socket = await clients.open(broker, "/", MODES.websocket);
    const said = event(socket, "said");
    await socket.emitWithAck("say", null, "plain");
    assert.deepStrictEqual(await said, ["plain"]);
    await cut(socket);
    socket.connect();
    await connected(socket);
    assert.ok(!socket.recovered);
    await broker.stop();
  });
});
