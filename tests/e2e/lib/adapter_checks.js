"use strict";
// What any adapter must do: clients of two brokers that it joins. cluster_test.js runs this for each.

const assert = require("node:assert");
const { after } = require("node:test");
const { io } = require("socket.io-client");
const { Broker } = require("./broker");
const { event, until, within } = require("./wait");

const SCRIPT = `
local ns = namespace "/"
ns:on("join", function(socket, room) socket:join(room) end)
ns:on("is_in", function(socket, room)
  for _, each in ipairs(socket.rooms) do if each == room then return true end end
  return false
end)
ns:on("all", function(socket, ...) ns:emit(...) end)
ns:on("others", function(socket, ...) socket:broadcast():emit(...) end)
ns:on("to", function(socket, rooms, ...) ns:to(rooms):emit(...) end)
ns:on("to_except", function(socket, rooms, except, ...) ns:to(rooms):except(except):emit(...) end)
ns:on("except", function(socket, except, ...) ns:except(except):emit(...) end)
ns:on("here", function(socket, ...) ns:here():emit(...) end)
ns:on("burst", function(socket, count)
  for i = 1, count do
    ns:to("r"):emit("n", i)
    if i % 50 == 0 then sleep(0) end
  end
end)
ns:on("join_all", function(socket, from, room) ns:to(from):join(room) end)
ns:on("leave_all", function(socket, from, room) ns:to(from):leave(room) end)
ns:on("kick", function(socket, room, close) ns:to(room):disconnect(close) end)
ns:on("kick_except", function(socket, room) ns:except(room):disconnect() end)
ns:on("server", function(socket, ...) ns:server_emit("note", ...) end)
ns:on_server("note", function(...) ns:here():emit("noted", ...) end)
ns:on("count", function() return { ns:count(), #ns:fetch() } end)
ns:on("elsewhere", function(socket, name, ...) return namespace_of(name):emit(...) end)
ns:relay("relayed", {})
route("POST", "/say", function(request) ns:emit("said", request.json.word) return 202 end)

local version = 1
`;

const FAMILY = `
local ns = namespace "/f/:n"
ns:on("all", function(socket, ...) ns:emit(...) end)
ns:on("server", function(socket, ...) ns:server_emit("note", ...) end)
ns:on_server("note", function(...) ns:here():emit("noted", ...) end)
`;

const scripts = () => ({ "app/main.lua": SCRIPT, "app/family.lua": FAMILY });
const ask = (client, ...args) => within(client.emitWithAck(...args), `answer to ${args[0]}`);

/// A client that keeps what it hears; `take()` is that since the last time, without fences.
async function connect(broker, nsp = "/", options = {}) {
  const client = io(broker.url + nsp, {
    transports: ["websocket"], reconnection: false, forceNew: true, ...options,
  });
  after(() => client.close());
  client.heard = [];
  client.fences = new Set();
  client.onAny((name, ...args) => (name === "fence" ? client.fences.add(args[0]) : client.heard.push([name, ...args])));
  client.take = () => client.heard.splice(0);
  await event(client, "connect");
  return client;
}

let fences = 0;

/// When everything that `from` and then `back` said before has reached the clients `all`: nothing
/// more of it will come, for what a namespace says keeps its order.
async function settle(all, ...through) {
  for (const client of through) {
    const fence = ++fences;
    client.emit("all", "fence", fence);
    await until(() => all.every((each) => each.fences.has(fence)), `fence ${fence}`);
  }
}

/// Brokers that `adapter.settings(group, node)` joins; `group` is new with each call.
async function cluster(adapter, { nodes = 2, settings = {} } = {}) {
  const group = adapter.group();
  const brokers = [];
  for (let node = 0; node < nodes; ++node) {
    brokers.push(await Broker.start({
      scripts: scripts(), settings: { ...adapter.settings(group, node), ...settings },
    }));
  }
  return brokers;
}

/// The checks, below `t`. An adapter is {name, group(), settings(group, node)}.
async function checkAdapter(t, adapter) {
  const brokers = await cluster(adapter);
  const [first, second] = brokers;
  const a = await connect(first), b = await connect(second), c = await connect(second);
  const all = [a, b, c];
  const heard = async (...through) => {
    await settle(all, ...(through.length ? through : [a, b]));
    return all.map((each) => each.take());
  };
  await ask(b, "join", "r");

  await t.test("a broadcast reaches the clients of all nodes, each once", async () => {
    a.emit("all", "e", 1, { x: [null, "ü"] });
    const line = ["e", 1, { x: [null, "ü"] }];
    assert.deepStrictEqual(await heard(), [[line], [line], [line]]);
    b.emit("others", "e");
    assert.deepStrictEqual(await heard(b, a), [[["e"]], [], [["e"]]]);
    a.emit("relayed", 1.5);
    assert.deepStrictEqual(await heard(), [[], [["relayed", 1.5]], [["relayed", 1.5]]]);
    await fetch(`${first.url}/say`, {
      method: "POST", headers: { "content-type": "application/json" }, body: '{"word":"w"}',
    });
    assert.deepStrictEqual(await heard(), [[["said", "w"]], [["said", "w"]], [["said", "w"]]]);
  });

  await t.test("rooms and exceptions hold on all nodes, by ids, too", async () => {
    a.emit("to", "r", "room");
    a.emit("to", [b.id, c.id], "ids");
    a.emit("to", c.id, "id");
    a.emit("to", "nobody", "nothing");
    a.emit("except", ["r"], "outside");
    a.emit("to_except", ["r", c.id], [b.id], "both");
    assert.deepStrictEqual(await heard(), [
      [["outside"]],
      [["room"], ["ids"]],
      [["ids"], ["id"], ["outside"], ["both"]],
    ]);
  });

  await t.test("binary arguments arrive as they were", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    a.emit("to", "r", "binary", bytes, { deep: [Buffer.alloc(0), "x"] });
    assert.deepStrictEqual(await heard(), [[], [["binary", bytes, { deep: [Buffer.alloc(0), "x"] }]], []]);
  });

  await t.test("here() stays on its node, and so does what asks for answers", async () => {
    b.emit("here", "local");
    assert.deepStrictEqual(await heard(b, a), [[], [["local"]], [["local"]]]);
    assert.deepStrictEqual(await ask(a, "count"), [1, 1]);
    assert.deepStrictEqual(await ask(b, "count"), [2, 2]);
  });

  await t.test("a thousand events keep their order, and none comes twice", async () => {
    await ask(a, "join", "r");
    a.emit("burst", 1000);
    const last = (client) => client.heard.some(([, n]) => n === 1000);
    await until(() => last(a) && last(b), "the last one");
    const wanted = Array.from({ length: 1000 }, (_, i) => ["n", i + 1]);
    assert.deepStrictEqual(await heard(), [wanted, wanted, []]);
  });

  await t.test("scripts are replaced meanwhile, and nothing is lost", async () => {
    a.emit("burst", 1000);
    for (const each of brokers) {
      each.write("app/main.lua", SCRIPT.replace("version = 1", "version = 2"));
      each.signal("SIGHUP");
    }
    for (const each of brokers) await each.logged(/scripts reloaded errors=0/);
    const last = (client) => client.heard.some(([, n]) => n === 1000);
    await until(() => last(a) && last(b), "the last one");
    const wanted = Array.from({ length: 1000 }, (_, i) => ["n", i + 1]);
    assert.deepStrictEqual(await heard(), [wanted, wanted, []]);
    a.emit("to", "r", "after");
    assert.deepStrictEqual(await heard(), [[["after"]], [["after"]], []]);
  });

  await t.test("sockets of other nodes join and leave rooms", async () => {
    a.emit("join_all", "r", "s");
    await settle(all, a);
    assert.strictEqual(await ask(b, "is_in", "s"), true);
    a.emit("to", "s", "joined");
    a.emit("leave_all", "s", "s");
    a.emit("join_all", c.id, "t");
    a.emit("to", "s", "left");
    a.emit("to", "t", "alone");
    assert.deepStrictEqual(await heard(), [[["joined"]], [["joined"]], [["alone"]]]);
    assert.strictEqual(await ask(b, "is_in", "s"), false);
  });

  await t.test("server_emit reaches the scripts of the other nodes, and no others", async () => {
    a.emit("server", 1, { x: "y" }, Buffer.from([7]));
    const line = ["noted", 1, { x: "y" }, Buffer.from([7])];
    // What one node says keeps its order, but the handler runs when it runs.
    await until(() => b.heard.length > 0, "noted");
    assert.deepStrictEqual(await heard(), [[], [line], [line]]);
  });

  await t.test("a family is the same on all nodes, whoever has members", async () => {
    const one = await connect(first, "/f/1"), two = await connect(second, "/f/2");
    one.emit("all", "every", 1);
    one.emit("server", 2);
    await until(() => two.heard.length === 2, "both");
    assert.deepStrictEqual(two.take(), [["every", 1], ["noted", 2]]);
    assert.strictEqual(await ask(a, "elsewhere", "/f/2", "member", 3), true);
    await until(() => two.heard.length === 1, "to the member");
    assert.deepStrictEqual(two.take(), [["member", 3]]);
    assert.deepStrictEqual(one.take(), [["every", 1]]);
    one.close();
    two.close();
  });

  await t.test("sockets of other nodes are put out", async () => {
    const d = await connect(second), e = await connect(second);
    await ask(d, "join", "out");
    await ask(e, "join", "end");
    const gone = [event(d, "disconnect"), event(e, "disconnect")];
    a.emit("kick", "out", false);
    a.emit("kick", "end", true);
    const reasons = (await Promise.all(gone)).map(([reason]) => reason);
    assert.strictEqual(reasons[0], "io server disconnect");
    assert.ok(e.disconnected);
    await settle(all, a, b);
    assert.ok(all.every((each) => each.connected));
    const kept = await connect(first);
    await ask(kept, "join", "keep");
    const others = [event(a, "disconnect"), event(b, "disconnect"), event(c, "disconnect")];
    kept.emit("kick_except", "keep");
    await Promise.all(others);
    assert.ok(kept.connected);
  });

  for (const each of brokers) await each.stop();

  await t.test("a node that is killed disturbs no other, and comes back", async () => {
    const [stays, dies] = await cluster(adapter);
    const here = await connect(stays), there = await connect(dies);
    await ask(here, "join", "r");
    await ask(there, "join", "r");
    here.emit("burst", 2000);
    await until(() => there.heard.length > 100, "some of them");
    await dies.restart({ signal: "SIGKILL" });
    await until(() => here.heard.length === 2000, "all of them here");
    assert.deepStrictEqual(here.take(), Array.from({ length: 2000 }, (_, i) => ["n", i + 1]));
    const back = await connect(dies);
    await until(async () => {  // an adapter may need a while to find it again
      here.emit("all", "hello");
      return back.heard.length > 0;
    }, "the node that is back");
    await settle([here, back], here, back);
    back.take();
    here.take();
    back.emit("all", "and back");
    await settle([here, back], back, here);
    assert.deepStrictEqual([here.take(), back.take()], [[["and back"]], [["and back"]]]);
    await stays.stop();
    await dies.stop();
  });

  await t.test("three nodes hear everything once", async () => {
    const three = await cluster(adapter, { nodes: 3 });
    const clients = [];
    for (const each of three) clients.push(await connect(each));
    for (const client of clients) client.emit("all", "from", clients.indexOf(client));
    await settle(clients, ...clients, ...clients);
    for (const client of clients)
      assert.deepStrictEqual(client.take().map(([, n]) => n).sort(), [0, 1, 2]);
    for (const each of three) await each.stop();
  });

  await t.test("who comes back is told what other nodes said meanwhile", async () => {
    const [home, other] = await cluster(adapter, { settings: { "recovery.enabled": true } });
    const sender = await connect(home);
    const away = await connect(other, "/", { reconnection: true, reconnectionDelay: 200 });
    sender.emit("all", "before");
    await until(() => away.heard.length === 1, "the first");
    const lost = event(away, "disconnect");
    const back = event(away, "connect");
    away.io.engine.close();
    await lost;
    sender.emit("all", "missed", 1);
    await back;
    await until(() => away.heard.length === 2, "what was missed");
    assert.ok(away.recovered);
    assert.deepStrictEqual(away.take().map(([name]) => name), ["before", "missed"]);
    await home.stop();
    await other.stop();
  });
}

module.exports = { checkAdapter };
