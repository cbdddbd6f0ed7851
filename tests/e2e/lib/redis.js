"use strict";
// A Redis server of one's own, Debian's, on a free port and in a temporary folder; it keeps nothing.

const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { createClient } = require("redis");
const { environment } = require("./broker");
const { freePort } = require("./ports");
const { until, within } = require("./wait");

class Redis {
  static installed = !spawnSync("redis-server", ["--version"]).error;

  /// `args` are further options of the server.
  static async start({ args = [] } = {}) {
    const redis = new Redis();
    redis.folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-redis-"));
    redis.socket = path.join(redis.folder, "socket");
    redis.port = await freePort();
    redis.args = [
      "--port", String(redis.port), "--bind", "127.0.0.1", "--unixsocket", redis.socket, "--dir", redis.folder,
      "--save", "", "--appendonly", "no", ...args,
    ];
    process.once("exit", redis.discard);
    await redis.resume();
    return redis;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  /// Starts the server, again on the same port, and waits until it takes clients.
  async resume() {
    this.output = "";
    this.child = spawn("redis-server", this.args, { env: environment(), stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (this.output += text));
      stream.unref();
    }
    this.child.unref();
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
    const ready = () => /Ready to accept connections/.test(this.output);
    await until(() => this.child.exitCode !== null || ready(), "Redis to start");
    if (this.child.exitCode !== null) throw new Error(`Redis ended:\n${this.output}`);
  }

  /// Ends the server, in order or by KILL; it can be resumed.
  async halt(signal = "SIGTERM") {
    this.child.kill(signal);
    await within(this.ended, `Redis's end after ${signal}`);
  }

  /// A client of the tests' own, connected.
  async client(options = {}) {
    const client = createClient({ url: this.url, ...options });
    client.on("error", () => {});
    await within(client.connect(), "a client of Redis");
    return client;
  }

  discard = () => {
    process.removeListener("exit", this.discard);
    if (this.child) this.child.kill("SIGKILL");
    fs.rmSync(this.folder, { recursive: true, force: true });
  };

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.halt("SIGKILL");
    this.discard();
  }
}

module.exports = { Redis };
