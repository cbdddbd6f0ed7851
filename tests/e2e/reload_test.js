"use strict";
// Editing a live system: what saving a file does, and what it leaves alone.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it, beforeEach, afterEach } = require("node:test");
const { Broker, scriptsFolder, moonwire } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { event, until } = require("./lib/wait");

const handler = (nsp, version, extra = "") => `
local ns = namespace "${nsp}"
ns:on("version", function() return ${version} end)
${extra}
`;

describe("saving a script", () => {
  let broker;
  const clients = new Clients();
  beforeEach(async () => {
    broker = await Broker.start({
      scripts: {
        "app/main.lua": handler("/a", 1),
        "app/other.lua": `local lib = require "lib.v"\n${handler("/b", "lib.v")}`,
        "app/lib/v.lua": "return { v = 1 }",
        "app/lib/unused.lua": "return {}",
      },
    });
  });
  afterEach(async () => {
    clients.closeAll();
    await broker?.stop({ expected: /not loaded/ });
  });

  const version = (socket) => socket.timeout(5000).emitWithAck("version");
  const becomes = (socket, wanted) =>
    until(async () => (await version(socket)) === wanted, `version ${wanted}`);
  const generations = async () => Object.fromEntries(
    (await broker.stats()).scripts.map((each) => [each.namespace, each.generation]));

  it("gives its namespace, and no other, the next generation", async () => {
    const a = await clients.open(broker, "/a");
    const b = await clients.open(broker, "/b");
    broker.write("app/main.lua", handler("/a", 2));
    await becomes(a, 2);
    broker.write("app/lib/v.lua", "return { v = 2 }");
    await becomes(b, 2);
    assert.deepStrictEqual(await generations(), { "/a": 2, "/b": 2 });
    assert.ok(a.connected && b.connected);
  });

  it("works however an editor saves", async () => {
    const a = await clients.open(broker, "/a");
    const file = path.join(broker.folder, "app/main.lua");
    const saves = {
      "beside it, and rename": (text) => {
        fs.writeFileSync(`${file}.tmp~`, text);
        fs.renameSync(`${file}.tmp~`, file);
      },
      "the old one moved away first": (text) => {
        fs.renameSync(file, `${file}~`);
        fs.writeFileSync(file, text);
        fs.unlinkSync(`${file}~`);
      },
      "in small pieces": (text) => {
        const out = fs.openSync(file, "w");
        for (const piece of text.match(/[^]{1,7}/g)) fs.writeSync(out, piece);
        fs.closeSync(out);
      },
      "deleted and written": (text) => {
        fs.unlinkSync(file);
        fs.writeFileSync(file, text);
      },
    };
    let next = 2;
    for (const [how, save] of Object.entries(saves)) {
      save(handler("/a", next));
      await becomes(a, next).catch((error) => { throw new Error(`${how}: ${error.message}`); });
      ++next;
    }
    assert.ok(a.connected);
    assert.deepStrictEqual(broker.lines("error"), []);
  });

  it("that is broken leaves the running code, and says so wherever one looks", async () => {
    const a = await clients.open(broker, "/a");
    broker.write("app/main.lua", `${handler("/a", 2)}\noops(`);
    await broker.logged(/not loaded: app\/main\.lua:6: unexpected symbol/);
    assert.strictEqual(await version(a), 1);
    const stats = await broker.stats();
    const error = { file: "app/main.lua", line: 6, message: "unexpected symbol near '<eof>'" };
    assert.deepStrictEqual(stats.script_errors, [error]);
    assert.deepStrictEqual(
      stats.scripts.find((each) => each.namespace === "/a").load_error, error);
    // Another save does not repeat it in the log.
    broker.write("app/lib/v.lua", "return { v = 3 }");
    await until(async () => (await generations())["/b"] === 2, "the other namespace's reload");
    assert.strictEqual(broker.lines("error").length, 1);
    broker.write("app/main.lua", handler("/a", 1));
    await until(async () => (await broker.stats()).script_errors.length === 0, "no error any more");
    assert.deepStrictEqual(await generations(), { "/a": 1, "/b": 2 });
  });

  it("with a broken namespace literal does not end the namespace", async () => {
    const a = await clients.open(broker, "/a");
    broker.write("app/main.lua", 'local ns = namespace "no slash"');
    await broker.logged(/app\/main\.lua:1: a namespace starts with/);
    assert.strictEqual(await version(a), 1);
    assert.ok(a.connected);
  });

  it("adds and removes namespaces, apps and folders", async () => {
    fs.mkdirSync(path.join(broker.folder, "second/deep"), { recursive: true });
    broker.write("second/deep/x.lua", handler("/c", 7));
    await until(async () => (await generations())["/c"] === 1, "the new namespace");
    const c = await clients.open(broker, "/c");
    assert.strictEqual(await version(c), 7);
    const gone = event(c, "disconnect");
    fs.rmSync(path.join(broker.folder, "second"), { recursive: true });
    assert.strictEqual((await gone)[0], "io server disconnect");
    await until(async () => !("/c" in (await generations())), "the namespace's end");
    const a = await clients.open(broker, "/a");
    assert.strictEqual(await version(a), 1);
  });

  it("that nothing depends on reloads nothing", async () => {
    broker.write("app/lib/unused.lua", "return { 1 }");
    broker.write("app/some_test.lua", "error('not for now')");
    broker.write("app/main.lua", handler("/a", 2));
    await until(async () => (await generations())["/a"] === 2, "the reload");
    assert.deepStrictEqual(await generations(), { "/a": 2, "/b": 1 });
  });

  it("keeps everything when the whole folder goes", async () => {
    const a = await clients.open(broker, "/a");
    fs.renameSync(broker.folder, `${broker.folder}-away`);
    try {
      broker.signal("SIGHUP");
      await broker.logged(/not loaded: .*does not exist/);
      assert.strictEqual(await version(a), 1);
    } finally {
      fs.renameSync(`${broker.folder}-away`, broker.folder);
    }
  });
});

it("--watch=false leaves reloading to HUP", async () => {
  const clients = new Clients();
  const broker = await Broker.start({ scripts: { "main.lua": handler("/a", 1) }, args: ["--watch=false"] });
  try {
    const a = await clients.open(broker, "/a");
    broker.write("main.lua", handler("/a", 2));
    // Whoever watched would have seen the folder of this, too.
    broker.write("new.lua", handler("/n", 2));
    assert.strictEqual(await a.emitWithAck("version"), 1);
    broker.signal("SIGHUP");
    await until(async () => (await a.emitWithAck("version")) === 2, "the new version");
  } finally {
    clients.closeAll();
    await broker.stop();
  }
});

it("a broken file at the start keeps nobody else from serving, unless --strict", async () => {
  const scripts = { "a.lua": handler("/a", 1), "b.lua": 'namespace "/b"\nerror("broken")' };
  const broker = await Broker.start({ scripts });
  try {
    const stats = await broker.stats();
    assert.deepStrictEqual(stats.scripts.map((each) => each.namespace), ["/a"]);
    assert.deepStrictEqual(stats.script_errors.map((each) => each.line), [2]);
    broker.write("b.lua", handler("/b", 1));
    await until(async () => (await broker.stats()).scripts.length === 2, "the mended namespace");
  } finally {
    await broker.stop({ expected: /not loaded/ });
  }
  const folder = scriptsFolder(scripts);
  try {
    const refused = moonwire(["run", folder, "--strict", "--port", "0"]);
    assert.strictEqual(refused.status, 1);
    assert.match(refused.stderr, /b\.lua:2: broken[^]*1 script error\(s\), and scripts\.strict is on/);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

describe("saving a module that apps share", () => {
  const files = {
    "one/main.lua": `local v = require "shared.v"\n${handler("/one", "v")}`,
    "two/main.lua": `local v = require "shared.v"\n${handler("/two", "v")}`,
    "three/main.lua": handler("/three", 1),
    "shared/v.lua": "return 1",
  };
  const clients = new Clients();
  let broker;
  afterEach(async () => {
    clients.closeAll();
    await broker?.stop();
  });

  it("reloads the apps that required it, and no other", async () => {
    broker = await Broker.start({ scripts: files });
    const sockets = [];
    for (const nsp of ["/one", "/two", "/three"]) sockets.push(await clients.open(broker, nsp));
    broker.write("shared/v.lua", "return 2");
    for (const socket of sockets.slice(0, 2))
      await until(async () => (await socket.timeout(5000).emitWithAck("version")) === 2, "version 2");
    const { scripts } = await broker.stats();
    assert.deepStrictEqual(
      Object.fromEntries(scripts.map((each) => [each.namespace, each.generation])),
      { "/one": 2, "/two": 2, "/three": 1 });
    assert.ok(sockets.every((socket) => socket.connected));
  });

  it("reloads an app that is run alone, beside whose folder it lies", async () => {
    broker = await Broker.start({ scripts: files, app: "one" });
    const socket = await clients.open(broker, "/one");
    broker.write("shared/v.lua", "return 2");
    await until(async () => (await socket.timeout(5000).emitWithAck("version")) === 2, "version 2");
    assert.deepStrictEqual((await broker.stats()).scripts.map((each) => each.namespace), ["/one"]);
  });
});
