"use strict";
// `moonwire check`: what it finds, how it says it, and its exit status. `moonwire new`: what it makes
// is clean, tested, served and typed.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it } = require("node:test");
const { spawnSync } = require("node:child_process");
const os = require("node:os");
const { Broker, moonwire, scriptsFolder, ROOT } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { within } = require("./lib/wait");

const BAD = {
  "shop/main.lua": `local ns, schema = namespace "/shop", require "schema"
ns:emits("left", schema.string())
ns:on("buy", function(socket)
  socket:emitt("sold")
  socket:emit("lfet", "x")
  return stock
end)
`,
  "shop/broken.lua": 'local ns = namespace "/shop"\nlocal x = = 1\n',
  "depot/main.lua": 'local ns = namespace "/depot"\n\nlocal = 1\n',
  "moonwire.toml": "[server]\nprot = 1\nport = \"x\"\n[limits]\nconnections = -1\n",
};

function check(scripts, ...args) {
  const folder = scriptsFolder(scripts);
  try {
    return { ...moonwire(["check", folder, ...args]), folder };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

describe("moonwire check", () => {
  it("tells everything at once: settings, syntax, names", () => {
    const { status, stdout, folder } = check(BAD);
    assert.strictEqual(status, 1);
    const lines = stdout.split("\n");
    for (const expected of [
      `${folder}/moonwire.toml:2: server.prot: unknown setting`,
      "depot/main.lua:3:7: ", "shop/broken.lua:2:11: ",
      "shop/main.lua:4:10: socket has no method 'emitt'; did you mean 'emit'?",
      "shop/main.lua:6:10: unknown global 'stock'",
    ]) assert.ok(lines.some((line) => line.startsWith(expected)), `${expected}\nin\n${stdout}`);
    assert.match(stdout, /moonwire\.toml:3: server\.port: expected/);
    assert.match(stdout, /moonwire\.toml:5: limits\.connections: expected/);
    assert.match(stdout, /\n7 error\(s\), 0 warning\(s\)\n$/);
  });

  it("counts warnings only if asked to be strict", () => {
    const scripts = { "main.lua": BAD["shop/main.lua"].replace("emitt", "emit").replace("sold", "left")
      .replace("return stock", "") };
    const kind = check(scripts);
    assert.strictEqual(kind.status, 0, kind.stdout);
    assert.match(kind.stdout, /main\.lua:5:10: warning: event 'lfet' .*did you mean 'left'\?\n0 error\(s\), 1 warning/);
    assert.strictEqual(check(scripts, "--strict").status, 1);
  });

  it("speaks JSON to editors", () => {
    const { status, stdout } = check(BAD, "--json");
    assert.strictEqual(status, 1);
    const problems = JSON.parse(stdout);
    assert.deepStrictEqual(problems.find((each) => each.line === 4), {
      file: "shop/main.lua", line: 4, column: 10, severity: "error",
      message: "socket has no method 'emitt'; did you mean 'emit'?",
    });
    assert.deepStrictEqual(JSON.parse(check("echo", "--json").stdout), []);
  });

  it("has nothing to say of the scripts in this repository", () => {
    const own = fs.readdirSync(path.join(ROOT, "tests/e2e/scripts")).map((name) => `tests/e2e/scripts/${name}`);
    for (const folder of ["scripts", ...own]) {
      const result = moonwire(["check", "--strict", path.join(ROOT, folder)]);
      assert.strictEqual(result.status, 0, `${folder}:\n${result.stdout}`);
    }
  });
});

/// Calls `use(folder)` with a folder that is gone afterwards.
async function inFolder(use) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-new-"));
  try {
    await use(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function luacheck(folder) {
  const result = spawnSync("luacheck", ["--no-color", "--codes", "."], { cwd: folder, encoding: "utf8" });
  if (result.error) throw new Error("luacheck is missing: apt-get install lua-check");
  return result;
}

describe("moonwire new", () => {
  it("makes an app that is clean and typed", () => inFolder((folder) => {
    const scripts = path.join(folder, "scripts");  // is made, too
    const made = moonwire(["new", "my-app", "--dir", scripts]);
    assert.strictEqual(made.status, 0, made.stderr);
    const app = path.join(scripts, "my-app");
    for (const file of ["main.lua", "main_test.lua", "README.md", "moonwire.toml", ".luarc.json", ".luacheckrc",
      ".moonwire/moonwire.lua", ".moonwire/schema.lua"]) {
      assert.ok(fs.statSync(path.join(app, file)).isFile(), file);
      assert.ok(made.stdout.includes(path.join(app, file)), file);
      assert.doesNotMatch(fs.readFileSync(path.join(app, file), "utf8"), /\{\{/, file);
    }
    JSON.parse(fs.readFileSync(path.join(app, ".luarc.json"), "utf8"));
    for (const dir of [scripts, app]) {
      const result = moonwire(["check", "--strict", dir]);
      assert.deepStrictEqual([result.status, result.stdout], [0, "ok: 1 app(s)\n"]);
    }
    const linted = luacheck(app);
    assert.strictEqual(linted.status, 0, linted.stdout);
    const types = moonwire(["types", app, "--format", "typescript"]);
    assert.strictEqual(types.status, 0, types.stderr);
    const [, imported] = /import type \{ (\w+) \}/.exec(fs.readFileSync(path.join(app, "README.md"), "utf8"));
    assert.strictEqual(imported, "MyApp");
    assert.match(types.stdout, new RegExp(`export \\w+ ${imported}\\b`));
  }));

  it("makes an app that serves what its README says", () => inFolder(async (folder) => {
    assert.strictEqual(moonwire(["new", "hello", "--dir", folder]).status, 0);
    const files = {};
    for (const name of ["main.lua", "moonwire.toml"])
      files[`hello/${name}`] = fs.readFileSync(path.join(folder, "hello", name), "utf8");
    const broker = await Broker.start({ scripts: files });
    const clients = new Clients();
    try {
      const socket = await clients.open(broker, "/hello", { auth: { name: "ann" } });
      assert.deepStrictEqual(await socket.emitWithAck("join", "lobby"), { members: 1 });
      const heard = within(new Promise((resolve) => socket.once("message", resolve)), "message");
      assert.deepStrictEqual(await socket.emitWithAck("send", { room: "lobby", text: "hello" }), { ok: true });
      const { from, text, room } = await heard;
      assert.deepStrictEqual({ from, text, room }, { from: "ann", text: "hello", room: "lobby" });
    } finally {
      clients.closeAll();
      await broker.stop();
    }
  }));

  it("touches nothing that is there, and refuses names that would not do", () => inFolder((folder) => {
    fs.mkdirSync(path.join(folder, "taken"));
    fs.writeFileSync(path.join(folder, "file"), "");
    for (const [name, why] of [
      ["taken", /it exists already/], ["file", /can't make/], ["", /./], ["../up", /no name for an app/],
      ["a/b", /no name for an app/], ["Upper", /no name for an app/], ["1st", /no name for an app/],
      ["public", /no name for an app/], ["shared", /no name for an app/], ["x".repeat(65), /no name for an app/], [".hidden", /no name for an app/],
    ]) {
      const result = moonwire(["new", name, "--dir", folder]);
      assert.notStrictEqual(result.status, 0, name);
      assert.match(result.stderr, why, name);
    }
    assert.deepStrictEqual(fs.readdirSync(folder).sort(), ["file", "taken"]);
    assert.deepStrictEqual(fs.readdirSync(path.join(folder, "taken")), []);

    fs.writeFileSync(path.join(folder, "main.lua"), 'namespace "/"');
    const inner = moonwire(["new", "inner", "--dir", folder]);
    assert.strictEqual(inner.status, 1);
    assert.match(inner.stderr, /is an app itself/);
  }));

  it("writes a .luacheckrc under which the scripts in this repository are clean", () => inFolder((folder) => {
    assert.strictEqual(moonwire(["new", "x", "--dir", folder]).status, 0);
    fs.cpSync(path.join(ROOT, "scripts/transit"), path.join(folder, "x/transit"), { recursive: true });
    const result = luacheck(path.join(folder, "x"));
    assert.strictEqual(result.status, 0, result.stdout);
    assert.match(result.stdout, /transit\/depot\.lua/);
    fs.appendFileSync(path.join(folder, "x/main.lua"), "ns:on_connect(function() print(1) end)\n");
    assert.match(luacheck(path.join(folder, "x")).stdout, /accessing undefined variable '?print/);
  }));
});
