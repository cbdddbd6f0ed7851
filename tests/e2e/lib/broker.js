"use strict";
// A broker of one's own: started on a free port over a folder of scripts, stopped and looked over.

const assert = require("node:assert");
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { freePort } = require("./ports");
const { within, until } = require("./wait");

const ROOT = path.resolve(__dirname, "../../..");
const APPS = path.join(ROOT, "scripts");
const BINARY = path.resolve(process.env.MOONWIRE_BINARY || path.join(ROOT, "build/moonwire"));
const SANITIZER = /ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:/;
const SANITIZED = Boolean(process.env.MOONWIRE_SANITIZED);

/// Settings for every broker of a run: {"engine.deflate": true}.
const EXTRA = JSON.parse(process.env.MOONWIRE_TEST_SETTINGS || "{}");

/// Variables of the surroundings must not reach the broker's settings.
function environment(extra = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("MOONWIRE_"));
  return { ...Object.fromEntries(kept), ...extra };
}

/// A temporary folder with a copy of tests/e2e/scripts/<name> or of a folder by its path, or with the
/// given {path: text}.
function scriptsFolder(scripts) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-e2e-"));
  if (typeof scripts === "string") {
    fs.cpSync(path.resolve(__dirname, "../scripts", scripts), folder, { recursive: true });
  } else {
    for (const [name, text] of Object.entries(scripts)) {
      const file = path.join(folder, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    }
  }
  return folder;
}

/// Runs a command of the binary to its end: {status, stdout, stderr}.
function moonwire(args, { env, input } = {}) {
  const result = spawnSync(BINARY, args, {
    env: environment(env), encoding: "utf8", timeout: 60000, cwd: os.tmpdir(), input,
  });
  if (result.error) throw result.error;
  return result;
}

class Broker {
  /// `settings` are --set pairs; `toml` is added to the folder as moonwire.toml; `before(folder)` may
  /// add more. With `app` only that app of the folder is run; without `scripts` it is one of the
  /// repository's.
  static async start({
    app = "", scripts = app ? APPS : "echo", settings = {}, toml, args = [], env, port, before, binary = BINARY,
  } = {}) {
    const broker = new Broker();
    broker.folder = scriptsFolder(scripts);
    if (before) before(broker.folder);
    if (toml) fs.writeFileSync(path.join(broker.folder, "moonwire.toml"), toml);
    // Its control socket and its store go with the folder.
    broker.runtime = path.join(broker.folder, ".run");
    fs.mkdirSync(broker.runtime);
    // Sessions that a test leaves behind unpolled can't be told of the end: don't wait for long.
    // Handlers may be slow, on a busy machine and under sanitizers.
    const sets = Object.entries({
      "server.host": "127.0.0.1", "server.drain_seconds": 1, "limits.handler_ms": 10000, ...EXTRA, ...settings,
    })
      .flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    broker.run = (at) => spawn(
      binary,
      ["run", path.join(broker.folder, app), ...(at === null ? [] : ["--port", String(at)]), ...sets, ...args],
      {
        env: environment({ XDG_RUNTIME_DIR: broker.runtime, XDG_STATE_HOME: broker.runtime, ...env }),
        stdio: ["ignore", "pipe", "pipe"], cwd: broker.folder,
      });
    process.once("exit", broker.discard);
    await broker.begin(port === undefined ? await freePort() : port);
    return broker;
  }

  /// Starts the process and waits until it listens.
  async begin(port) {
    this.child = this.run(port);
    this.stdout = "";
    this.stderr = "";
    this.child.stdout.setEncoding("utf8").on("data", (text) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.exited = new Promise((resolve) => {
      this.child.once("close", (code, signal) => resolve({ code, signal }));
      this.child.once("error", (error) => resolve({ code: null, signal: error.message }));
    });
    // What a failed test leaves running must not hang its suite, nor outlive it.
    for (const handle of [this.child, this.child.stdout, this.child.stderr]) handle.unref();
    try {
      const line = await Promise.race([
        this.listening(/https?:\/\/\S+:(\d+)/),
        this.exited.then((end) => {
          throw new Error(`broker ended before it listened: ${JSON.stringify(end)}`);
        }),
      ]);
      this.url = line[0];
      this.port = Number(line[1]);
    } catch (error) {
      this.discard();
      error.message += `\n${this.stderr}`;
      throw error;
    }
  }

  /// Ends the process and, once `meanwhile` is done, starts another with the same files on the same
  /// port.
  async restart({ signal = "SIGTERM", meanwhile = () => {} } = {}) {
    this.child.kill(signal);
    await within(this.exited, `exit after ${signal}; log:\n${this.stderr}`);
    await meanwhile();
    await this.begin(this.port);
  }

  /// The address it listens on that this pattern describes, as a match.
  async listening(pattern) {
    return until(() => {
      for (const [, address] of this.stdout.matchAll(/^listening on (\S+)\n/gm)) {
        const match = pattern.exec(address);
        if (match) return match;
      }
      return null;
    }, `listening on ${pattern}`);
  }

  get wsUrl() {
    return this.url.replace(/^http/, "ws");
  }

  /// Log lines of a level, for text logs.
  lines(level) {
    return this.stderr.split("\n").filter((line) => new RegExp(`^\\S+ ${level} `).test(line));
  }

  async logged(pattern) {
    await until(() => pattern.test(this.stderr), `log line ${pattern}; log:\n${this.stderr}`);
  }

  async stats() {
    return (await fetch(`${this.url}/stats`)).json();
  }

  signal(name) {
    this.child.kill(name);
  }

  write(name, text) {
    fs.writeFileSync(path.join(this.folder, name), text);
  }

  discard = () => {
    process.removeListener("exit", this.discard);
    this.child.kill("SIGKILL");
    fs.rmSync(this.folder, { recursive: true, force: true });
  };

  /// Ends the broker and judges how it lived: a clean exit, nothing found by a sanitizer, and no
  /// error in the log but those `expected` (a pattern).
  async stop({ signal = "SIGTERM", expected } = {}) {
    try {
      this.child.kill(signal);
      const end = await within(this.exited, `exit after ${signal}; log:\n${this.stderr}`);
      assert.deepStrictEqual(end, { code: 0, signal: null }, `broker's end; log:\n${this.stderr}`);
      assert.doesNotMatch(this.stderr, SANITIZER);
      const errors = this.lines("error").filter((line) => !(expected && expected.test(line)));
      assert.deepStrictEqual(errors, [], `errors in the log:\n${this.stderr}`);
    } finally {
      this.discard();
    }
  }
}

module.exports = { Broker, moonwire, scriptsFolder, environment, ROOT, APPS, BINARY, SANITIZED, SANITIZER };
