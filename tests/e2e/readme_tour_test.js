"use strict";
// README.md's "Five minutes", as somebody would follow it: its files as they stand, but for the port.

const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { spawn } = require("node:child_process");
const { describe, it, before, after } = require("node:test");
const { Broker, ROOT } = require("./lib/broker");
const { readExamples } = require("./lib/examples");
const { until } = require("./lib/wait");

const PYTHON = path.join(ROOT, "build/venv/bin/python");
const STEPS = readExamples(path.join(ROOT, "README.md")).filter((each) => each.section === "Five minutes");
const step = (language) => {
  const [only, ...others] = STEPS.filter((each) => each.language === language);
  assert.ok(only && !others.length, `one block of ${language}`);
  return only.text;
};

/// A program that runs, and what it has printed.
class Program {
  output = "";

  constructor(command, args, cwd) {
    this.child = spawn(command, args, { cwd });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (this.output += text));
  }

  printed(pattern) {
    return until(() => pattern.exec(this.output), `${pattern} printed`).catch((error) => {
      throw new Error(`${error.message}; printed:\n${this.output}`);
    });
  }
}

describe("the five minutes of README.md", () => {
  let broker, folder, node;
  const programs = [];
  const start = (...args) => {
    programs.push(new Program(...args));
    return programs.at(-1);
  };
  const here = (text) => text.replaceAll("http://localhost:3000", broker.url);

  before(async () => {
    const [, file] = /^-- (\S+)\n/.exec(step("lua"));
    broker = await Broker.start({ scripts: { [file]: step("lua") } });
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-tour-"));
    fs.symlinkSync(path.join(__dirname, "node_modules"), path.join(folder, "node_modules"));
    fs.writeFileSync(path.join(folder, "client.mjs"), here(step("js")));
    node = start(process.execPath, ["client.mjs"], folder);
  });
  after(async () => {
    for (const { child } of programs) child.kill("SIGKILL");
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
    await broker?.stop({ expected: /not loaded/ });
  });

  it("has these steps, all tested here", () => {
    assert.deepStrictEqual(STEPS.map((each) => each.language), ["lua", "sh", "js", "python"]);
    assert.match(step("sh"), /^build\/moonwire run hello +# prints: listening on http:\/\/0\.0\.0\.0:3000$/m);
    assert.match(broker.stdout, /^listening on http:\/\/\S+:\d+$/m);
  });

  it("begins: the client is welcomed, and hears what it says", async () => {
    await node.printed(/^connected as \S+\n/);
    await node.printed(/^hello$/m);
    await node.printed(/^\{ ok: true \}$/m);
  });

  it("serves the Python client", async (t) => {
    if (!fs.existsSync(PYTHON)) return t.skip("build/venv is missing: ./bootstrap test e2e makes it");
    const python = start(PYTHON, ["-u", "-c", here(step("python"))], folder);
    // It prints from two threads, which may share a line.
    await python.printed(/hello from Python/);
    await python.printed(/\{'ok': True\}/);
    await node.printed(/^hello from Python$/m);
  });

  it("goes on live: an edit is seen, a broken one is not, and nobody is disconnected", async () => {
    const edited = step("lua").replace("text = text", 'text = text .. ", edited"');
    assert.notStrictEqual(edited, step("lua"));
    broker.write("hello/chat.lua", edited);
    await node.printed(/^hello, edited$/m);
    broker.write("hello/chat.lua", `${edited}local x = = 1\n`);
    await broker.logged(new RegExp(`hello/chat\\.lua:${edited.split("\n").length}: `));
    const before = node.output.length;
    await until(() => node.output.indexOf("hello, edited", before) > 0, "the old code's answer");
    assert.strictEqual(node.output.match(/connected as/g).length, 1);
  });
});
