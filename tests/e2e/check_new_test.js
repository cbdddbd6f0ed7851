"use strict";
// `moonwire check`: what it finds, how it says it, and its exit status.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it } = require("node:test");
const { moonwire, scriptsFolder, ROOT } = require("./lib/broker");

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
