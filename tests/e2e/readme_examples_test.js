"use strict";
// Every example of scripts/README.md runs, and does what its comments and the text beside it say. An
// example has its scenario in SCENARIOS, under its section's heading, in their order.

const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { describe, it } = require("node:test");
const { execFile, spawn } = require("node:child_process");
const { promisify } = require("node:util");
const jwt = require("jsonwebtoken");
const { Broker, BINARY, ROOT, scriptsFolder } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { brokenLinks, luaFile, readExamples, shown } = require("./lib/examples");
const { event, until, within, DEADLINE_MS } = require("./lib/wait");

const DOCUMENT = path.join(ROOT, "scripts/README.md");
const PYTHON = path.join(ROOT, "build/venv/bin/python");
const EXAMPLES = readExamples(DOCUMENT);
const execute = promisify(execFile);

/// Runs a command of the binary to its end, beside the other scenarios: {status, stdout, stderr}.
async function moonwire(...args) {
  try {
    return { status: 0, ...(await execute(BINARY, args, { timeout: DEADLINE_MS })) };
  } catch (error) {
    if (typeof error.code !== "number") throw error;
    return { status: error.code, stdout: error.stdout, stderr: error.stderr };
  }
}

/// A broker and its clients for one scenario.
class Stage {
  clients = new Clients();

  constructor(broker) {
    this.broker = broker;
  }

  open(nsp = "/shop", options = {}) {
    return this.clients.open(this.broker, nsp, { auth: { token: "t" }, ...options });
  }

  /// What the example's handler returns.
  async run(...args) {
    const socket = await this.open();
    return ask(socket, "run", ...args);
  }

  /// {status, body, headers} of an HTTP request; `body` is decoded if it is JSON.
  async request(method, where, json) {
    const response = await fetch(this.broker.url + where, {
      method, body: json && JSON.stringify(json), headers: json && { "content-type": "application/json" },
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type"));
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }
}

const ask = (socket, name, ...args) => within(socket.emitWithAck(name, ...args), `answer to ${name}`);
/// All values of an acknowledgement.
const askAll = (socket, name, ...args) =>
  within(new Promise((resolve) => socket.emit(name, ...args, (...values) => resolve(values))), `answer to ${name}`);

/// Notes every event of these clients: heard("hello") is a list of [client's name, …arguments].
function listen(sockets) {
  const all = [];
  for (const [name, socket] of Object.entries(sockets))
    socket.onAny((event, ...args) => all.push([event, name, ...args.filter((arg) => typeof arg !== "function")]));
  return (event) => all.filter(([name]) => name === event).map(([, ...rest]) => rest);
}

/// Runs Lua as it is served: `moonwire check` finds no error in it, and a broker's log has none.
/// `options` are luaFile's, and
/// - `example`: changes the block's text first, where it can't be run as it is read;
/// - `files`: {path: Lua or other text} beside it; `path`: its own (its first line may say it);
/// - `settings`, `env`: the broker's.
function served(options, play) {
  return async (block, t) => {
    const named = /^-- (\S+\.lua)$/m.exec(block.text)?.[1];
    const text = options.example ? options.example(block.text) : block.text;
    const files = { [options.path ?? named ?? "shop/example.lua"]: luaFile({ ...block, text }, options), ...options.files };
    const sets = Object.entries(options.settings ?? {}).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const folder = scriptsFolder(files);
    try {
      const { status, stdout } = await moonwire("check", folder, ...sets);
      assert.strictEqual(status, 0, stdout);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
    const broker = await Broker.start({
      scripts: files, settings: options.settings, env: { TZ: "UTC", ...options.env },
    });
    const stage = new Stage(broker);
    try {
      await play(stage, block, t);
    } catch (error) {
      error.message += `\nlog:\n${broker.stderr}`;
      throw error;
    } finally {
      stage.clients.closeAll();
      await broker.stop();
    }
  };
}

const ORDERS = EXAMPLES.find((each) => each.section === "Types" && each.language === "lua");
/// The app of section Types, which announces what is ordered, and what `moonwire types` writes of it.
const typed = (format, file, play) => served({
  path: "shop/orders.lua",
  example: () => ORDERS.text.replace("return { number", 'ns:emit("ordered", order) return { number'),
  settings: { "scripts.check_emits": true },
}, async (stage, block, t) => {
  const folder = scriptsFolder({});
  try {
    const made = await moonwire(
      "types", path.join(stage.broker.folder, "shop"), "--format", format, "--output", path.join(folder, file));
    assert.deepStrictEqual(made, { status: 0, stdout: "", stderr: "" });
    await play(stage, block, folder, t);
    assert.deepStrictEqual(stage.broker.lines("warn"), []);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

const HANDLERS = EXAMPLES.find((each) => each.section === "Handlers");

/// A program's output comes to be this (a text, or a pattern); then it has served.
async function prints(program, args, folder, expected) {
  const child = spawn(program, args, { cwd: folder });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  try {
    await until(() => (expected.test ? expected.test(output) : output === expected), `${expected} printed`);
  } catch (error) {
    error.message += `\nprinted:\n${output}`;
    throw error;
  } finally {
    child.kill("SIGKILL");
  }
}

/// A server of Node's in the place of https://api.example.com; `play` says what it answers.
const outside = (play) => async (block, t) => {
  const remote = {};
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    remote.seen = { method: request.method, url: request.url, json: JSON.parse(Buffer.concat(chunks)) };
    remote.answer(remote.seen, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const example = (text) => text.replace("https://api.example.com", `http://127.0.0.1:${server.address().port}`);
    await served({ example, handler: true }, (stage) => play(stage, remote))(block, t);
  } finally {
    server.closeAllConnections();
    server.close();
  }
};

/// The app of section Settings, alone, together with others, and with the setting on the command line.
async function settings(block, t) {
  const toml = EXAMPLES.find((each) => each.section === "Settings" && each.language === "toml").text;
  const run = (expected, options) => served({
    example: shown,
    before: "local seen = {} local function show(value) seen[#seen + 1] = value == nil and null or value end",
    handler: true,
    returns: "seen",
    files: { "shop/moonwire.toml": toml },
    ...options,
  }, async (stage) => assert.deepStrictEqual(await stage.run(), expected))(block, t);
  const env = { HOME: "/home/x" };
  await run([100, "moon", "/home/x"], { env });
  await run([100, "7", "/home/x"], { env: { ...env, SHOP_SUPPLIER: "7" } });
  await run([7, "moon", "/home/x"], { env, settings: { "settings.stock.limit": 7 } });
  await run([100, "moon", "/home/x"], { env, path: "shop.lua", files: { "moonwire.toml": toml } });
  await run([50, null, "/home/x"], { env, files: {} });
}

const SCENARIOS = {
  "A script": [
    served({
      files: {
        "shop/lib/prices.lua": "return { cup = 2 }",
        "shop/more.lua": 'namespace("/shop"):on("price", function(_, item) return require("lib.prices")[item] end)',
      },
    }, async (stage) => {
      assert.strictEqual(await ask(await stage.open(), "price", "cup"), 2);
    }),
  ],

  "Handlers": [
    served({
      files: {
        "ops/main.lua": `namespace("/ops"):on("ask", function()
          namespace_of("/shop"):server_emit("restock", "moon", 3)
          return ask("/shop", "count", "moon")
        end)`,
      },
      settings: { "log.level": "debug" },
    }, async (stage) => {
      const refused = stage.clients.make(stage.broker, "/shop");
      const [error] = await event(refused, "connect_error");
      assert.strictEqual(error.message, "no token");
      assert.strictEqual(error.data.code, "unauthorized");

      const a = await stage.open(), b = await stage.open();
      assert.deepStrictEqual(await ask(a, "buy", { item: "cup" }), { ok: true });
      const soldOut = { code: "sold_out", message: "no moons left", data: { item: "moon" } };
      assert.deepStrictEqual(await ask(a, "buy", { item: "moon" }), { error: soldOut });
      const told = event(a, "error");
      a.emit("buy", { item: "moon" });
      assert.deepStrictEqual(await told, [soldOut]);
      const invalid = await ask(a, "buy", {});
      assert.strictEqual(invalid.error.code, "invalid");
      assert.match(invalid.error.message, /^item: /);

      assert.strictEqual(await ask(a, "add", 2, 3), 5);
      assert.strictEqual((await ask(a, "add", 2, "3")).error.code, "invalid");
      let answered = false;
      a.emit("quiet", () => (answered = true));
      const forbidden = { error: { code: "forbidden", message: "not for you" } };
      assert.deepStrictEqual(await ask(a, "admin"), forbidden);
      assert.strictEqual(await ask(a, "add", 1, 1), 2);  // comes after what "quiet" would have been answered
      assert.strictEqual(answered, false);
      await stage.broker.logged(/ debug .*\bin quiet/);

      assert.strictEqual(await ask(await stage.open("/ops"), "ask"), 3);
      const left = event(b, "left"), { id } = a;
      a.disconnect();
      assert.deepStrictEqual(await left, [id]);
      await stage.broker.logged(new RegExp(` info .*bye ${id} client namespace disconnect`));
    }),
  ],

  "Sending": [
    served({
      // The second question to /ops stays without an answer; not for two seconds here.
      example: (text) => text.replace('namespace_of("/ops"):timeout(2)', 'local late, too_late = namespace_of("/ops"):timeout(0.05)'),
      before: 'ns:on_connect(function(socket) socket:join(socket.handshake.auth.room or "muted") end)',
      handler: true,
      returns: `{ answer = answer, why = why, replies = replies, n = n, late = late, too_late = too_late,
                  moved = ns:to("room-2"):count() }`,
      files: {
        "ops/main.lua": `local ns, asked = namespace "/ops", 0
          ns:on_connect(function(socket) socket:join("staff") end)
          ns:serve("status", function() asked = asked + 1 if asked == 2 then sleep(1) end return "open" end)`,
      },
    }, async (stage) => {
      const inRoom = { auth: { room: "room-1" } };
      const a = await stage.open("/shop", inRoom), b = await stage.open("/shop", inRoom);
      const muted = await stage.open(), staff = await stage.open("/ops");
      const heard = listen({ a, b, muted, staff });
      a.on("confirm?", (number, answer) => answer(number * 2));
      a.on("poll", (answer) => answer("a"));
      b.on("poll", (answer) => answer("b"));
      const { replies, ...rest } = await ask(a, "run");
      assert.deepStrictEqual(rest, { answer: 14, n: 2, too_late: "timeout", moved: 2 });
      assert.deepStrictEqual(replies.flat().sort(), ["a", "b"]);
      await until(() => heard("tick").length === 1 && heard("alarm").length === 1, "tick and alarm");
      await until(() => heard("news").length === 7, "all news");
      assert.deepStrictEqual(heard("hello"), [["a", { id: a.id }]]);
      assert.deepStrictEqual(heard("joined").sort(), [["b", a.id], ["muted", a.id]]);
      assert.deepStrictEqual(heard("typing"), [["b"]]);
      assert.deepStrictEqual(heard("alarm"), [["staff"]]);
      assert.deepStrictEqual(heard("news").sort(), [
        ["a", "for a room"], ["a", "for all"], ["a", "not for them"],
        ["b", "for a room"], ["b", "for all"], ["b", "not for them"], ["muted", "for all"]]);
      const [[, time]] = heard("tick");
      assert.ok(time > 1.7e9, time);
      for (const { id } of [a, b]) await stage.broker.logged(new RegExp(` info .*(?<![\\w-])${id}(?![\\w-])`));
    }),
  ],

  "Relay": [
    served({
      before: `ns:use(function(socket) socket.data.user = { type = socket.handshake.auth.type } end)
               ns:on_connect(function(socket) socket:join("order:7") end)`,
    }, async (stage) => {
      const driver = await stage.open("/shop", { auth: { type: "driver" } });
      const rider = await stage.open("/shop", { auth: { type: "rider" } });
      const heard = listen({ driver, rider });
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(driver, "typing", i)));
      assert.deepStrictEqual(answers.slice(0, 5), Array(5).fill(undefined));
      assert.ok(answers.some((answer) => answer?.error.code === "rate_limited"), JSON.stringify(answers));
      const at = { orderId: 7, lat: 13.5, lng: 1 };
      assert.strictEqual(await ask(driver, "vehicle:position_update", at), undefined);
      assert.strictEqual((await ask(driver, "vehicle:position_update", { ...at, lat: "x" })).error.code, "invalid");
      assert.strictEqual((await ask(rider, "vehicle:position_update", at)).error.code, "forbidden");
      await until(() => heard("moved").length, "the position");
      assert.deepStrictEqual(heard("moved"), [["rider", at]]);
      assert.ok(heard("typing").every(([who]) => who === "rider"));
    }),
    served({
      before: 'ns:on_connect(function(socket) socket:join("hall") end)',
    }, async (stage) => {
      const a = await stage.open(), b = await stage.open();
      const noted = event(b, "noted");
      assert.strictEqual(await ask(a, "note", "hall", { b: [1.5], a: null }), undefined);
      assert.deepStrictEqual(await noted, [{ b: [1.5], a: null }]);
      await stage.broker.logged(/ info .*noted (?=.*bytes=20\b).*note=/);
    }),
  ],

  "Clients that come back": [
    served({
      before: "ns:use(function(socket) socket.data.name = socket.handshake.auth.name end)",
      settings: { "recovery.enabled": true, "recovery.max_disconnection_seconds": 3 },
    }, async (stage) => {
      const stays = await stage.open();
      const ann = stage.clients.make(stage.broker, "/shop", { auth: { name: "ann" } });
      const heard = listen({ ann, stays });
      await until(() => heard("welcome").length === 1, "welcome");
      const bob = await stage.open("/shop", { auth: { name: "bob" }, reconnection: false });
      const { id } = ann;
      ann.io.engine.close();
      await event(ann, "connect");
      assert.deepStrictEqual([ann.recovered, ann.id], [true, id]);
      bob.io.engine.close();
      await until(() => heard("left").length === 2, "bob is gone");
      assert.deepStrictEqual(heard("left").map(([who, name]) => [who, name]).sort(), [["ann", "bob"], ["stays", "bob"]]);
      assert.strictEqual(heard("welcome").length, 1);
    }),
  ],

  "Values": [
    served({
      example: shown,
      before: `local seen = {}
        local function show(...)
          local texts = {}
          for i = 1, select("#", ...) do
            local value = select(i, ...)
            texts[i] = value == nil and "nil" or type(value) == "string" and value or json.encode(value)
          end
          table.insert(seen, texts)
        end`,
      handler: true,
      returns: `{ seen, null and true, null == json.decode("null"), json.encode(json.decode("[]")), #bytes("ab"),
        is_bytes(bytes("")), is_bytes(""), pcall(json.encode, 0 / 0), pcall(json.encode, { 1, x = 2 }) }`,
    }, async (stage) => {
      const [seen, ...rest] = await stage.run();
      const [nothing, array, binary, object, [decoded, why]] = seen;
      assert.deepStrictEqual([nothing, array, binary, object], [["null"], ["[]"], ["\u0001\u0002"], ['{"a":1}']]);
      assert.strictEqual(decoded, "nil");
      assert.ok(why);
      assert.deepStrictEqual(rest.slice(0, 7), [true, true, "[]", 2, true, false, false]);
    }),
  ],

  "Schema": [
    served({
      after: `ns:on("check", S, function(_, value) return value end)
        ns:on("pickup", schema.object { pickup = Point }, function() return true end)
        ns:on("by hand", function() return { value == nil, problem.path, problem.rule, problem.message, problem.expected, problem.got } end)`,
    }, async (stage) => {
      const socket = await stage.open();
      const good = { name: "ann", note: null, kind: "a", tags: [], sizes: { x: 1 }, id: 1, done: true, rest: [] };
      assert.deepStrictEqual(await ask(socket, "check", good), { ...good, level: 1 });
      const more = { ...good, age: 3, level: 9, kind: 3, id: "x", photo: Buffer.alloc(1000) };
      assert.deepStrictEqual(await ask(socket, "check", more), more);
      for (const [field, wrong] of Object.entries({
        name: "1", age: -1, level: 10, note: 1, kind: "c", tags: ["", "", "", "", "", ""], sizes: { x: "" }, id: 1.5,
        photo: Buffer.alloc(1001), done: 1, rest: undefined,
      })) {
        const { error } = await ask(socket, "check", { ...good, [field]: wrong });
        assert.strictEqual(error?.code, "invalid", field);
        assert.ok(error.message.startsWith(field), error.message);
      }
      const [nothing, where, rule, message, expected, got] = await ask(socket, "by hand");
      assert.deepStrictEqual([nothing, where], [true, "$.done"]);
      for (const text of [rule, message, expected, got]) assert.ok(text, text);

      const document = fs.readFileSync(DOCUMENT, "utf8").replace(/\s+/g, " ");
      for (const pickup of [{ lat: 91.2, lng: 0 }, { lat: 1, lgn: 1 }, { lat: 1, lng: 1, latt: 3 }]) {
        const { error } = await ask(socket, "pickup", { pickup });
        assert.ok(document.includes(`\`${error.message}\``), error.message);
        assert.deepStrictEqual(Object.keys(error.data).sort(), ["expected", "got", "path", "rule"]);
      }
    }),
  ],

  "Types": [
    served({}, async (stage) => {
      assert.deepStrictEqual(await ask(await stage.open(), "order", { item: "sun" }), { number: 7 });
    }),
    typed("typescript", "shop.ts", async (stage, block, folder) => {
      fs.symlinkSync(path.join(__dirname, "node_modules"), path.join(folder, "node_modules"));
      fs.writeFileSync(path.join(folder, "package.json"), '{"type": "module"}');
      fs.writeFileSync(path.join(folder, "main.ts"), block.text.replace("http://localhost:3000", stage.broker.url));
      await execute(process.execPath, [
        require.resolve("typescript/bin/tsc"), "--strict", "--target", "es2022", "--module", "es2022",
        "--moduleResolution", "bundler", "--skipLibCheck", "--types", "node", "main.ts",
      ], { cwd: folder }).catch((error) => assert.fail(error.stdout));
      await prints(process.execPath, ["main.js"], folder, "7\n");
    }),
    typed("python", "shop.py", async (stage, block, folder, t) => {
      if (!fs.existsSync(PYTHON)) return t.skip("build/venv is missing: ./bootstrap test e2e makes it");
      fs.writeFileSync(path.join(folder, "main.py"), block.text.replace("http://localhost:3000", stage.broker.url));
      await prints(PYTHON, ["-u", "main.py"], folder, /^(?=[^]*^sun$)(?=[^]*^\{'number': 7\}$)[^]*^\d+ \d\.\d+(e-\d+)?$/m);
    }),
  ],

  "Time": [
    served({
      handler: true,
      returns: "{ a, b, iso_time(0), timer:cancel() }",
      files: {
        "shop/a.lua": 'namespace("/a"):serve("x", function() return 1 end)',
        "shop/b.lua": 'namespace("/b"):serve("y", function() sleep(0.01) return 2 end)',
      },
    }, async (stage) => {
      assert.deepStrictEqual(await stage.run(), [1, 2, "1970-01-01T00:00:00.000Z", true]);
    }),
    served({
      files: { "shop/prices.lua": 'namespace("/prices"):serve("of", function() sleep(0.01) return 5 end)' },
    }, async (stage) => {
      const socket = await stage.open();
      const bought = await Promise.all([1, 2, 3].map(() => askAll(socket, "buy", "cup")));
      assert.deepStrictEqual(bought, [[5, 9], [5, 8], [5, 7]]);
    }),
  ],

  "Outside": [
    served({
      after: 'ns:on("made", function() return ns.state.made end)',
    }, async (stage) => {
      const found = await stage.request("GET", "/shop/items/1");
      assert.deepStrictEqual([found.status, found.body], [200, { id: 1 }]);
      assert.strictEqual(found.headers.get("cache-control"), "no-store");
      const missing = await stage.request("GET", "/shop/items/2");
      assert.strictEqual(missing.status, 404);
      assert.match(JSON.stringify(missing.body), /no such item/);
      const made = await stage.request("POST", "/shop/items", { name: "cup" });
      assert.deepStrictEqual([made.status, made.body], [201, { name: "cup" }]);
      assert.strictEqual((await stage.request("POST", "/shop/items", {})).status, 422);
      await stage.broker.logged(/ info .*made .*name=cup/);
      const socket = await stage.open();
      assert.strictEqual(await ask(socket, "made"), 1);
      const file = "shop/example.lua";
      stage.broker.write(file, fs.readFileSync(path.join(stage.broker.folder, file), "utf8") + "\n-- saved\n");
      await until(async () => (await ask(socket, "made")) === null, "on_reload's migration");
    }),
    outside(async (stage, remote) => {
      remote.answer = (request, response) => response.setHeader("content-type", "application/json").writeHead(201)
        .end(JSON.stringify({ id: 5, ...request.json }));
      assert.strictEqual(await stage.run(), true);
      assert.deepStrictEqual(remote.seen, { method: "POST", url: "/items", json: { name: "moon" } });
      await stage.broker.logged(/ info .*made (?=.*id=5\b).*status=201\b/);
      remote.answer = (request, response) => response.writeHead(404).end();
      assert.strictEqual(await stage.run(), true);
      remote.answer = (request, response) => response.socket.destroy();
      const { error } = await stage.run();
      assert.deepStrictEqual([error.code, error.message], ["upstream", "connection closed"]);
    }),
    served({
      settings: { "settings.token": "t" },
    }, async (stage) => {
      const handshake = "/socket.io/?EIO=4&transport=polling";
      const refused = await stage.request("GET", handshake);
      assert.strictEqual(refused.status, 403);
      assert.deepStrictEqual(refused.body, { code: 4, message: "no token" });
      const { headers } = await stage.request("GET", `${handshake}&token=t`);
      assert.strictEqual(headers.get("set-cookie"), "seen=1; Path=/; HttpOnly");
      await stage.open("/shop", { query: { token: "t" } });
    }),
    served({
      after: `ns:use(function(socket) if socket.handshake.auth.guess then fail("unauthorized", "no") end end)
ns:on_connect(function(socket) socket:join("staff") end)`,
    }, async (stage) => {
      const staff = await stage.open();
      const told = event(staff, "incident");
      const guess = stage.clients.make(stage.broker, "/shop", { auth: { guess: 1 }, reconnection: false });
      await event(guess, "connect_error");
      const [incident] = await told;
      assert.strictEqual(incident.kind, "auth_failed");
      assert.deepStrictEqual([incident.address, incident.nsp, incident.count], ["127.0.0.1", "/shop", 1]);
      await stage.broker.logged(/ warn .*guessing\? .*address=127\.0\.0\.1/);
    }),
  ],

  "Store": [
    served({}, async (stage) => {
      const socket = await stage.open("/shop", { auth: { user: "ann" } });
      assert.deepStrictEqual(await ask(socket, "save", { cup: 2 }), { cup: 2 });
      await ask(await stage.open("/shop", { auth: { user: "bob" } }), "save", { cup: 1 });
      assert.deepStrictEqual(await ask(socket, "carts"), [
        { key: "cart:ann", value: { cup: 2 } }, { key: "cart:bob", value: { cup: 1 } }]);
      assert.deepStrictEqual(await ask(socket, "carts", "cart:ann"), [{ key: "cart:bob", value: { cup: 1 } }]);
      const left = [];
      for (let i = 0; i < 10; i++) left.push(await ask(socket, "buy", "moon"));
      assert.deepStrictEqual(left, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
      assert.strictEqual((await ask(socket, "buy", "moon")).error.code, "sold_out");
    }),
    served({}, async (stage) => {
      const socket = await stage.open();
      const ids = [];
      for (let i = 1; i <= 60; i++) ids.push(await ask(socket, "say", "moon", `${i}`));
      const newest = await ask(socket, "history", "moon");
      assert.deepStrictEqual(newest.map((each) => each.value.text), Array.from({ length: 50 }, (_, i) => `${i + 11}`));
      assert.ok(newest.every((each) => each.value.from === socket.id && each.at > 1e9));
      const before = await ask(socket, "history", "moon", newest[0].id);
      assert.deepStrictEqual(before.map((each) => each.id), ids.slice(0, 10));
      assert.deepStrictEqual((await ask(socket, "missed", "moon", ids[57])).map((each) => each.id), ids.slice(58));
    }),
    served({}, async (stage) => {
      const ann = await stage.open("/shop", { auth: { user: "ann" } });
      for (const text of ["one", "two"]) await ask(ann, "message", "bob", text);
      const heard = [];
      const bob = stage.clients.make(stage.broker, "/shop", { auth: { user: "bob" } });
      bob.on("message", (text, acknowledge) => {
        heard.push(text);
        acknowledge();
      });
      await until(() => heard.length === 2, "what was queued");
      await ask(ann, "message", "bob", "three");
      await until(() => heard.length === 3, "what is sent at once");
      assert.deepStrictEqual(heard, ["one", "two", "three"]);
    }),
    served({ after: 'ns:on_connect(function(socket) socket:join("staff") end)' }, async (stage) => {
      const socket = await stage.open();
      const reminded = event(socket, "remind");
      assert.match(await ask(socket, "remind me", { order: 7 }, 0.1), /^[0-9a-f]{16}-/);
      assert.deepStrictEqual(await reminded, [{ order: 7 }]);
    }),
  ],

  "Tokens": [
    served({
      settings: { "plugins.load": "jwt", "plugins.jwt.secret": "a secret of more than thirty-two bytes" },
    }, async (stage) => {
      const token = (claims, expiresIn = 60) =>
        jwt.sign({ sub: "u1", ...claims }, "a secret of more than thirty-two bytes", { expiresIn });
      const socket = await stage.open("/shop", { auth: { token: token({ role: "driver" }) } });
      assert.strictEqual(await ask(socket, "whoami"), "u1");
      const later = token({ type: "admin" }, 600);
      assert.strictEqual(await ask(socket, "renew", later), jwt.decode(later).exp);
      const { error } = await ask(socket, "renew", token({ role: "driver" }, -1));
      assert.deepStrictEqual(error, { code: "token_expired", message: "the token has expired" });
      const refused = await stage.open("/shop", { auth: { token: token({ role: "rider" }) } }).catch((why) => why);
      assert.deepStrictEqual(refused.data, { code: "forbidden" });
      const report = (role) => stage.request("GET", `/shop/report?token=${token({ roles: [role] })}`);
      assert.deepStrictEqual((await report("admin")).body, { by: "u1" });
      assert.strictEqual((await report("driver")).status, 403);
      assert.strictEqual((await stage.request("GET", "/shop/report")).status, 401);
    }),
  ],

  "Geo": [
    served({
      handler: true,
      returns: "{ ids, metres, index:count(), (geo.distance(40.71, -74.00, 40.75, -73.98)) }",
    }, async (stage) => {
      const [ids, metres, count, distance] = await stage.run();
      assert.deepStrictEqual([ids, metres, count], [["a"], [0], 0]);
      assert.ok(Math.abs(distance - 4757) < 10, String(distance));
    }),
  ],

  "Metrics": [
    served({ settings: { "plugins.load": "metrics" } }, async (stage) => {
      const socket = await stage.open();
      for (let i = 0; i < 3; ++i) await ask(socket, "queue");
      await ask(socket, "checkout", "cup", "left", 2);
      const page = await (await fetch(`${stage.broker.url}/metrics`)).text();
      for (const line of [
        'shop_sold_total{namespace="/shop",item="cup"} 1', 'shop_waiting{namespace="/shop"} 2',
        'shop_checkout_seconds_bucket{namespace="/shop",desk="left",le="5"} 1',
      ]) assert.ok(page.includes(`${line}\n`), `${line} in\n${page}`);
    }),
  ],

  "Settings": [
    (block) => assert.match(block.text, /^# shop\/moonwire\.toml\n/),  // goes into the next one's app
    (block, t) => settings(block, t),
  ],

  "Checking": [
    async (block) => {
      const folder = scriptsFolder({ "shop/stock.lua": `local ns, schema = namespace "/shop", require "schema"

ns:emits("left", schema.string())


ns:on_connect(function(socket)
  socket:emitt("left", "x")
  socket:emit("lfet", "x")
end)
` });
      try {
        const { status, stdout } = await moonwire("check", folder);
        assert.strictEqual(status, 1);
        assert.strictEqual(stdout, `${block.text}1 error(s), 1 warning(s)\n`);
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    },
  ],

  "Testing": [
    async (block) => {
      const folder = scriptsFolder({ "shop/handlers.lua": luaFile(HANDLERS), "shop/stock_test.lua": block.text });
      try {
        const { status, stdout, stderr } = await moonwire("test", folder);
        assert.strictEqual(status, 0, stdout + stderr);
        assert.match(stdout, /\b2 passed/);
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    },
  ],
};

describe("the documents", { concurrency: 4 }, () => {
  it("have a scenario for each example of scripts/README.md, and no other", () => {
    const counts = {};
    for (const { section } of EXAMPLES) counts[section] = (counts[section] ?? 0) + 1;
    const scenarios = Object.fromEntries(Object.entries(SCENARIOS).map(([name, list]) => [name, list.length]));
    assert.deepStrictEqual(scenarios, counts, "scenarios (actual) and examples (expected) by section");
  });

  for (const file of ["scripts/README.md", "README.md", "core/README.md", "tests/README.md", "scripts/transit/README.md"])
    it(`have links that lead somewhere: ${file}`, () => assert.deepStrictEqual(brokenLinks(path.join(ROOT, file)), []));

  for (const block of EXAMPLES) {
    const scenario = SCENARIOS[block.section]?.[block.number - 1];
    if (scenario) it(`${block.section} ${block.number} (${block.language})`, (t) => scenario(block, t));
  }
});
