"use strict";
// What an operator touches: pages, settings, checking, reloading, draining, logs.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it, before, after, afterEach } = require("node:test");
const { Broker, moonwire, scriptsFolder } = require("./lib/broker");
const { freePort } = require("./lib/ports");
const { Clients } = require("./lib/clients");
const { request, Polling, Ws, Tcp } = require("./lib/engine");
const { event, until, within } = require("./lib/wait");

const GOOD = `local ns = namespace "/"
ns:on("version", function() return 1 end)
`;

/// Runs `moonwire COMMAND` over made-up scripts: {status, stdout, stderr, folder}.
function over(scripts, command, args = [], env = {}) {
  const folder = scriptsFolder(scripts);
  try {
    return { ...moonwire([command, folder, ...args], { env }), folder };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

describe("the broker's own pages", () => {
  let broker;
  before(async () => { broker = await Broker.start(); });
  after(() => broker.stop());

  it("say that it lives and is ready", async () => {
    for (const page of ["/healthz", "/readyz"]) {
      assert.strictEqual((await request(broker.url, page)).status, 200);
      const head = await request(broker.url, page, { method: "HEAD" });
      assert.deepStrictEqual([head.status, head.body], [200, ""]);
      assert.strictEqual((await request(broker.url, page, { method: "POST" })).status, 405);
    }
  });

  it("count connections, namespaces and events", async () => {
    const ws = await Ws.client(broker, "/custom,");
    await ws.next();
    ws.send('42/custom,1["message-with-ack"]');
    await ws.next();
    const stats = await broker.stats();
    assert.strictEqual(stats.connections.websocket, 1);
    assert.ok(stats.uptime_seconds > 0 && stats.resident_bytes > 1e6 && stats.reactors >= 1);
    const custom = stats.namespaces.find((nsp) => nsp.name === "/custom");
    assert.deepStrictEqual([custom.sockets, custom.events_in, custom.acks_out], [1, 1, 1]);
    await ws.close();
    await until(async () => (await broker.stats()).connections.total === 0, "no connection");
  });
});

describe("settings", () => {
  const pingInterval = async (options) => {
    const broker = await Broker.start(options);
    const { handshake } = await Polling.open(broker);
    await broker.stop();
    return handshake.pingInterval;
  };
  const toml = "[engine]\nping_interval_ms = 1111\n";
  const env = { MOONWIRE_ENGINE_PING_INTERVAL_MS: "2222" };

  it("come from flags before variables before the file before defaults", async () => {
    assert.strictEqual(await pingInterval({}), 25000);
    assert.strictEqual(await pingInterval({ toml }), 1111);
    assert.strictEqual(await pingInterval({ toml, env }), 2222);
    assert.strictEqual(
      await pingInterval({ toml, env, settings: { "engine.ping_interval_ms": 3333 } }), 3333);
  });

  it("take the port from a flag, a variable or the file", async () => {
    const port = await freePort();
    const first = await Broker.start({ port: null, toml: `[server]\nport = ${port}\n` });
    assert.strictEqual(first.port, port);
    await first.stop();
    const second = await Broker.start(
      { port: null, toml: "[server]\nport = 1\n", env: { MOONWIRE_SERVER_PORT: String(port) } });
    assert.strictEqual(second.port, port);
    await second.stop();
    const third = await Broker.start({ port, env: { MOONWIRE_SERVER_PORT: "1" } });
    assert.strictEqual(third.port, port);
    await third.stop();
  });

  it("read the environment inside the file", async () => {
    const text = '[engine]\nping_interval_ms = "${PING:-4444}"\n';
    assert.strictEqual(await pingInterval({ toml: text }), 4444);
    assert.strictEqual(await pingInterval({ toml: text, env: { PING: "5555" } }), 5555);
  });

  it("reach a script", async () => {
    const scripts = {
      "main.lua": `local ns = namespace "/"
ns:on("settings", function() return setting("depth", 1), setting("table.list"), setting("none", "default") end)
`,
    };
    const broker = await Broker.start(
      { scripts, toml: '[settings]\ndepth = 7\n[settings.table]\nlist = ["a", 1, true]\n' });
    const ws = await Ws.client(broker);
    ws.send('421["settings"]');
    assert.strictEqual(await ws.next(), '431[7,["a",1,true],"default"]');
    await broker.stop();
  });

  for (const [what, text, expected] of [
    ["an unknown key", "[engine]\n\nping_interval = 1\n", /moonwire\.toml:3: engine\.ping_interval: unknown setting/],
    ["an unknown table", "\n[motor]\nx = 1\n", /moonwire\.toml:3?2?: motor/],
    ["a value of the wrong type", '[engine]\nping_interval_ms = "soon"\n', /moonwire\.toml:2: engine\.ping_interval_ms: expected/],
    ["a value out of bounds", "[server]\nport = 70000\n", /moonwire\.toml:2: server\.port: expected/],
    ["a file that is no TOML", "[engine\n", /moonwire\.toml:1/],
    ["a variable that is not set", '[server]\nhost = "${NOT_SET_ANYWHERE}"\n', /moonwire\.toml:2: .*NOT_SET_ANYWHERE/],
  ]) {
    it(`are refused with file and line: ${what}`, () => {
      const result = over({ "main.lua": GOOD, "moonwire.toml": text }, "run", ["--port", "0"]);
      assert.strictEqual(result.status, 1);
      assert.match(result.stderr, expected);
      assert.strictEqual(result.stderr.trim().split("\n").length, 1, result.stderr);
    });
  }

  it("are refused by name when a flag or a variable is wrong", () => {
    for (const [args, env, expected] of [
      [["--set", "engine.nothing=1"], {}, /engine\.nothing: unknown setting/],
      [["--set", "engine.ping_interval_ms=x"], {}, /engine\.ping_interval_ms: expected a whole number/],
      [["--set", "nonsense"], {}, /KEY=VALUE.*nonsense/],
      [["--port", "http"], {}, /server\.port: expected/],
      [[], { MOONWIRE_ENGINE_TRANSPORTS: "smoke" }, /MOONWIRE_ENGINE_TRANSPORTS.*smoke/],
      [["--set", "log.level=loud"], {}, /log\.level: expected debug/],
    ]) {
      const result = over({ "main.lua": GOOD }, "run", args, env);
      assert.strictEqual(result.status, 1, args.join(" "));
      assert.match(result.stderr, expected);
    }
  });
});

describe("moonwire check", () => {
  it("is content with good scripts", () => {
    const result = over("echo", "check");
    assert.deepStrictEqual([result.status, result.stderr], [0, ""]);
  });

  for (const [what, scripts, expected] of [
    ["a syntax error", { "main.lua": 'local ns = namespace "/"\nlocal = 1\n' }, /main\.lua:2:(\d+:)? /],
    ["an error while loading", { "main.lua": 'local ns = namespace "/"\n\nns.nothing.x = 1\n' }, /main\.lua:3:(\d+:)? /],
    ["an event with two handlers",
     { "main.lua": 'local ns = namespace "/"\nns:on("a", function() end)\nns:on("a", function() end)\n' }, /main\.lua:3:(\d+:)? /],
    ["a name that does not exist", { "main.lua": 'local ns = namespace "/"\nos.execute("true")\n' }, /main\.lua:2:(\d+:)? /],
    ["a module that does not exist", { "main.lua": 'local ns = namespace "/"\nrequire "lib.none"\n' }, /main\.lua:2:(\d+:)? .*lib\.none/],
    ["an error in a module",
     { "main.lua": 'local ns = namespace "/"\nrequire "lib.bad"\n', "lib/bad.lua": "\n\nlocal x = nil + 1\n" }, /lib\/bad\.lua:3:(\d+:)? /],
    ["waiting while a file loads", { "main.lua": 'local ns = namespace "/"\nsleep(1)\n' }, /main\.lua:2:(\d+:)? /],
    ["a wrong setting", { "main.lua": GOOD, "moonwire.toml": "[server]\nprot = 1\n" }, /moonwire\.toml:2: server\.prot/],
  ]) {
    it(`names file and line of ${what}`, () => {
      const result = over(scripts, "check");
      assert.strictEqual(result.status, 1, result.stdout + result.stderr);
      assert.match(result.stdout + result.stderr, expected);
    });
  }

  it("reports every broken file, not just the first", () => {
    const result = over({
      "a/main.lua": 'local ns = namespace "/a"\nlocal = 1\n', "b/main.lua": GOOD,
      "c/main.lua": 'local ns = namespace "/c"\n\nlocal = 1\n',
    }, "check");
    assert.strictEqual(result.status, 1);
    assert.match(result.stdout, /a\/main\.lua:2:(\d+:)? /);
    assert.match(result.stdout, /c\/main\.lua:3:(\d+:)? /);
  });

  it("needs a folder that exists and holds scripts", () => {
    const missing = moonwire(["check", "/nonexistent/scripts"]);
    assert.strictEqual(missing.status, 1);
    assert.match(missing.stdout, /\/nonexistent\/scripts/);
    assert.strictEqual(over({ "readme.txt": "no scripts here" }, "check").status, 1);
  });
});

describe("the command line", () => {
  it("says its version and how it is used", () => {
    assert.match(moonwire(["--version"]).stdout, /^\d+\.\d+\.\d+\n$/);
    assert.match(moonwire(["--help"]).stdout, /run[\s\S]*check/);
    assert.notStrictEqual(moonwire([]).status, 0);
    assert.notStrictEqual(moonwire(["dance"]).status, 0);
    assert.notStrictEqual(moonwire(["run", "--nonsense"]).status, 0);
  });

  it("serves every app below the folder", async () => {
    const broker = await Broker.start({
      scripts: {
        "one/main.lua": 'local ns = namespace "/one"\nns:on("x", function() return require "lib.v" end)\n',
        "one/lib/v.lua": "return 1\n",
        "two/main.lua": 'local ns = namespace "/two"\nns:on("x", function() return require "lib.v" end)\n',
        "two/lib/v.lua": "return 2\n",
      },
    });
    for (const [nsp, version] of [["/one", 1], ["/two", 2]]) {
      const ws = await Ws.client(broker, nsp);
      ws.send(`42${nsp},1["x"]`);
      assert.strictEqual(await ws.next(), `43${nsp},1[${version}]`);
    }
    await broker.stop();
  });

  it("serves the good scripts beside a broken one, and logs where that is broken", async () => {
    const broker = await Broker.start({
      scripts: { "bad.lua": 'local ns = namespace "/bad"\nlocal = 1\n', "good.lua": GOOD },
    });
    assert.match(broker.stderr, / error .*bad\.lua/);
    assert.match((await Ws.client(broker)).joined, /^40\{/);
    assert.match((await Ws.client(broker, "/bad,")).joined, /^44\/bad,/);
    await broker.stop({ expected: /bad\.lua/ });
  });

  it("says clearly that a port is taken, and lets two brokers run side by side", async () => {
    const first = await Broker.start();
    const result = over({ "main.lua": GOOD }, "run", ["--host", "127.0.0.1", "--port", String(first.port)]);
    assert.strictEqual(result.status, 1);
    assert.match(result.stderr, new RegExp(`127\\.0\\.0\\.1.*${first.port}.*(in use|taken)`, "i"));
    const second = await Broker.start();
    assert.notStrictEqual(first.port, second.port);
    const clients = await Promise.all([first, second].map((broker) => Ws.client(broker, "/custom,")));
    await Promise.all(clients.map((ws) => ws.next()));
    clients[0].send('42/custom,["all","only here"]');
    assert.strictEqual(await clients[0].next(), '42/custom,["said","only here"]');
    assert.deepStrictEqual(clients[1].inbox, []);
    await Promise.all([first.stop(), second.stop()]);
  });
});

describe("a reload", () => {
  const clients = new Clients();
  afterEach(() => clients.closeAll());
  const version = (n) => `local ns = namespace "/"
ns:on("version", function() return ${n} end)
ns:on("slow", function(socket, seconds) sleep(seconds) return ${n} end)
ns:on("remember", function(socket, value) ns.state.value, socket.data.value = value, value return true end)
ns:on("recall", function(socket) return ns.state.value, socket.data.value end)
every(0.01, function() ns:emit("tick", ${n}) end)
`;
  const becomes = (socket, n) =>
    until(async () => (await socket.emitWithAck("version")) === n, `version ${n}`);

  it("replaces handlers while clients stay", async () => {
    const broker = await Broker.start({ scripts: { "main.lua": version(1) } });
    const sockets = await Promise.all([
      clients.open(broker), clients.open(broker, "/", { transports: ["polling"] }),
    ]);
    const ids = sockets.map((socket) => socket.id);
    sockets.forEach((socket) => socket.on("disconnect", () => assert.fail("was dropped")));
    assert.strictEqual(await sockets[0].emitWithAck("version"), 1);
    broker.write("main.lua", version(2));
    broker.signal("SIGHUP");
    for (const socket of sockets) await becomes(socket, 2);
    assert.deepStrictEqual(sockets.map((socket) => socket.id), ids);
    sockets.forEach((socket) => socket.off("disconnect"));
    clients.closeAll();
    await broker.stop();
  });

  it("keeps state, and lets handlers under way finish with the code they began with", async () => {
    const broker = await Broker.start({ scripts: { "main.lua": version(1) } });
    const socket = await clients.open(broker);
    await socket.emitWithAck("remember", { a: [1, 2] });
    const slow = socket.emitWithAck("slow", 0.3);
    await socket.emitWithAck("version"); // the slow one is under way now
    broker.write("main.lua", version(2));
    broker.signal("SIGHUP");
    await becomes(socket, 2);
    assert.strictEqual(await slow, 1);
    const recalled = await new Promise((resolve) => {
      socket.emit("recall", (...values) => resolve(values));
    });
    assert.deepStrictEqual(recalled, [{ a: [1, 2] }, { a: [1, 2] }]);
    clients.closeAll();
    await broker.stop();
  });

  it("cancels the timers of the code it replaces", async () => {
    const broker = await Broker.start({ scripts: { "main.lua": version(1) } });
    const socket = await clients.open(broker);
    const ticks = [];
    socket.on("tick", (n) => ticks.push(n));
    await until(() => ticks.includes(1), "a tick of the first");
    for (let n = 2; n <= 5; n++) {
      broker.write("main.lua", version(n));
      broker.signal("SIGHUP");
      await becomes(socket, n);
    }
    ticks.length = 0;
    await until(() => ticks.length >= 10, "ticks");
    assert.deepStrictEqual([...new Set(ticks)], [5]);
    clients.closeAll();
    await broker.stop();
  });

  it("leaves the running code in charge after a bad edit, and says where it is bad", async () => {
    const broker = await Broker.start({ scripts: { "main.lua": version(1) } });
    const socket = await clients.open(broker);
    for (const bad of ["local = 1\n", 'error("at load")\n']) {
      const before = broker.lines("error").length;
      broker.write("main.lua", `local ns = namespace "/"\n${bad}`);
      broker.signal("SIGHUP");
      await until(() => broker.lines("error").length > before, "the error");
      assert.match(broker.lines("error").pop(), /main\.lua/);
      assert.strictEqual(await socket.emitWithAck("version"), 1);
    }
    broker.write("main.lua", version(2));
    broker.signal("SIGHUP");
    await becomes(socket, 2);
    clients.closeAll();
    await broker.stop({ expected: /main\.lua/ });
  });

  it("brings a new namespace in and takes a deleted one out", async () => {
    const broker = await Broker.start({ scripts: { "main.lua": version(1) } });
    assert.match((await Ws.client(broker, "/new,")).joined, /^44\/new,/);
    broker.write("new.lua", 'local ns = namespace "/new"\nns:on("x", function() return 1 end)\n');
    broker.signal("SIGHUP");
    await until(async () => /^40\/new,/.test((await Ws.client(broker, "/new,")).joined), "the namespace");
    fs.unlinkSync(path.join(broker.folder, "new.lua"));
    broker.signal("SIGHUP");
    await until(async () => /^44\/new,/.test((await Ws.client(broker, "/new,")).joined), "its end");
    await broker.stop();
  });
});

describe("the end", () => {
  const clients = new Clients();
  afterEach(() => clients.closeAll());

  for (const signal of ["SIGTERM", "SIGINT"]) {
    it(`comes with ${signal}: clients are told, and the exit is clean`, async () => {
      const broker = await Broker.start();
      const sockets = await Promise.all(["polling", "websocket"].map(
        (transport) => clients.open(broker, "/", { transports: [transport], reconnection: false })));
      const told = sockets.map((socket) => event(socket, "disconnect"));
      await broker.stop({ signal });
      for (const each of told) assert.match((await each)[0], /^(io server disconnect|transport close)$/);
    });
  }

  it("tells handlers why", async () => {
    const broker = await Broker.start({
      scripts: {
        "main.lua": `local ns = namespace "/"
ns:on_disconnect(function(socket, reason) log.info("left for: " .. reason) end)
`,
      },
    });
    await Ws.client(broker);
    await broker.stop();
    assert.match(broker.stderr, /left for: server shutting down/);
  });

  it("stops accepting at once, and does not wait for the deaf for longer than it was told", async () => {
    const broker = await Broker.start({ settings: { "server.drain_seconds": 1 } });
    await Polling.open(broker); // never polls: can't be told
    const tcp = await Tcp.open(broker); // never says a word
    await Ws.client(broker);
    const ended = broker.stop();
    await until(async () => {
      try {
        await request(broker.url, "/healthz");
        return false;
      } catch {
        return true;
      }
    }, "refused connections");
    await ended;
    await tcp.end();
  });

  it("comes at once with a second signal", async () => {
    const broker = await Broker.start({ settings: { "server.drain_seconds": 600 } });
    await Polling.open(broker);
    broker.signal("SIGTERM");
    await broker.logged(/draining/);
    broker.signal("SIGTERM");
    const { signal } = await within(broker.exited, "the end");
    assert.strictEqual(signal, "SIGTERM");
    broker.discard();
  });
});

describe("the log", () => {
  it("is JSON, a line an event, when asked for", async () => {
    const broker = await Broker.start({
      settings: { "log.format": "json", "log.level": "debug" },
      scripts: {
        "main.lua": `local ns = namespace "/"
ns:on("log", function(socket, text)
  log.info("hello " .. text, { user = { id = 7 }, text = text })
  log.warn(text)
  return true
end)
ns:on("bug", function() error("a bug\\nin two lines") end)
`,
      },
    });
    const ws = await Ws.client(broker);
    ws.send(`421["log",${JSON.stringify('"quoted" \u0001 ü')}]`);
    await ws.next();
    ws.send('422["bug"]');
    await ws.next();
    await ws.close();
    await broker.stop();
    const lines = broker.stderr.trim().split("\n").map((line) => JSON.parse(line));
    for (const line of lines) {
      assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
      assert.match(line.level, /^(debug|info|warn|error)$/);
      assert.strictEqual(typeof line.message, "string");
    }
    const hello = lines.find((line) => line.message.startsWith("hello "));
    assert.strictEqual(hello.message, 'hello "quoted" \u0001 ü');
    assert.deepStrictEqual(hello.user, { id: 7 });
    assert.ok(lines.some((line) => line.level === "error" && /a bug/.test(line.message)));
  });

  it("keeps a peer's text from forging lines", async () => {
    const broker = await Broker.start({
      scripts: { "main.lua": 'local ns = namespace "/"\nns:on("log", function(_, text) log.info(text) return 1 end)\n' },
    });
    const ws = await Ws.client(broker);
    ws.send(`421["log",${JSON.stringify("x\n2026-01-01T00:00:00.000Z error forged")}]`);
    await ws.next();
    await broker.stop();
    assert.ok(!broker.stderr.split("\n").some((line) => line.startsWith("2026-01-01T00:00:00.000Z error forged")));
  });

  it("is silent below its level, and off altogether when told so", async () => {
    const broker = await Broker.start({ settings: { "log.enabled": false } });
    await (await Ws.client(broker)).close();
    await broker.stop();
    assert.strictEqual(broker.stderr, "");
  });
});
