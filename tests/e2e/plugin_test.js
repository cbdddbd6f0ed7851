"use strict";
// Plugins in a running broker: what scripts and HTTP clients see of them, and what a bad one does.

const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const { after } = test;
const { io } = require("socket.io-client");
const { Broker, BINARY, moonwire, scriptsFolder } = require("./lib/broker");
const { event, within } = require("./lib/wait");

const PLUGINS = path.join(path.dirname(BINARY), "tests/plugin");
const SAMPLE = path.join(PLUGINS, "sample.so");

const SCRIPT = `
local ns = namespace "/"
local sample = require "plugin.sample"
local greeting = sample.greeting()          -- immediate: also while the file loads
ns:on_connect(function(socket) socket:join("here") end)
ns:on("greeting", function() return greeting end)
ns:on("later", function(socket, ...) return sample.later(...) end)
ns:on("nothing", function() return sample.nothing() end)
ns:on("fail", function() return sample.fail() end)
ns:on("throw", function() return sample.throw() end)
ns:on("throw_later", function() return sample.throw_later() end)
ns:on("error", function() return sample.error() end)
ns:on("drop", function() return sample.drop() end)
ns:on("keep", function() return sample.keep() end)
ns:on("emit", function(socket, ...) return sample.emit(...) end)
sample.want("port", { number = 1 })
sample.handle("asked", function(what, ...)
  if what == "fail" then fail("teapot", "short") end
  sleep(0.01)
  return what, ...
end)
ns:on("ask", function(socket, ...) return sample.ask(...) end)
ns:on("fetch", function(socket, url) return sample.fetch(url) end)
ns:on("stats", function() return sample.stats().plugins end)
ns:on_server("delivered", function(...) ns:emit("got", ...) end)
`;

async function start(options = {}) {
  const { settings, ...rest } = options;
  return Broker.start({
    scripts: { "app/main.lua": SCRIPT }, settings: { "plugins.load": SAMPLE, ...settings }, ...rest,
  });
}

async function connect(broker) {
  const socket = io(broker.url, { transports: ["websocket"], reconnection: false });
  after(() => socket.close());  // one that a failed test leaves would keep this process alive
  await event(socket, "connect");
  return socket;
}

const ask = (socket, ...args) => within(
  new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer))), `answer to ${args[0]}`);

test("a plugin's functions, routes, events and settings", async (t) => {
  const broker = await start({ toml: '[plugins.sample]\ngreeting = "hi"\n' });
  const socket = await connect(broker);

  await t.test("scripts call its functions, at once or waiting", async () => {
    assert.deepStrictEqual(await ask(socket, "greeting"), ["hi"]);
    assert.deepStrictEqual(await ask(socket, "later", 1, { a: null }, Buffer.from([1, 2])),
      [1, { a: null }, Buffer.from([1, 2])]);
    assert.deepStrictEqual(await ask(socket, "nothing"), [null, "not today"]);
    assert.deepStrictEqual(await ask(socket, "fail"),
      [{ error: { code: "teapot", message: "short and stout", data: { handle: 1 } } }]);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(socket, "later", i)));
    assert.deepStrictEqual(answers, Array.from({ length: 100 }, (_, i) => [i]));
  });

  await t.test("what it throws costs the one call, and is logged with its name", async () => {
    for (const name of ["throw", "throw_later", "error", "drop"]) {
      assert.deepStrictEqual(await ask(socket, name),
        [{ error: { code: "internal", message: "internal error" } }]);
    }
    await broker.logged(/plugin failed plugin=sample in=throw reason="thrown as told"/);
    await broker.logged(/plugin failed plugin=sample in=throw_later/);
    await broker.logged(/plugin\.sample\.drop gave no answer namespace=\/ event=drop handler=app\/main\.lua:/);
    assert.deepStrictEqual(await ask(socket, "greeting"), ["hi"]);
  });

  await t.test("it emits to rooms and to on_server", async () => {
    const heard = Promise.all([event(socket, "sampled"), event(socket, "got")]);
    assert.deepStrictEqual(await ask(socket, "emit", { a: 1 }, "b"), [true]);
    assert.deepStrictEqual(await heard, [[{ a: 1 }, "b"], [{ a: 1 }, "b"]]);
  });

  await t.test("it asks its own handlers, and is told what the scripts want", async () => {
    assert.deepStrictEqual(await ask(socket, "ask", { a: 1 }, Buffer.from([1])), [{ a: 1 }, Buffer.from([1])]);
    assert.deepStrictEqual(await ask(socket, "ask", "fail"),
      [{ error: { code: "teapot", message: "short" } }]);
    await broker.logged(/wanted plugin=sample nsp=\/ wants="?\[\[.*port.*number.*1/);
  });

  await t.test("it asks other servers, and for the broker's figures", async () => {
    assert.deepStrictEqual(await ask(socket, "fetch", `${broker.url}/healthz`), [200, 3]);
    assert.strictEqual((await ask(socket, "fetch", "nonsense:"))[0], null);
    assert.deepStrictEqual(await ask(socket, "stats"), [["sample"]]);
    assert.deepStrictEqual((await broker.stats()).plugins, ["sample"]);
  });

  await t.test("its paths answer HTTP", async () => {
    const get = async (where, options) => {
      const response = await fetch(broker.url + where, options);
      return [response.status, await response.text()];
    };
    assert.deepStrictEqual(await get("/sample?a=1"), [200, "GET a=1 "]);
    assert.deepStrictEqual(await get("/sample", { method: "POST", body: "x" }), [200, "POST  x"]);
    assert.deepStrictEqual(await get("/sample", { method: "HEAD" }), [200, ""]);
    const refused = await fetch(`${broker.url}/sample`, { method: "PUT" });
    assert.deepStrictEqual([refused.status, refused.headers.get("allow")], [405, "HEAD, GET, POST"]);
    assert.deepStrictEqual(await get("/sample/below/x/y"), [203, "/sample/below/x/y"]);
    assert.deepStrictEqual(await get("/sample/throw"), [500, "Internal Server Error\n"]);
    assert.deepStrictEqual((await get("/sample/drop"))[0], 500);
    assert.strictEqual((await get("/sample/nothing"))[0], 404);
  });

  await t.test("the broker ends in order while a call is unanswered", async () => {
    socket.emit("keep");
    await ask(socket, "greeting");
    socket.close();
    await broker.stop({ expected: /sample|bug|in=event|throw|answer/ });
    assert.match(broker.stderr, /drained plugin=sample[^]*stopped plugin=sample/);
  });
});

test("settings come from variables and the command line, too", async () => {
  const broker = await start({
    toml: '[plugins.sample]\ngreeting = "file"\n',
    env: { MOONWIRE_PLUGINS_SAMPLE_GREETING: "variable", MOONWIRE_PLUGINS_SAMPLE_LIMIT: "9" },
  });
  const socket = await connect(broker);
  assert.deepStrictEqual(await ask(socket, "greeting"), ["variable"]);
  socket.close();
  await broker.stop();
  const other = await start({
    settings: { "plugins.sample.greeting": "command line" },
    env: { MOONWIRE_PLUGINS_SAMPLE_GREETING: "variable" },
  });
  const second = await connect(other);
  assert.deepStrictEqual(await ask(second, "greeting"), ["command line"]);
  second.close();
  await other.stop();
});

test("plugins.load takes names, found by plugins.path, and paths from the file's folder", async () => {
  const broker = await Broker.start({
    scripts: { "main.lua": 'local ns = namespace "/"', "libs/own.so": "" },
    toml: `[plugins]\nload = ["needs_lone", "./libs/lone.so"]\npath = ["${PLUGINS}"]\n`,
    before: (folder) => fs.copyFileSync(path.join(PLUGINS, "lone.so"), path.join(folder, "libs/lone.so")),
  });
  await broker.logged(/started plugin=lone[^]*started plugin=needs_lone/);
  await broker.stop();
  assert.match(broker.stderr, /stopped plugin=needs_lone[^]*stopped plugin=lone/);
});

test("a plugin that can't be used ends the start, and moonwire check, with one line that says why", () => {
  const folder = scriptsFolder({ "main.lua": 'local ns = namespace "/"', "no_library.so": "#!/bin/sh\n" });
  const cases = [
    [`load = ["${PLUGINS}/other_version.so"]`, /other_version\.so: built for Moonwire 0\.0\.9, and this is \d/],
    [`load = ["${PLUGINS}/other_build.so"]`, /other_build\.so: built with gcc 4, libstdc\+\+ 4 old strings, and Moonwire with /],
    [`load = ["${PLUGINS}/no_plugin.so"]`, /no_plugin\.so: not a plugin: it has no symbol moonwire_plugin/],
    ['load = ["./no_library.so"]', /no_library\.so: file too short/],
    ['load = ["./missing.so"]', /missing\.so: no file /],
    ['load = ["missing"]', /missing: no missing\.so in /],
    [`load = ["needs_lone"]\npath = ["${PLUGINS}"]`, /plugin needs_lone needs plugin lone, which is not in plugins\.load/],
    [`load = ["circle_a", "circle_b"]\npath = ["${PLUGINS}"]`, /in a circle: circle_a -> circle_b -> circle_a/],
    [`load = ["${SAMPLE}"]\n[plugins.sample]\nfail_at = "configure"`, /plugin sample: configure failed as told/],
    [`load = ["${SAMPLE}"]\n[plugins.sample]\nlimit = 1000`, /plugins\.sample\.limit: expected a whole number from 1 to 100/, 4],
    [`load = ["${SAMPLE}"]\n[plugins.sample]\n\n[[plugins.sample.entry]]\nnam = "x"`, /plugins\.sample\.entry\[1\]\.name: expected a name/, 5],
  ];
  for (const [toml, reason, line = 2] of cases) {
    fs.writeFileSync(path.join(folder, "moonwire.toml"), `[plugins]\n${toml}\n`);
    const run = moonwire(["run", folder, "--port", "0"]);
    assert.strictEqual(run.status, 1, toml);
    assert.match(run.stderr, reason);
    assert.match(run.stderr, new RegExp(`^moonwire: .*moonwire\\.toml:${line}: `, "m"));
    assert.strictEqual(run.stderr.trim().split("\n").filter((each) => each.startsWith("moonwire: ")).length, 1);
    const check = moonwire(["check", folder]);  // which says all that is wrong, not only the first
    assert.strictEqual(check.status, 1, toml);
    assert.match(check.stdout, reason);
    assert.match(check.stdout, new RegExp(`moonwire\\.toml:${line}: `));
  }
  fs.writeFileSync(path.join(folder, "moonwire.toml"),
    `[plugins]\nload = ["${SAMPLE}"]\n[plugins.sample]\nfail_at = "start"\n`);
  const run = moonwire(["run", folder, "--port", "0"]);
  assert.strictEqual(run.status, 1);
  assert.match(run.stderr, /^moonwire: plugin sample: start failed as told$/m);
  // Nothing is started by a check.
  const check = moonwire(["check", folder]);
  assert.strictEqual(check.status, 0, check.stdout);
  fs.rmSync(folder, { recursive: true });
});

test("moonwire check warns of settings for a plugin that is not loaded", () => {
  const folder = scriptsFolder({
    "main.lua": 'local ns = namespace "/"', "moonwire.toml": "[plugins]\n[plugins.jwd]\nsecret = 1\n",
  });
  const check = moonwire(["check", folder]);
  assert.match(check.stdout, /moonwire\.toml:2: warning: plugins\.jwd: no such plugin is loaded/);
  assert.strictEqual(check.status, 0);
  fs.rmSync(folder, { recursive: true });
});

test("moonwire test runs scripts with the plugins, whose answers it waits for", () => {
  const folder = scriptsFolder({
    "main.lua": SCRIPT,
    "main_test.lua": `
      describe("sample", function()
        it("answers", function()
          local a = connect("/")
          expect(a:call("greeting")).to_equal("hello")
          expect(a:call("later", 7)).to_equal(7)
          expect(a:call("fail")).to_match { error = { code = "teapot" } }
          expect(a:call("fetch", "http://x/")).to_equal(null)
        end)
        it("fails by its time when a plugin never answers", function()
          connect("/"):call("keep")
        end)
      end)`,
    "moonwire.toml": `[plugins]\nload = ["${SAMPLE}"]\n`,
  });
  const run = moonwire(["test", folder, "--seconds", "1"]);
  assert.match(run.stdout, /1 passed, 1 failed/, run.stdout + run.stderr);
  assert.match(run.stdout, /FAILED sample > fails by its time/);
  fs.rmSync(folder, { recursive: true });
});

const SHELF = path.join(PLUGINS, "shelf.so");
const STORE_SCRIPT = `
local ns = namespace "/"
ns:on("set", function(_, ...) return ns.store:set(...) end)
ns:on("get", function(_, key) return ns.store:get(key) end)
ns:on("say", function(_, text) return ns.store:append("room", text) ~= nil end)
ns:on("history", function()
  local texts = {}
  for i, each in ipairs(ns.store:history("room")) do texts[i] = each.value end
  return texts
end)
`;
const shelved = (options = {}) => start({
  scripts: { "app/main.lua": STORE_SCRIPT }, ...options,
  settings: { "plugins.load": SHELF, "store.kind": "shelf", ...options.settings },
});

test("ns.store is kept by a plugin, which is told in order what it has to do", async () => {
  const broker = await shelved({ settings: { "plugins.load": `${SHELF},metrics` } });
  const socket = await connect(broker);
  assert.deepStrictEqual(await ask(socket, "get", "a"), [null]);
  assert.deepStrictEqual(await ask(socket, "set", "a", { b: [1, null] }), [true]);
  assert.deepStrictEqual(await ask(socket, "get", "a"), [{ b: [1, null] }]);
  await Promise.all(Array.from({ length: 50 }, (_, i) => ask(socket, "say", `text ${i}`)));
  assert.deepStrictEqual(await ask(socket, "history"), [Array.from({ length: 50 }, (_, i) => `text ${i}`)]);
  const text = await (await fetch(`${broker.url}/metrics`)).text();
  assert.match(text, /^moonwire_store_requests_total\{kind="write"\} 51$/m);
  assert.match(text, /^moonwire_store_request_seconds_count\{kind="read"\} 3$/m);
  socket.close();
  await broker.stop();
  assert.match(broker.stderr, /started plugin=shelf[^]*store made plugin=shelf/);
  assert.match(broker.stderr, /store closed plugin=shelf[^]*store gone plugin=shelf[^]*stopped plugin=shelf/);
});

test("a plugin's store that does what it must not costs the call, not the broker", async () => {
  const broker = await shelved();
  const socket = await connect(broker);
  for (const key of ["throw", "drop", "short"])
    assert.deepStrictEqual(await ask(socket, "set", key, 1), [null, "the store failed"]);
  await broker.logged(/plugin failed plugin=shelf in=store reason="thrown as told"/);
  await broker.logged(/plugin failed plugin=shelf in=store reason="a request was dropped without an answer"/);
  await broker.logged(/plugin failed plugin=shelf in=store reason="0 results of 1 operations"/);
  assert.deepStrictEqual(await ask(socket, "set", "twice", 1), [true]);
  assert.deepStrictEqual(await ask(socket, "get", "twice"), [1]);
  // One that is never answered keeps neither the others nor the end.
  socket.emit("set", "keep", 1);
  assert.deepStrictEqual(await ask(socket, "set", "a", 1), [true]);
  socket.close();
  await broker.stop({ expected: /plugin failed plugin=shelf in=store/ });
  assert.match(broker.stderr, /store gone[^]*in=store reason="a request was dropped without an answer"[^]*stopped/);
});

test("a store that is not there, or that can't be had, ends the start with one line that says why", () => {
  const folder = scriptsFolder({ "main.lua": 'local ns = namespace "/"' });
  const write = (load, more) => fs.writeFileSync(path.join(folder, "moonwire.toml"),
    `[plugins]\nload = [${load}]\n[store]\nkind = "shelf"\n${more}`);
  const env = { XDG_STATE_HOME: folder };
  const says = (command, options, reason) => {
    const run = moonwire([command, folder, ...options], { env });
    assert.strictEqual(run.status, 1, run.stdout);
    assert.match(run.stdout + run.stderr, reason);
    return run;
  };
  for (const [load, there] of [["", "sqlite or memory"], [`"${SAMPLE}"`, "sqlite or memory"]]) {
    write(load, "");
    for (const [command, ...options] of [["run", "--port", "0"], ["check"], ["test"]])
      says(command, options, new RegExp(`moonwire\\.toml:4: store\\.kind: no store "shelf", expected ${there}$`, "m"));
  }
  write(`"${SHELF}"`, "");
  says("run", ["--set", "store.kind=shelves"],
    /^moonwire: command line: store\.kind: no store "shelves", expected sqlite, memory or shelf$/m);
  assert.strictEqual(moonwire(["check", folder], { env }).status, 0);
  // Of an app's own file, all is checked that can be.
  for (const [plugins, status] of [["", 1], ['[plugins]\nload = ["./unknown.so"]\n', 0]]) {
    const apps = scriptsFolder({
      "app/main.lua": 'local ns = namespace "/"', "app/moonwire.toml": `[store]\nkind = "shelf"\n${plugins}`,
    });
    const check = moonwire(["check", apps], { env });
    assert.strictEqual(check.status, status, check.stdout);
    if (status)
      assert.match(check.stdout, /app\/moonwire\.toml:2: store\.kind: no store "shelf", expected sqlite or memory$/m);
    fs.rmSync(apps, { recursive: true });
  }
  for (const [at, reason] of [
    ["make", "no store as told"], ["null", "it made no store"],
    ["store_start", "shelf\\.db: it is full of books"], ["store_throws", "its start failed as told"],
  ]) {
    write(`"${SHELF}"`, `[plugins.shelf]\nfail_at = "${at}"\n`);
    const run = says("run", ["--port", "0"], new RegExp(`^moonwire: plugin shelf: ${reason}$`, "m"));
    assert.match(run.stderr, /stopped plugin=shelf/);
    // Nothing is made by a check.
    assert.strictEqual(moonwire(["check", folder], { env }).status, 0);
  }
  fs.rmSync(folder, { recursive: true });
});
