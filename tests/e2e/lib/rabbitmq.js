"use strict";
// A RabbitMQ server of one's own, Debian's, on free ports and in a temporary folder; and a client of it.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const amqplib = require("amqplib");
const { environment } = require("./broker");
const { freePort } = require("./ports");
const { until, within, DEADLINE_MS } = require("./wait");

// Past the wrapper, which would give the server to another user.
const SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// A node takes seconds to start, on a busy machine many.
const START_MS = Math.max(120000, DEADLINE_MS);

async function opens(port) {
  const socket = net.connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}

class RabbitMQ {
  static installed = fs.existsSync(SERVER);

  /// `config(folder)` gives further lines of its configuration.
  static async start({ config = () => "" } = {}) {
    const rabbit = new RabbitMQ();
    rabbit.folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-rabbitmq-"));
    rabbit.port = await freePort();
    rabbit.tlsPort = await freePort();
    rabbit.epmdPort = await freePort();
    const write = (name, text) => {
      fs.writeFileSync(path.join(rabbit.folder, name), text);
      return path.join(rabbit.folder, name);
    };
    rabbit.environment = environment({
      HOME: rabbit.folder, // its cookie
      ERL_EPMD_PORT: String(rabbit.epmdPort), ERL_EPMD_ADDRESS: "127.0.0.1",
      RABBITMQ_NODENAME: `moonwire-${process.pid}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1", RABBITMQ_NODE_PORT: String(rabbit.port),
      RABBITMQ_DIST_PORT: String(await freePort()),
      RABBITMQ_MNESIA_BASE: path.join(rabbit.folder, "data"), RABBITMQ_LOG_BASE: path.join(rabbit.folder, "log"),
      RABBITMQ_PID_FILE: path.join(rabbit.folder, "pid"),
      RABBITMQ_CONF_ENV_FILE: write("env.conf", ""), RABBITMQ_ENABLED_PLUGINS_FILE: write("plugins", "[].\n"),
      RABBITMQ_CONFIG_FILE: write("rabbitmq.conf", `log.console = false\n${config(rabbit)}\n`).replace(/\.conf$/, ""),
      // It is this child then, with no shell between.
      RUNNING_UNDER_SYSTEMD: "true",
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
    });
    process.once("exit", rabbit.discard);
    // The node would leave one of its own running.
    rabbit.epmd = spawn("epmd", [], { env: rabbit.environment, stdio: "ignore" });
    rabbit.epmd.unref();
    await until(() => opens(rabbit.epmdPort), "epmd", START_MS);
    await rabbit.resume();
    return rabbit;
  }

  url(credentials = "guest:guest", vhost = "") {
    return `amqp://${credentials}@127.0.0.1:${this.port}/${vhost}`;
  }

  /// Starts the server, again over what it kept, and waits until it takes clients.
  async resume() {
    this.output = "";
    this.child = spawn(SERVER, [], { env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (this.output += text));
      stream.unref();
    }
    this.child.unref();
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
    await until(async () => {
      if (this.child.exitCode !== null) return true;
      const client = await amqplib.connect(this.url());
      await client.close();
      return true;
    }, "RabbitMQ to start", START_MS);
    if (this.child.exitCode !== null) throw new Error(`RabbitMQ ended:\n${this.output}`);
  }

  /// Ends the server, in order or by KILL; it can be resumed.
  async halt(signal = "SIGTERM") {
    this.child.kill(signal);
    await within(this.ended, `RabbitMQ's end after ${signal}`, START_MS);
  }

  /// Runs rabbitmqctl, which takes seconds, too.
  async control(...args) {
    const child = spawn("/usr/lib/rabbitmq/bin/rabbitmqctl", args, { env: this.environment, stdio: "ignore" });
    const code = await within(
      new Promise((resolve) => child.once("close", resolve)), `rabbitmqctl ${args.join(" ")}`, START_MS);
    if (code !== 0) throw new Error(`rabbitmqctl ${args.join(" ")}: exit ${code}`);
  }

  /// A connection of the tests' own with a channel: `{connection, channel}`.
  async client() {
    const connection = await amqplib.connect(this.url());
    connection.on("error", () => {});
    const channel = await connection.createConfirmChannel();
    channel.on("error", () => {});
    return { connection, channel, close: () => connection.close().catch(() => {}) };
  }

  discard = () => {
    process.removeListener("exit", this.discard);
    if (this.child) this.child.kill("SIGKILL");
    this.epmd.kill("SIGKILL");
    fs.rmSync(this.folder, { recursive: true, force: true });
  };

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.halt("SIGKILL");
    this.discard();
  }
}

module.exports = { RabbitMQ };
