"use strict";
// `moonwire ctl`, and the control socket that it asks.

const assert = require("node:assert");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { describe, it, before, after, afterEach } = require("node:test");
const { Broker, moonwire } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { request } = require("./lib/engine");
const { event, until, within } = require("./lib/wait");

const MAIN = `local ns = namespace "/"
ns:on_connect(function(socket) socket:join("lobby") socket:join("second") end)
ns:on("version", function() return 1 end)
`;
const TENANT = `local ns = namespace "/tenant/:name"
ns:on("echo", function(_, value) return value end)
`;
const SCRIPTS = { "main.lua": MAIN, "tenant.lua": TENANT };

const socketOf = (broker) => path.join(broker.runtime, `moonwire-${broker.port}.sock`);

/// \`moonwire ctl\` towards this broker, found as an operator's is.
function ctl(broker, ...args) {
  return moonwire(["ctl", ...args], { env: { XDG_RUNTIME_DIR: broker.runtime } });
}

/// The same as JSON, which must have succeeded.
function report(broker, ...args) {
  const { status, stdout, stderr } = ctl(broker, "--json", ...args);
  assert.deepStrictEqual([status, stderr], [0, ""]);
  return JSON.parse(stdout);
}

describe("moonwire ctl", () => {
  let broker;
  const clients = new Clients();
  before(async () => { broker = await Broker.start({ scripts: SCRIPTS, settings: { "server.threads": 2, "limits.handler_ms": 10000 } }); });
  after(() => broker.stop());
  afterEach(async () => {
    clients.closeAll();
    await until(async () => (await broker.stats()).connections.total === 0, "no connection");
  });

  it("shows the broker's state", async () => {
    await clients.open(broker, "/tenant/a");
    await clients.open(broker, "/tenant/b");
    const status = report(broker, "status");
    assert.deepStrictEqual(
      [status.state, status.pid, status.addresses, status.reactors, status.connections, status.errors],
      ["ready", broker.child.pid, [broker.url], 2, 2, []]);
    assert.ok(status.uptime_seconds > 0);
    assert.match(moonwire(["--version"]).stdout, new RegExp(status.version));
    const found = status.namespaces.map(({ name, generation, members, sockets }) =>
      [name, generation, members, sockets]);
    assert.deepStrictEqual(found, [["/", 1, 1, 0], ["/tenant/:name", 1, 2, 2]]);
    const { stdout } = ctl(broker, "status");
    assert.match(stdout, /^moonwire \S+, process \d+, ready for /);
    assert.ok(stdout.includes(`listening on ${broker.url}\n2 connections on 2 reactors\n`), stdout);
  });

  it("shows the namespaces as a table", async () => {
    const client = await clients.open(broker);
    await client.emitWithAck("version");
    const { namespaces } = report(broker, "namespaces");
    const [main] = namespaces;
    assert.deepStrictEqual([main.name, main.sockets, main.rooms >= 2], ["/", 1, true]);
    assert.ok(main.events_in >= 1 && main.memory_bytes > 0);
    const lines = ctl(broker, "namespaces").stdout.split("\n");
    assert.match(lines[0], /^NAMESPACE +GENERATION +SOCKETS +ROOMS /);
    assert.match(lines[1], /^\/ +1 +1 +\d+ /);
    assert.match(lines[2], /^\/tenant\/:name /);
  });

  it("lists sockets, the oldest first, page by page", async () => {
    const all = [];
    for (const nsp of ["/", "/", "/tenant/a"]) all.push(await clients.open(broker, nsp, { transports: ["websocket"] }));
    const polling = await clients.open(broker, "/", { transports: ["polling"] });
    const { sockets, total } = report(broker, "sockets");
    assert.strictEqual(total, 4);
    assert.deepStrictEqual(
      sockets.map((socket) => socket.id), [all[0].id, all[1].id, polling.id, all[2].id]);
    const [first] = sockets;
    assert.deepStrictEqual(
      [first.namespace, first.transport, first.address, first.rooms.sort(), first.room_count],
      ["/", "websocket", "127.0.0.1", ["lobby", "second"], 2]);
    assert.ok(Math.abs(Date.parse(first.connected_since) - Date.now()) < 3600e3);
    assert.strictEqual(sockets[2].transport, "polling");

    const page = report(broker, "sockets", "--limit", "2", "--offset", "1");
    assert.deepStrictEqual(
      [page.sockets.map((socket) => socket.id), page.total], [[all[1].id, polling.id], 4]);
    assert.match(ctl(broker, "sockets", "--limit", "1").stdout, /\n1 of 4; the next: --offset 1\n$/);
    const beyond = report(broker, "sockets", "--offset", "10");
    assert.deepStrictEqual([beyond.sockets, beyond.total], [[], 4]);

    assert.deepStrictEqual(
      report(broker, "sockets", "/tenant/a").sockets.map((socket) => socket.id), [all[2].id]);
    assert.strictEqual(report(broker, "sockets", "/tenant/:name").total, 1);
    assert.match(ctl(broker, "sockets", "/tenant/a").stdout, new RegExp(`\n${all[2].id}  /tenant/a  websocket `));
    const wrong = ctl(broker, "sockets", "/none");
    assert.deepStrictEqual([wrong.status, wrong.stdout, wrong.stderr], [1, "", "moonwire: there is no namespace /none\n"]);
    assert.strictEqual(ctl(broker, "sockets", "--limit", "0").stderr, "moonwire: a page has 1 to 10000 sockets\n");
  });

  it("puts a socket out of its namespace, or ends its connection", async () => {
    const root = await clients.open(broker, "/", { reconnection: false });
    const other = root.io.socket("/tenant/x");
    clients.all.push(other);
    await event(other, "connect");
    const gone = event(other, "disconnect");
    const done = ctl(broker, "disconnect", other.id);
    assert.deepStrictEqual([done.status, done.stdout, done.stderr], [0, `disconnected ${other.id}\n`, ""]);
    assert.strictEqual((await gone)[0], "io server disconnect");
    assert.ok(root.connected);

    const id = root.id;
    const closed = event(root, "disconnect");
    assert.strictEqual(report(broker, "disconnect", id, "--close").message, `disconnected ${id}`);
    await closed;
    await until(() => report(broker, "sockets").total === 0, "its end");
    const again = ctl(broker, "disconnect", id);
    assert.deepStrictEqual([again.status, again.stderr], [1, `moonwire: there is no socket ${id}\n`]);
  });

  it("is not reachable over TCP, nor by others than its user", async () => {
    assert.strictEqual((await request(broker.url, "/status")).status, 404);
    assert.strictEqual((await request(broker.url, "/drain", { method: "POST" })).status, 404);
    assert.strictEqual(fs.statSync(socketOf(broker)).mode & 0o777, 0o600);
  });

  it("answers while a handler holds a reactor", async () => {
    broker.write("main.lua", `${MAIN}ns:on("hold", function()
      local till = now() + 2
      while now() < till do end
    end)`);
    assert.strictEqual(ctl(broker, "reload").status, 0);
    const client = await clients.open(broker);
    const held = client.emitWithAck("hold");
    assert.strictEqual(report(broker, "status").state, "ready");
    await within(held.catch(() => {}), "the handler's end");
    broker.write("main.lua", MAIN);
  });
});

describe("moonwire ctl reload", () => {
  it("waits for the outcome and tells every error", async () => {
    const broker = await Broker.start({ scripts: SCRIPTS });
    const clients = new Clients();
    const client = await clients.open(broker);
    broker.write("main.lua", MAIN.replace("return 1", "return 2"));
    const good = ctl(broker, "reload");
    assert.deepStrictEqual([good.status, good.stdout, good.stderr], [0, "ok\n", ""]);
    assert.strictEqual(await client.emitWithAck("version"), 2);

    broker.write("main.lua", `${MAIN}\nns:on(`);
    broker.write("tenant.lua", `${TENANT}\nnosuch()\n`);
    const bad = ctl(broker, "reload");
    assert.strictEqual(bad.status, 1);
    assert.match(bad.stdout, /main\.lua:5: /);
    assert.match(bad.stdout, /tenant\.lua:4: .*nosuch/);
    assert.strictEqual(bad.stdout.trim().split("\n").length, 2);
    assert.strictEqual(await client.emitWithAck("version"), 2);
    const { errors, namespaces } = report(broker, "status");
    assert.deepStrictEqual(namespaces.map((nsp) => nsp.load_error && nsp.load_error.line), [5, 4]);
    assert.deepStrictEqual(errors.map((error) => error.line).sort(), [4, 5]);
    assert.match(ctl(broker, "status").stdout, /\nnot loaded:\n.*:\d+: /);
    const json = moonwire(["ctl", "--json", "--socket", socketOf(broker), "reload"]);
    assert.deepStrictEqual([json.status, JSON.parse(json.stdout).errors.length], [1, 2]);

    broker.write("main.lua", MAIN);
    broker.write("tenant.lua", TENANT);
    assert.strictEqual(ctl(broker, "reload").status, 0);
    assert.deepStrictEqual(report(broker, "status").errors, []);
    clients.closeAll();
    await broker.stop({ expected: /not loaded/ });
  });
});

describe("moonwire ctl drain", () => {
  it("ends the broker as TERM does", async () => {
    const broker = await Broker.start({ scripts: SCRIPTS });
    const clients = new Clients();
    const client = await clients.open(broker, "/", { reconnection: false });
    const gone = event(client, "disconnect");
    const socket = socketOf(broker);
    const { status, stdout } = ctl(broker, "drain");
    assert.deepStrictEqual([status, stdout], [0, "draining\n"]);
    await gone;
    assert.deepStrictEqual(await within(broker.exited, "its end"), { code: 0, signal: null });
    assert.ok(!fs.existsSync(socket));
    broker.discard();
  });

  it("is told of while it goes on", async () => {
    const broker = await Broker.start({ scripts: SCRIPTS, settings: { "server.drain_seconds": 60 } });
    // A session that is never polled again holds the drain up.
    await request(broker.url, "/socket.io/?EIO=4&transport=polling");
    assert.strictEqual(ctl(broker, "drain").status, 0);
    await until(() => report(broker, "status").state === "draining", "draining");
    const again = ctl(broker, "drain");
    assert.deepStrictEqual([again.status, again.stderr], [1, "moonwire: already draining\n"]);
    broker.signal("SIGKILL");
    await within(broker.exited, "its end");
    broker.discard();
  });
});

describe("the control socket", () => {
  it("stands where server.control says, or not at all", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-ctl-"));
    const socket = path.join(folder, "control");
    const broker = await Broker.start({ scripts: SCRIPTS, settings: { "server.control": socket } });
    assert.strictEqual(moonwire(["ctl", "--socket", socket, "status"]).status, 0);
    assert.strictEqual(
      moonwire(["ctl", "status"], { env: { MOONWIRE_SERVER_CONTROL: socket } }).status, 0);
    assert.ok(!fs.existsSync(socketOf(broker)));
    await broker.stop();
    assert.deepStrictEqual(fs.readdirSync(folder), []);

    const without = await Broker.start({ scripts: SCRIPTS, settings: { "server.control": "" } });
    assert.deepStrictEqual(fs.readdirSync(without.runtime), []);
    await without.stop();
    fs.rmSync(folder, { recursive: true });
  });

  it("replaces what a dead broker left, and gives way to a living one's", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-ctl-"));
    const settings = { "server.control": path.join(folder, "control") };
    const dead = await Broker.start({ scripts: SCRIPTS, settings });
    dead.signal("SIGKILL");
    await within(dead.exited, "its end");
    dead.discard();
    const refused = moonwire(["ctl", "--socket", settings["server.control"], "status"]);
    assert.deepStrictEqual([refused.status, refused.stderr],
      [1, `moonwire: ${settings["server.control"]}: nobody listens there any more\n`]);

    const living = await Broker.start({ scripts: SCRIPTS, settings });
    const second = await Broker.start({ scripts: SCRIPTS, settings });
    assert.match(second.lines("warn").join("\n"), /no control socket.*another process listens there/);
    await second.stop();
    assert.strictEqual(
      JSON.parse(moonwire(["ctl", "--json", "--socket", settings["server.control"], "status"]).stdout).pid,
      living.child.pid);
    await living.stop();
    fs.rmSync(folder, { recursive: true });
  });

  it("is found if it is the only one, else the choice is told", async () => {
    const runtime = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-ctl-"));
    const env = { XDG_RUNTIME_DIR: runtime };
    const none = moonwire(["ctl", "status"], { env });
    assert.deepStrictEqual([none.status, none.stdout], [1, ""]);
    assert.match(none.stderr, /^moonwire: no broker of yours runs here; looked for \S+moonwire-\*\.sock; .*\n$/);
    const one = await Broker.start({ scripts: SCRIPTS, env });
    const two = await Broker.start({ scripts: SCRIPTS, env });
    const several = moonwire(["ctl", "status"], { env });
    assert.strictEqual(several.status, 1);
    for (const broker of [one, two]) assert.ok(several.stderr.includes(`moonwire-${broker.port}.sock`));
    two.signal("SIGKILL");
    await within(two.exited, "its end");
    two.discard();
    assert.strictEqual(moonwire(["ctl", "status"], { env }).status, 0);
    await one.stop();
    fs.rmSync(runtime, { recursive: true });
  });

  it("explains what it can't open", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-ctl-"));
    const missing = moonwire(["ctl", "--socket", path.join(folder, "none"), "status"]);
    assert.match(missing.stderr, /^moonwire: \S+none: there is no such socket\n$/);
    const mute = path.join(folder, "mute");
    const server = net.createServer().listen(mute);
    await event(server, "listening");
    const late = moonwire(["ctl", "--socket", mute, "--timeout", "0.2", "status"]);
    assert.match(late.stderr, /^moonwire: \S+mute: no answer within 0\.2 s\n$/);
    server.close();
    if (process.getuid() !== 0) {
      const locked = path.join(folder, "locked");
      const guarded = net.createServer().listen(locked);
      await event(guarded, "listening");
      fs.chmodSync(locked, 0);
      assert.match(moonwire(["ctl", "--socket", locked, "status"]).stderr, /permission denied\n$/);
      guarded.close();
    }
    fs.rmSync(folder, { recursive: true, force: true });
    assert.match(moonwire(["ctl"]).stderr, /subcommand is required/);
  });
});
