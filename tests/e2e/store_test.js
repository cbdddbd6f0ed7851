"use strict";
// ns.store over a broker's life and beyond it, as clients see it.

const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { after, afterEach, before, describe, it } = require("node:test");
const { Broker, moonwire, scriptsFolder } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { event, until, within } = require("./lib/wait");

const SCRIPT = `
local ns = namespace "/"
local store = ns.store

ns:on("say", function(_, text) return store:append("room", text) end)
ns:on("history", function(_, options) return store:history("room", options) end)

ns:on("queue", function(_, to, ...)
  local id, why = store:enqueue(to, "news", ...)
  return id and true or why
end)
ns:on("queued", function(_, to) return store:queued(to) end)
ns:on("here", function(socket, me) return store:deliver(me, socket, { timeout = 1 }) end)

ns:on_schedule("alarm", function(data) store:append("alarms", data) ns:emit("alarm", data) end)
ns:on("schedule", function(_, seconds, data) return store:schedule(now() + seconds, "alarm", data) end)
ns:on("alarms", function() return store:history("alarms") end)

ns:on("set", function(_, key, value) return store:set(key, value) end)
ns:on("get", function(_, key) return store:get(key) end)
ns:on("move", function(_, from, to, amount)
  return store:transaction(function()
    local left = (store:get(from) or 0) - amount
    store:set(from, left)
    store:set(to, (store:get(to) or 0) + amount)
    if left < 0 then fail("poor", "not enough") end
    return left
  end)
end)
`;

const ask = (socket, name, ...args) => within(socket.emitWithAck(name, ...args), `answer to ${name}`);

describe("ns.store", () => {
  const clients = new Clients();
  let folder, brokers = [];

  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-store-"))));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  afterEach(async () => {
    clients.closeAll();
    for (const broker of brokers.splice(0)) broker.discard();
  });

  const file = (name) => path.join(folder, name, "store.db");
  async function start(name, options = {}) {
    const broker = await Broker.start({
      scripts: { "main.lua": SCRIPT }, ...options, settings: { "store.path": file(name), ...options.settings },
    });
    brokers.push(broker);
    return broker;
  }

  it("pages through a history, before and after a restart", async () => {
    let broker = await start("history");
    let socket = await clients.open(broker);
    const ids = [];
    for (let i = 1; i <= 25; i++) ids.push(await ask(socket, "say", `text ${i}`));
    const pages = async () => {
      const texts = [];
      for (let before; ;) {
        const page = await ask(socket, "history", { before, limit: 10 });
        if (page.length === 0) return texts;
        texts.unshift(...page.map((each) => each.value));
        before = page[0].id;
      }
    };
    const all = Array.from({ length: 25 }, (_, i) => `text ${i + 1}`);
    assert.deepStrictEqual(await pages(), all);
    clients.closeAll();
    await broker.stop();
    broker = await start("history");
    socket = await clients.open(broker);
    assert.deepStrictEqual(await pages(), all);
    assert.ok(await ask(socket, "say", "later") > ids.at(-1));
    clients.closeAll();
    await broker.stop();
  });

  it("keeps an offline queue over a restart, in order, until each event is acknowledged", async () => {
    let broker = await start("queue");
    const sender = await clients.open(broker);
    for (let i = 1; i <= 50; i++) assert.strictEqual(await ask(sender, "queue", "bob", i, Buffer.from([i])), true);
    clients.closeAll();
    await broker.stop();

    broker = await start("queue");
    const heard = [];
    const listen = (socket, acknowledges) => socket.on("news", (n, bytes, done) => {
      assert.deepStrictEqual([...bytes], [n]);
      heard.push(n);
      if (acknowledges(n)) done();
    });
    const first = await clients.open(broker);
    listen(first, (n) => n !== 40);
    // What was not acknowledged comes again, with all that followed it.
    const [count, why] = await within(
      new Promise((resolve) => first.emit("here", "bob", (...values) => resolve(values))), "delivery");
    assert.deepStrictEqual([count, why], [39, "timeout"]);
    assert.deepStrictEqual(heard.splice(0), Array.from({ length: 50 }, (_, i) => i + 1));
    first.disconnect();
    const second = await clients.open(broker);
    listen(second, () => true);
    assert.strictEqual(await ask(second, "here", "bob"), 11);
    assert.deepStrictEqual(heard, Array.from({ length: 11 }, (_, i) => i + 40));
    assert.strictEqual(await ask(second, "queued", "bob"), 0);
    clients.closeAll();
    await broker.stop();
  });

  it("fires what came due while it was not there, once, and what comes due later", async () => {
    let broker = await start("schedule");
    let socket = await clients.open(broker);
    await ask(socket, "schedule", 0.05, "while away");
    await ask(socket, "schedule", 3600, "much later");
    // It must not come due before the end.
    broker.signal("SIGKILL");
    await within(broker.exited, "exit");
    clients.closeAll();
    broker.discard();

    const alarms = async () => (await ask(socket, "alarms")).map((each) => each.value);
    broker = await start("schedule");
    socket = await clients.open(broker);
    await until(async () => (await alarms()).length === 1, "the alarm that came due");
    const alarm = event(socket, "alarm");
    await ask(socket, "schedule", 0.02, "soon");
    assert.deepStrictEqual(await alarm, ["soon"]);
    await until(async () => (await alarms()).length === 2, "both are kept");
    clients.closeAll();
    await broker.stop();

    broker = await start("schedule");
    socket = await clients.open(broker);
    await ask(socket, "schedule", 0, "last");
    await until(async () => (await alarms()).includes("last"), "the last alarm");
    assert.deepStrictEqual(await alarms(), ["while away", "soon", "last"]);
    clients.closeAll();
    await broker.stop();
  });

  it("undoes a transaction that fails, and does them one after another", async () => {
    const broker = await start("transaction");
    const socket = await clients.open(broker);
    await ask(socket, "set", "a", 10);
    assert.deepStrictEqual(await ask(socket, "move", "a", "b", 15), { error: { code: "poor", message: "not enough" } });
    assert.deepStrictEqual([await ask(socket, "get", "a"), await ask(socket, "get", "b")], [10, null]);
    const other = await clients.open(broker);
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => ask(i % 2 ? socket : other, "move", "a", "b", 1)));
    assert.deepStrictEqual(
      results.filter((each) => typeof each === "number").sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepStrictEqual([await ask(socket, "get", "a"), await ask(socket, "get", "b")], [0, 10]);
    clients.closeAll();
    await broker.stop();
  });

  it("keeps everything through a reload", async () => {
    const broker = await start("reload");
    const socket = await clients.open(broker);
    await ask(socket, "set", "a", { b: [1, null] });
    await ask(socket, "schedule", 0.2, "over the reload");
    const alarm = event(socket, "alarm");
    broker.write("main.lua", `${SCRIPT}\nns:on("version", function() return 2 end)\n`);
    await broker.logged(/scripts took over/);
    assert.strictEqual(await ask(socket, "version"), 2);
    assert.deepStrictEqual(await ask(socket, "get", "a"), { b: [1, null] });
    assert.deepStrictEqual(await alarm, ["over the reload"]);
    clients.closeAll();
    await broker.stop();
  });

  it("refuses what is over its limits", async () => {
    const broker = await start("limits", {
      settings: { "store.queue_items": 2, "store.keys": 1, "store.max_value_bytes": 100 },
    });
    const socket = await clients.open(broker);
    assert.deepStrictEqual(
      [await ask(socket, "queue", "x", 1), await ask(socket, "queue", "x", 2), await ask(socket, "queue", "x", 3)],
      [true, true, "queue full"]);
    assert.strictEqual(await ask(socket, "queue", "y", 1), true);
    assert.strictEqual(await ask(socket, "queue", "y", "x".repeat(200)), "too large");
    const values = (name, ...args) => new Promise((resolve) => socket.emit(name, ...args, (...all) => resolve(all)));
    assert.deepStrictEqual(await values("set", "a", 1), [true]);
    assert.deepStrictEqual(await values("set", "b", 1), [null, "too many keys"]);
    clients.closeAll();
    await broker.stop();
  });

  it("makes no file until a script uses it, then one of the scripts folder's own", async () => {
    const broker = await Broker.start({ scripts: { "main.lua": SCRIPT.replace(/ns:on_schedule.*\n/, "") } });
    brokers.push(broker);
    const state = path.join(broker.runtime, "moonwire");
    const socket = await clients.open(broker);
    assert.strictEqual(fs.existsSync(state), false);
    await ask(socket, "set", "a", 1);
    const files = fs.readdirSync(state).filter((name) => name.endsWith(".db"));
    assert.match(files.join(), new RegExp(`^${path.basename(broker.folder)}-[0-9a-f]{8}\\.db$`));
    assert.strictEqual(fs.statSync(path.join(state, files[0])).mode & 0o777, 0o600);
    clients.closeAll();
    await broker.stop();

    const service = path.join(folder, "service");
    const other = await Broker.start({ scripts: { "main.lua": SCRIPT }, env: { STATE_DIRECTORY: service } });
    brokers.push(other);
    await ask(await clients.open(other), "set", "a", 1);
    assert.ok(fs.existsSync(path.join(service, "store.db")));
    clients.closeAll();
    await other.stop();
  });

  it("keeps nothing with store.kind = memory, and makes no file", async () => {
    const broker = await start("memory", { settings: { "store.kind": "memory" } });
    const socket = await clients.open(broker);
    await ask(socket, "set", "a", 1);
    assert.strictEqual(await ask(socket, "get", "a"), 1);
    assert.strictEqual(fs.existsSync(file("memory")), false);
    clients.closeAll();
    await broker.stop();
  });

  it("is simulated by moonwire test", () => {
    const scripts = scriptsFolder({
      "main.lua": SCRIPT,
      "main_test.lua": `
it("follows the clock", function()
  local a = connect("/")
  a:call("set", "k", 1)
  expect(a:call("get", "k")).to_equal(1)
  a:call("schedule", 86400, "tomorrow")
  advance(86399)
  expect(a:received("alarm")).to_equal {}
  advance(1)
  expect(a:received("alarm")).to_equal { "tomorrow" }
  a:call("queue", "me", 1)
  a:on_call("news", function() return true end)
  expect(a:call("here", "me")).to_equal(1)
end)
it("begins with an empty store", function()
  expect(connect("/"):call("get", "k")).to_equal(null)
end)
`,
    });
    try {
      const { status, stdout, stderr } = moonwire(["test", scripts]);
      assert.strictEqual(status, 0, stdout + stderr);
      assert.match(stdout, /2 passed/);
    } finally {
      fs.rmSync(scripts, { recursive: true, force: true });
    }
  });
});
