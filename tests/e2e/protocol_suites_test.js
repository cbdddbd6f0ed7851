"use strict";
// The public protocol suites, which are no part of this tree. MOONWIRE_PROTOCOL_SUITES names a
// folder that holds engine.io-protocol/ and socket.io-protocol/, each their repository's
// test-suite folder with its packages installed. They insist on port 3000.

const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it } = require("node:test");
const { Broker, BINARY } = require("./lib/broker");
const { event, until } = require("./lib/wait");

const FOLDER = process.env.MOONWIRE_PROTOCOL_SUITES;
const ECHO_SERVER = path.join(path.dirname(BINARY), "tests/engineio/engineio_echo_server");

async function suite(name) {
  const cwd = path.join(FOLDER, name);
  const child = spawn(process.execPath, [path.join(cwd, "node_modules/mocha/bin/mocha"), "test-suite.js"], { cwd });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const [code] = await event(child, "close", 120000);
  assert.strictEqual(code, 0, output);
  assert.match(output, /\d+ passing/);
}

describe("the public protocol suites", { skip: !FOLDER && "MOONWIRE_PROTOCOL_SUITES is not set" }, () => {
  it("of Engine.IO", { skip: !fs.existsSync(ECHO_SERVER) && "no echo server was built" }, async () => {
    const server = spawn(ECHO_SERVER, ["3000"], { stdio: "ignore" });
    try {
      await until(() => fetch("http://localhost:3000/"), "the echo server");
      await suite("engine.io-protocol");
    } finally {
      server.kill();
      await event(server, "close");
    }
  });

  it("of Socket.IO", async () => {
    const broker = await Broker.start({
      port: 3000,
      settings: {
        "engine.ping_interval_ms": 300, "engine.ping_timeout_ms": 200,
        "engine.connect_timeout_ms": 1000, "engine.cors_origins": "*",
      },
    });
    await suite("socket.io-protocol");
    await broker.stop();
  });
});
