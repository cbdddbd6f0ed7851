"use strict";
// The plugin upstream: a broker's scripts as a client of a Node Socket.IO server, and of another broker.

const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const os = require("node:os");
const path = require("node:path");
const { describe, it, before, after, afterEach } = require("node:test");
const { Server } = require("socket.io");
const { Broker, moonwire, scriptsFolder, ROOT } = require("./lib/broker");
const { Authority } = require("./lib/certificates");
const { Clients } = require("./lib/clients");
const { readExamples } = require("./lib/examples");
const { freePort } = require("./lib/ports");
const { event, until } = require("./lib/wait");

/// A namespace whose clients drive one connection: `options` is Lua.
const script = (options, more = "") => `
local ns = namespace "/"
local upstream = require "plugin.upstream"
local cad = upstream.connect { name = "cad", reconnection_delay = 0.02, reconnection_delay_max = 0.1, ${options} }
local statuses = {}
cad:on_status(function(status, detail) table.insert(statuses, status) ns:emit("status", status, detail) end)
cad:on("told", function(...) ns:emit("told", ...) end)
cad:on("ask", function(...) sleep(0.001) return "answer", ... end)
cad:on("refuse", function() fail("teapot", "short", { a = 1 }) end)
cad:on("bug", function() error("oops") end)
cad:on("mute", function() return noack end)
cad:on("nothing", function() end)
ns:on("emit", function(_, ...) return cad:emit(...) end)
ns:on("fill", function(_, first, last)
  for i = first, last do
    local ok, why = cad:emit("item", i)
    if not ok then return i, why end
  end
end)
ns:on("call", function(_, seconds, ...) return cad:timeout(seconds):call(...) end)
ns:on("fate", function() return cad:status() end)
ns:on("statuses", function() return statuses end)
ns:on("reconnect", function() cad:reconnect() end)
ns:on("close", function() cad:close() end)
${more}`;

const clients = new Clients();
const running = [];  // what is still to be ended

/// A Node server on the port, or on a free one: {io, port, url, sockets, stop}.
async function serve({ port, options = {}, set = () => {}, tls } = {}) {
  const server = tls ? https.createServer(tls) : http.createServer();
  const io = new Server(server, options);
  set(io);
  port ??= await freePort();
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const node = { io, port };
  node.url = `${tls ? "https" : "http"}://127.0.0.1:${node.port}`;
  node.stop = async () => {
    running.splice(running.indexOf(node), 1);
    const closed = new Promise((resolve) => io.close(resolve));
    server.closeAllConnections();  // as of a process that ends
    await closed;
  };
  running.push(node);
  return node;
}

async function bridge(options, { more, expected, ...rest } = {}) {
  const broker = await Broker.start({
    scripts: { "app/main.lua": script(options, more) }, settings: { "plugins.load": "upstream" }, ...rest,
  });
  const stoppable = {
    stop: async (how = {}) => {
      running.splice(running.indexOf(stoppable), 1);
      await broker.stop({ expected, ...how });
    },
  };
  running.push(stoppable);
  const client = await clients.open(broker, "/", { transports: ["websocket"] });
  const ask = (...args) => client.timeout(20000).emitWithAck(...args);
  return { broker, client, ask, stop: stoppable.stop };
}

const state = (ask, wanted) => until(async () => {
  const fate = await ask("fate");
  return fate.state === wanted && fate;
}, `state ${wanted}`);

afterEach(async () => {
  clients.closeAll();
  for (const each of [...running]) await each.stop().catch((error) => assert.fail(error));
});

const TRANSPORTS = { websocket: {}, "polling, for the server has nothing else": { transports: ["polling"] } };
for (const [name, options] of Object.entries(TRANSPORTS)) {
  describe(`with a Node server, by ${name}`, () => {
    it("events and acknowledgements go both ways, in order, with bytes", async () => {
      const told = [];
      const node = await serve({
        options,
        set: (io) => io.of("/cad").use((socket, next) =>
          next(socket.handshake.auth.token === "secret" ? undefined : new Error("no"))
        ).on("connection", (socket) => {
          socket.onAny((name, ...args) => {
            if (typeof args.at(-1) === "function") args.pop()(name, ...args);
            else told.push([name, ...args]);
          });
        }),
      });
      const { ask, client, stop } = await bridge(
        `url = "${node.url}", namespace = "/cad", auth = { token = "secret" }`);
      await state(ask, "connected");

      const values = [1, -1.5e-7, null, true, "é\u2028\"\\", [], {}, { deep: [{ a: [Buffer.from([0, 255])] }] }];
      assert.strictEqual(await ask("emit", "unit:status", ...values), true);
      assert.deepStrictEqual(await until(() => told.at(-1), "the event"), ["unit:status", ...values]);
      assert.strictEqual(await ask("emit", "empty"), true);
      await until(() => told.length === 2, "the other");
      assert.deepStrictEqual(told[1], ["empty"]);
      assert.deepStrictEqual(await client.timeout(20000).emitWithAck("call", 5, "echo", { b: Buffer.from("x") }),
        "echo");

      const heard = [];
      client.on("told", (...args) => heard.push(args));
      const [socket] = await node.io.of("/cad").fetchSockets();
      for (let i = 0; i < 100; ++i) socket.emit("told", i, Buffer.from([i]), { i });
      await until(() => heard.length === 100, "100 events");
      assert.deepStrictEqual(heard, Array.from({ length: 100 }, (_, i) => [i, Buffer.from([i]), { i }]));

      const [upstream] = [...node.io.of("/cad").sockets.values()];
      const all = (...args) => new Promise((resolve, reject) => {
        upstream.timeout(20000).emit(...args, (error, ...values) => (error ? reject(error) : resolve(values)));
      });
      assert.deepStrictEqual(await all("ask", ...values), ["answer", ...values]);
      assert.deepStrictEqual(await all("nothing"), []);
      assert.deepStrictEqual(await all("refuse"), [{ error: { code: "teapot", message: "short", data: { a: 1 } } }]);
      assert.deepStrictEqual(await all("bug"), [{ error: { code: "internal", message: "internal error" } }]);
      let unanswered = 0;
      for (const name of ["mute", "nobody handles this"]) upstream.emit(name, () => ++unanswered);
      assert.deepStrictEqual(await all("ask"), ["answer"]);
      assert.strictEqual(unanswered, 0);

      const fate = await ask("fate");
      assert.strictEqual(fate.connected, true);
      assert.strictEqual(fate.url, node.url);
      assert.deepStrictEqual([fate.sent, fate.received, fate.queued, fate.dropped, fate.failed, fate.attempts],
        [3, 107, 0, 0, 0, 0]);
      assert.strictEqual(fate.uptime_percent, 100);
      await stop({ expected: /oops/ });
    });

    it("what is raised while the server is away is sent in order when it is back", async () => {
      const items = [];
      const set = (io) => io.on("connection", (socket) => socket.on("item", (i) => items.push(i)));
      let node = await serve({ options, set });
      const { port } = node;
      const { ask, broker } = await bridge(`url = "${node.url}", reconnection_attempts = false`);
      await state(ask, "connected");
      await ask("fill", 1, 10);
      await until(() => items.length === 10, "ten items");
      await node.stop();
      await state(ask, "disconnected");
      const [, , answer] = await Promise.all([ask("fill", 11, 1000), ask("fill", 1001, 3000), ask("fate")]);
      assert.strictEqual(answer.state, "disconnected");
      assert.strictEqual((await ask("fate")).queued, 2990);
      assert.ok((await ask("fate")).attempts >= 0);
      assert.strictEqual((await broker.stats()).plugins.length, 1);
      node = await serve({ port, options, set });
      const fate = await state(ask, "connected");
      assert.strictEqual(fate.reconnections, 1);
      assert.ok(fate.uptime_percent < 100, `${fate.uptime_percent} %`);
      await until(() => items.length === 3000, "all items");
      assert.deepStrictEqual(items, Array.from({ length: 3000 }, (_, i) => i + 1));
      assert.deepStrictEqual((await ask("statuses")), ["connected", "disconnected", "connected"]);
    });
  });
}

it("what a namespace refuses stays so until a script reconnects, as in the official client", async () => {
  let open = false;
  const node = await serve({
    set: (io) => io.use((socket, next) => {
      const error = new Error("wrong token");
      error.data = { hint: "ask" };
      next(open ? undefined : error);
    }),
  });
  const { ask, client } = await bridge(`url = "${node.url}", auth = { token = "bad" }`);
  const fate = await state(ask, "refused");
  assert.strictEqual(fate.last_error, 'wrong token {"hint":"ask"}');
  assert.strictEqual(fate.attempts, 0);
  assert.strictEqual(await ask("emit", "later"), true);
  open = true;
  const told = new Promise((resolve) => client.on("status", (...args) => resolve(args)));
  await ask("reconnect");
  assert.strictEqual((await told)[0], "connected");
  assert.strictEqual((await state(ask, "connected")).sent, 1);

  // A server that puts this client out means it, too.
  [...node.io.sockets.sockets.values()][0].disconnect();
  assert.strictEqual((await state(ask, "disconnected")).last_error,
    "the server disconnected this client");
  assert.strictEqual((await ask("fate")).attempts, 0);
  await ask("reconnect");
  await state(ask, "connected");
});

it("attempts come to an end, and begin anew when a script reconnects", async () => {
  const gone = await serve();
  await gone.stop();
  const { ask } = await bridge(`url = "${gone.url}", reconnection_attempts = 3, queue = 2`);
  const fate = await state(ask, "gave_up");
  assert.strictEqual(fate.attempts, 3);
  assert.match(fate.last_error, /refused/);
  assert.deepStrictEqual(await ask("statuses"), ["disconnected", "gave_up"]);
  assert.deepStrictEqual(await ask("call", 0.05, "echo"), null);
  const items = [];
  assert.strictEqual(await ask("fill", 1, 3), 3);  // the third found no room
  const node = await serve({
    port: gone.port, set: (io) => io.on("connection", (socket) => socket.on("item", (i) => items.push(i))),
  });
  await ask("reconnect");
  await state(ask, "connected");
  await until(() => items.length === 2, "two items");
  const last = await ask("fate");
  assert.deepStrictEqual([last.dropped, last.failed, last.sent, items], [1, 1, 2, [1, 2]]);
  await node.stop();
});

it("the oldest make room when a script says so", async () => {
  const gone = await serve();
  await gone.stop();
  const { ask } = await bridge(`url = "${gone.url}", queue = 2, drop_oldest = true, reconnection_attempts = 1000`);
  await ask("fill", 1, 5);
  const items = [];
  await serve({
    port: gone.port, set: (io) => io.on("connection", (socket) => socket.on("item", (i) => items.push(i))),
  });
  await state(ask, "connected");
  await until(() => items.length === 2, "two items");
  assert.deepStrictEqual(items, [4, 5]);
  assert.strictEqual((await ask("fate")).dropped, 3);
});

it("a call is answered once: by the server, by its time, or by the end of the connection", async () => {
  const held = [];
  const node = await serve({
    set: (io) => io.on("connection", (socket) => {
      socket.on("hold", (reply) => held.push(reply));
      socket.on("many", (reply) => reply(1, [2], Buffer.from("3")));
    }),
  });
  const { ask, client } = await bridge(`url = "${node.url}", reconnection_attempts = 1000`, {
    more: 'ns:on("why", function(_, seconds, event) return select(2, cad:timeout(seconds):call(event)) end)\n' +
      'ns:on("many", function() return { cad:call("many") } end)',
  });
  await state(ask, "connected");
  assert.deepStrictEqual(await ask("many"), [1, [2], Buffer.from("3")]);
  assert.deepStrictEqual(await ask("why", 0.02, "hold"), "timeout");
  const lost = ask("why", 20, "hold");
  await until(() => held.length === 2, "two held");
  await node.stop();
  assert.deepStrictEqual(await lost, "disconnected");
  assert.deepStrictEqual(await ask("why", 0.02, "hold"), "timeout");
  assert.deepStrictEqual((await ask("fate")).queued, 0, "nobody waits for it, so it is not sent");
  assert.strictEqual(client.connected, true);
});

it("a server that falls silent is left", async () => {
  const node = await serve({ options: { pingInterval: 100, pingTimeout: 100, transports: ["websocket"] } });
  const { ask } = await bridge(`url = "${node.url}", reconnection_delay = 1000`);
  await state(ask, "connected");
  // The transport is there, and says nothing any more.
  for (const socket of node.io.engine.clients ? Object.values(node.io.engine.clients) : []) {
    clearTimeout(socket.pingIntervalTimer);
    clearTimeout(socket.pingTimeoutTimer);
  }
  assert.strictEqual((await state(ask, "disconnected")).last_error, "the server fell silent");
});

describe("over TLS", () => {
  let authority;
  let tls;
  before(() => {
    authority = new Authority();
    const files = authority.issue("server", "/CN=cad", "IP:127.0.0.1");
    tls = { cert: fs.readFileSync(files.certificate), key: fs.readFileSync(files.key) };
  });
  after(() => authority.discard());

  for (const transports of ["websocket", "polling"]) {
    it(`trusts [http] ca_file, or anybody when told to, and nobody else: ${transports}`, async () => {
      const node = await serve({ tls });
      const options = `url = "${node.url}", transports = { "${transports}" }, reconnection_attempts = 1`;
      const stranger = await bridge(options);
      assert.match((await state(stranger.ask, "gave_up")).last_error, /certificate|issuer/);
      await stranger.stop();
      const trusting = await bridge(options, { settings: { "plugins.load": "upstream", "http.ca_file": authority.file } });
      await state(trusting.ask, "connected");
      await trusting.stop();
      const careless = await bridge(`${options}, insecure = true`);
      await state(careless.ask, "connected");
    });
  }
});

it("killed and started again under load, the server has all that it acknowledged, once and in order", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-upstream-"));
  const file = path.join(folder, "items");
  const begin = async (port) => {
    const child = spawn(process.execPath, ["-e", `
      const io = new (require("socket.io").Server)(${port});
      io.on("connection", (socket) => socket.on("item", (i, reply) => {
        require("fs").appendFileSync(${JSON.stringify(file)}, i + "\\n");
        reply();
      }));
      io.httpServer.on("listening", () => console.log("listening"));
    `], { cwd: __dirname, stdio: ["ignore", "pipe", "inherit"] });
    child.unref();
    await event(child.stdout, "data");
    return { child, port };
  };
  let server = await begin(await freePort());
  try {
    const { ask } = await bridge(`url = "http://127.0.0.1:${server.port}", reconnection_attempts = 0`, {
      more: 'ns:on("sure", function(_, i) return select(2, cad:call("item", i)) end)',
    });
    await state(ask, "connected");
    const fates = [];
    const send = (first, last) => {
      for (let i = first; i <= last; ++i) fates.push(ask("sure", i).then((why) => [i, why ?? null]));
    };
    for (let round = 0; round < 3; ++round) {
      send(round * 600 + 1, round * 600 + 300);
      await fates[round * 600];  // in the middle of them
      server.child.kill("SIGKILL");
      await event(server.child, "exit");
      send(round * 600 + 301, round * 600 + 600);
      server = await begin(server.port);
      await state(ask, "connected");
    }
    const ends = await Promise.all(fates);
    const items = fs.readFileSync(file, "utf8").trim().split("\n").map(Number);
    assert.deepStrictEqual(items, [...new Set(items)].sort((a, b) => a - b), "once and in order");
    for (const [i, why] of ends) {
      assert.ok(why === null || why === "disconnected", why);
      if (why === null) assert.ok(items.includes(i), `${i} was acknowledged`);
    }
    // What was raised while it was away is there, all of it.
    for (const [i, why] of ends) if (i % 600 === 0) assert.strictEqual(why, null);
    assert.strictEqual((await ask("fate")).reconnections, 3);
  } finally {
    server.child.kill("SIGKILL");
    fs.rmSync(folder, { recursive: true });
  }
});

describe("with another broker", () => {
  it("events and acknowledgements go both ways", async () => {
    const other = await Broker.start({ scripts: { "main.lua": `
local ns = namespace "/cad"
ns:use(function(socket) if socket.handshake.auth.token ~= "secret" then fail("forbidden", "no") end end)
ns:on("echo", function(_, ...) return ... end)
ns:on("failing", function() fail("full", "no seat left") end)
ns:on("ask me", function(socket, ...) return socket:call("ask", ...) end)
` } });
    const options = `url = "${other.url.replace("http", "ws")}", namespace = "/cad"`;
    const { ask, stop } = await bridge(`${options}, auth = { token = "secret" }`);
    await state(ask, "connected");
    assert.deepStrictEqual(await ask("call", 5, "echo", { a: [Buffer.from([1])] }), { a: [Buffer.from([1])] });
    assert.deepStrictEqual(await ask("call", 5, "failing"), { error: { code: "full", message: "no seat left" } });
    assert.deepStrictEqual(await ask("call", 5, "ask me", 1), "answer");
    await stop();
    await other.stop();
  });
});

it("the example of plugins/README.md does what the text says", async () => {
  const incidents = [];
  const node = await serve({ set: (io) => io.use((socket, next) => {
    next(socket.handshake.auth.token === "secret" ? undefined : new Error("no"));
  }).on("connection", (socket) => {
    socket.on("unit:status", (unit) => incidents.push(unit));
    socket.on("incident:find", (id, reply) => reply({ id }));
  }) });
  const example = readExamples(path.join(ROOT, "plugins/README.md"))
    .find(({ section, language }) => section === "upstream" && language === "lua");
  const broker = await Broker.start({
    scripts: {
      "dispatch/main.lua": example.text + 'ns:on_connect(function(socket) socket:join("dispatchers") end)\n',
      "dispatch/moonwire.toml": `[settings.cad]\nurl = "${node.url}"\ntoken = "secret"\n`,
    },
    settings: { "plugins.load": "upstream" },
  });
  const client = await clients.open(broker, "/dispatch", { transports: ["websocket"] });
  const ask = (...args) => client.timeout(20000).emitWithAck(...args);
  await until(async () => (await ask("bridge:health")).connected, "the bridge");
  await ask("unit:status", { unit: 7 });
  assert.deepStrictEqual(await until(() => incidents[0], "the unit"), { unit: 7 });
  assert.deepStrictEqual(await ask("incident:find", 3), { id: 3 });
  const heard = event(client, "incident:new");
  const [socket] = [...node.io.sockets.sockets.values()];
  assert.deepStrictEqual(await socket.timeout(20000).emitWithAck("incident:new", { id: 1 }), { received: true });
  assert.deepStrictEqual(await heard, [{ id: 1 }]);
  const status = event(client, "bridge");
  await node.stop();
  assert.strictEqual((await status)[0], "disconnected");
  await broker.stop();
});

it("a reload keeps the connection and its queue, and replaces what handles its events", async () => {
  const node = await serve({ set: (io) => io.on("connection", (socket) => {
    socket.emit("told", "welcome");
  }) });
  const options = `url = "${node.url}", auth = { one = 1, two = { 2, 3 } }`;
  const { ask, broker, client } = await bridge(options);
  await state(ask, "connected");
  const [before] = [...node.io.sockets.sockets.keys()];
  const reload = async (text, generation) => {
    broker.write("app/main.lua", text);
    broker.signal("SIGHUP");
    await until(async () => (await broker.stats()).scripts.some(
      (each) => each.generation === generation), `generation ${generation}`);
  };
  await reload(script(options.replace("one = 1, two = { 2, 3 }", "two = { 2, 3 }, one = 1"))
    .replace('return "answer", ...', 'return "new"'), 2);
  assert.deepStrictEqual([...node.io.sockets.sockets.keys()], [before]);
  const [socket] = [...node.io.sockets.sockets.values()];
  assert.strictEqual(await socket.timeout(20000).emitWithAck("ask"), "new");
  assert.strictEqual((await ask("fate")).reconnections, 0);

  // Other options are another connection.
  await reload(script(options.replace("one = 1", "one = 2")), 3);
  await until(() => {
    const ids = [...node.io.sockets.sockets.keys()];
    return ids.length === 1 && ids[0] !== before;
  }, "another connection");
  await state(ask, "connected");

  // And code that wants none has none.
  await reload('local ns = namespace "/"\nns:on("emit", function() return "nobody" end)', 4);
  await until(() => node.io.sockets.sockets.size === 0, "no connection");
  assert.strictEqual(await ask("emit", "x"), "nobody");
  assert.strictEqual(client.connected, true);
});

it("a script may end a connection, and what it says then is refused", async () => {
  const node = await serve();
  const { ask } = await bridge(`url = "${node.url}"`, {
    more: 'ns:on("why", function() return select(2, cad:emit("x")) end)',
  });
  await state(ask, "connected");
  await ask("close");
  await until(() => node.io.sockets.sockets.size === 0, "no connection");
  assert.deepStrictEqual(await ask("why"), "closed");
  assert.strictEqual(await ask("fate"), null);
});

it("at its end the broker sends what is queued, and says goodbye", async () => {
  const items = [];
  const reasons = [];
  const node = await serve({ set: (io) => io.on("connection", (socket) => {
    socket.on("item", (i) => items.push(i));
    socket.on("disconnect", (reason) => reasons.push(reason));
  }) });
  const { ask, stop, broker } = await bridge(`url = "${node.url}"`);
  await state(ask, "connected");
  await ask("fill", 1, 5000);
  await stop();
  await until(() => reasons.length === 1, "goodbye");
  assert.deepStrictEqual([items.length, reasons], [5000, ["client namespace disconnect"]]);
  assert.match(broker.stderr, /closed plugin=upstream connection=cad/);
});

it("the hub goes on while the other server sends more than it can handle", async () => {
  const node = await serve({ options: { transports: ["websocket"] } });
  const { ask, client } = await bridge(`url = "${node.url}"`, {
    more: 'cad:on("slow", function() sleep(0.2) end)',
  });
  await state(ask, "connected");
  const [socket] = [...node.io.sockets.sockets.values()];
  for (let i = 0; i < 20000; ++i) socket.emit("slow", i);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask("statuses")));
  assert.strictEqual(answers.length, 20);
  const fate = await until(async () => {
    const now = await ask("fate");
    return now.received === 20000 && now;
  }, "all received");
  assert.ok(fate.dropped > 0 && fate.dropped < 20000, `${fate.dropped} dropped`);
  assert.strictEqual(client.connected, true);
});

it("moonwire check finds what is wrong with a connection, and opens none", async () => {
  const node = await serve();
  const check = (options) => {
    const folder = scriptsFolder({
      "app/main.lua": `local ns = namespace "/"\nrequire("plugin.upstream").connect { ${options} }\n`,
    });
    try {
      return moonwire(["check", folder, "--set", "plugins.load=upstream"]);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  };
  assert.strictEqual(check(`name = "a", url = "${node.url}"`).status, 0);
  assert.strictEqual(node.io.engine.clientsCount, 0);
  for (const [options, complaint, line = 2] of [
    ['url = "http://a"', "upstream.connect: needs a name"],
    ['name = "a"', "upstream.connect: a: needs a url"],
    ['name = "a", url = "ftp://a"', "upstream.connect: a: 'ftp://a' is no http, https, ws or wss URL"],
    ['name = "a", url = "http://a/b"', "upstream.connect: a: 'http://a/b' has a path"],
    ['name = "a", url = "http://a", queue = "x"', "upstream.connect: queue is a number"],
    ['name = "a", url = "http://a", nmspace = "/"', "upstream.connect: there is no option 'nmspace'"],
    ['name = "a", url = "http://a", namespace = "b"', "upstream.connect: a: a namespace begins with /"],
    ['name = "a", url = "http://a", auth = { 1 }', "upstream.connect: a: auth is a table with names"],
    ['name = "a", url = "http://a", transports = { "carrier pigeon" }', "upstream.connect: a: a transport is"],
    ['name = "a", url = "http://a" }\nrequire("plugin.upstream").connect { name = "a", url = "http://b"',
      "upstream.connect: there is a connection 'a' already: share it by a module", 3],
  ]) {
    const { status, stdout, stderr } = check(options);
    assert.strictEqual(status, 1, options);
    assert.ok((stdout + stderr).includes(`app/main.lua:${line}: ${complaint}`), stdout + stderr);
  }
});
