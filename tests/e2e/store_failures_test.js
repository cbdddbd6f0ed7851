"use strict";
// What the store does when its file or its disk is not as it should be.

const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { after, afterEach, before, describe, it } = require("node:test");
const { Broker, moonwire, scriptsFolder } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { until, within } = require("./lib/wait");

const SCRIPT = `
local ns = namespace "/"
ns:on("set", function(_, key, value) return ns.store:set(key, value) end)
ns:on("get", function(_, key) return ns.store:get(key) end)
ns:on("delete", function(_, key) return ns.store:delete(key) end)
ns:on("echo", function(_, value) return value end)
`;

const ask = (socket, name, ...args) => within(
  new Promise((resolve) => socket.emit(name, ...args, (...values) => resolve(values))), `answer to ${name}`);

/// A small file system of its own at `where`; false where that is not allowed.
function mount(where, ...options) {
  fs.mkdirSync(where, { recursive: true });
  return spawnSync("mount", ["-t", "tmpfs", ...options, "tmpfs", where]).status === 0;
}
const unmount = (where) => spawnSync("umount", ["-l", where]);

describe("the store in trouble", () => {
  const clients = new Clients();
  let folder, scripts, broker;

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-store-"));
    scripts = scriptsFolder({ "main.lua": SCRIPT });
  });
  after(() => {
    for (const each of [folder, scripts]) fs.rmSync(each, { recursive: true, force: true });
  });
  afterEach(() => {
    clients.closeAll();
    broker?.discard();
    broker = null;
  });

  const start = async (file, settings = {}) => (broker = await Broker.start({
    scripts: { "main.lua": SCRIPT }, settings: { "store.path": file, ...settings },
  }));
  /// What a broker says that does not start.
  function refused(file) {
    const { status, stdout, stderr } = moonwire(
      ["run", scripts, "--port", "0", "--set", "server.control=", "--set", `store.path=${file}`]);
    assert.strictEqual(status, 1, stdout + stderr);
    assert.strictEqual(stdout, "");
    return stderr.trimEnd().split("\n").at(-1);
  }
  async function filled(name) {
    const file = path.join(folder, name, "store.db");
    await start(file);
    const socket = await clients.open(broker);
    for (let i = 0; i < 100; i++) socket.emit("set", `k${i}`, "x".repeat(500));
    assert.deepStrictEqual(await ask(socket, "set", "last", 1), [true]);
    clients.closeAll();
    await broker.stop();
    return file;
  }

  it("names a file that is damaged, and neither starts nor touches it", async () => {
    const file = await filled("damaged");
    const bytes = fs.readFileSync(file);
    for (let page = 1; page < 8; page++) bytes.fill(0x5a, page * 4096 + 16, page * 4096 + 2000);
    fs.writeFileSync(file, bytes);
    const said = refused(file);
    assert.ok(said.startsWith(`moonwire: store "${file}": the file is damaged (`), said);
    assert.deepStrictEqual(fs.readFileSync(file), bytes);

    fs.writeFileSync(file, "no database");
    assert.match(refused(file), /the file is damaged \(file is not a database\); put a backup in its place/);
    assert.strictEqual(fs.readFileSync(file, "utf8"), "no database");
  });

  it("sets a damaged file aside where a setting says so", async () => {
    const file = path.join(folder, "aside", "store.db");
    fs.mkdirSync(path.dirname(file));
    fs.writeFileSync(file, "no database");
    await start(file, { "store.set_aside": true });
    await broker.logged(/ warn .*damaged.*it is kept as/);
    assert.deepStrictEqual(await ask(await clients.open(broker), "set", "a", 1), [true]);
    const kept = fs.readdirSync(path.dirname(file)).filter((name) => /\.damaged-\d{8}T\d{6}Z$/.test(name));
    assert.strictEqual(kept.length, 1);
    assert.strictEqual(fs.readFileSync(path.join(path.dirname(file), kept[0]), "utf8"), "no database");
    clients.closeAll();
    await broker.stop();
  });

  it("is not shared by two brokers", async () => {
    const file = await filled("shared");
    await start(file);
    assert.strictEqual(refused(file),
      `moonwire: store "${file}": another process uses it; store.path names another`);
    await broker.stop();
  });

  it("says at the start that its file can't be written", async (t) => {
    const where = path.join(folder, "readonly");
    if (!mount(where, "-o", "size=8m")) return t.skip("can't mount a file system here");
    try {
      const file = path.join(where, "store.db");
      await start(file);
      assert.deepStrictEqual(await ask(await clients.open(broker), "set", "a", 1), [true]);
      clients.closeAll();
      await broker.stop();
      assert.strictEqual(spawnSync("mount", ["-o", "remount,ro", where]).status, 0);
      assert.strictEqual(refused(file), `moonwire: store "${file}": can't be written: Read-only file system`);
    } finally {
      unmount(where);
    }
  });

  it("says of each call that the disk is full, loses nothing, and goes on when there is room", async (t) => {
    const where = path.join(folder, "full");
    if (!mount(where, "-o", "size=2m")) return t.skip("can't mount a file system here");
    try {
      await start(path.join(where, "store.db"));
      const socket = await clients.open(broker);
      const kept = [];
      for (let i = 0; ; i++) {
        const [done, why] = await ask(socket, "set", `k${i}`, "x".repeat(50000));
        if (done) {
          kept.push(`k${i}`);
          continue;
        }
        assert.strictEqual(why, "disk full");
        break;
      }
      assert.ok(kept.length > 5, `${kept.length} were kept`);
      assert.deepStrictEqual(await ask(socket, "echo", 1), [1]);
      await broker.logged(/ warn .*disk full; what is asked of it fails until that is mended/);
      for (const key of kept) assert.strictEqual((await ask(socket, "get", key))[0]?.length, 50000);
      assert.strictEqual(spawnSync("mount", ["-o", "remount,size=16m", where]).status, 0);
      assert.deepStrictEqual(await ask(socket, "set", "more", "x".repeat(50000)), [true]);
      clients.closeAll();
      await broker.stop();

      await start(path.join(where, "store.db"));
      const again = await clients.open(broker);
      for (const key of [...kept, "more"]) assert.strictEqual((await ask(again, "get", key))[0]?.length, 50000);
      clients.closeAll();
      await broker.stop();
    } finally {
      broker?.discard();
      unmount(where);
    }
  });
});
