"use strict";
// Clients of older protocols: engine.io-client 3 and socket.io-client 2, and pages that poll by
// JSONP.

const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");
const { describe, it, before, after } = require("node:test");
const { Socket: ModernEngine } = require("engine.io-client");
const LegacyEngine = require("engine.io-client-3");
const io2 = require("socket.io-client-2");
const { Broker, BINARY } = require("./lib/broker");
const { MODES } = require("./lib/clients");
const { request } = require("./lib/engine");
const { event, until, within } = require("./lib/wait");

const ECHO_SERVER = path.join(path.dirname(BINARY), "tests/engineio/engineio_echo_server");
const MESSAGES = [
  "hello", "", "ü€😀 \u2028\u2029", "12:34", Buffer.from([0, 1, 127, 128, 255]), Buffer.alloc(0),
  "between", Buffer.alloc(70000, 7), "x".repeat(70000), "😀".repeat(1000),
];

/// An Engine.IO server that sends every message back.
async function echoServer(...args) {
  const child = spawn(ECHO_SERVER, ["0", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.setEncoding("utf8");
  const [line] = await event(child.stdout, "data");
  child.url = /http:\S+/.exec(line)[0];
  child.stop = async () => {
    child.kill();
    await event(child, "close");
  };
  return child;
}

/// Not by the event: it may be raised in the same tick as the one that was waited for before.
function upgraded(engine) {
  return until(() => engine.transport.name === "websocket" && !engine.upgrading, "the upgrade");
}

/// Opens, lets an upgrade happen, and sends every message at once: what came back.
async function echo(socket, upgrades) {
  const received = [];
  socket.on("message", (data = "") => {  // version 3 gives nothing for an empty text
    received.push(typeof data === "string" ? data : Buffer.from(data));
  });
  try {
    await event(socket, "open");
    if (upgrades) await upgraded(socket);
    for (const message of MESSAGES) socket.send(message);
    await until(() => received.length === MESSAGES.length, "all messages back");
    return received;
  } finally {
    socket.close();
  }
}

describe("Engine.IO clients", { skip: !fs.existsSync(ECHO_SERVER) && "no echo server was built" }, () => {
  let server;
  before(async () => { server = await echoServer("eio3"); });
  after(() => server?.stop());

  const engines = {
    "3": (options) => new LegacyEngine(server.url, options),
    "6": (options) => new ModernEngine(server.url, options),
  };
  for (const [version, make] of Object.entries(engines)) {
    for (const [mode, how] of Object.entries(MODES)) {
      for (const forceBase64 of [false, true]) {
        it(`of version ${version} get all back over ${mode}${forceBase64 ? " in base64" : ""}`, async () => {
          const socket = make({ ...how, forceBase64 });
          assert.deepStrictEqual(await echo(socket, mode === "upgrade"), MESSAGES);
          assert.strictEqual(socket.transport.name, mode === "polling" ? "polling" : "websocket");
        });
      }
    }
  }

  it("of version 3 live on by their own pings", async () => {
    for (const how of [MODES.polling, MODES.websocket]) {
      const socket = engines["3"](how);
      await event(socket, "open");
      // The server would end a session that misses a ping after half a second.
      for (let i = 0; i < 3; ++i) await event(socket, "pong");
      assert.strictEqual(socket.readyState, "open");
      socket.close();
    }
  });
});

describe("socket.io-client 2", () => {
  let broker;
  before(async () => {
    broker = await Broker.start({
      settings: { "engine.allow_eio3": true },
      scripts: { "main.lua": `
local ns = namespace "/"
ns:on("echo", function(socket, ...) socket:emit("echoed", ...) return ... end)
`, "admin.lua": `
local ns = namespace "/admin"
ns:on("who", function(socket) return socket.nsp end)` },
    });
  });
  after(() => broker?.stop());

  for (const [mode, how] of Object.entries(MODES)) {
    it(`exchanges text and binary, with acknowledgements, over ${mode}`, async () => {
      const socket = io2(broker.url, { ...how, forceNew: true, reconnection: false });
      try {
        await event(socket, "connect");
        if (mode === "upgrade") await upgraded(socket.io.engine);
        const back = event(socket, "echoed");
        const values = ["ü€😀", { bytes: Buffer.from([0, 127, 255]) }, 7];
        const reply = await within(new Promise((resolve) => {
          socket.emit("echo", ...values, (...args) => resolve(args));
        }), "the acknowledgement");
        assert.deepStrictEqual(reply, values);
        assert.deepStrictEqual(await back, values);
        const admin = socket.io.socket("/admin");
        await event(admin, "connect");
        const nsp = await within(new Promise((resolve) => admin.emit("who", resolve)), "the answer");
        assert.strictEqual(nsp, "/admin");
      } finally {
        socket.io.engine.close();
      }
    });
  }
});

describe("JSONP", () => {
  let broker;
  before(async () => { broker = await Broker.start({ settings: { "engine.allow_eio3": true } }); });
  after(() => broker?.stop());

  /// Runs an answer as a page would: what its callback was given.
  const run = (response) => {
    const given = [];
    vm.runInNewContext(response.body, { ___eio: { 7: (payload) => given.push(payload) } });
    return given;
  };
  const form = { "content-type": "application/x-www-form-urlencoded" };

  for (const version of [4, 3]) {
    it(`of protocol ${version} carries text both ways`, async () => {
      const jsonp = `/socket.io/?EIO=${version}&transport=polling&j=7`;
      const opened = await request(broker.url, jsonp);
      assert.strictEqual(opened.headers["content-type"], "text/javascript; charset=UTF-8");
      assert.strictEqual(opened.headers["x-content-type-options"], "nosniff");
      const [payload] = run(opened);
      const { sid } = JSON.parse(/\{[^}]*\}/.exec(payload)[0]);
      const packet = "40/any,";
      const body = "d=" + encodeURIComponent(version === 4 ? packet : `${packet.length}:${packet}`);
      const posted = await request(broker.url, `${jsonp}&sid=${sid}`, { method: "POST", headers: form, body });
      assert.strictEqual(posted.body, "ok");
      assert.match(posted.headers["content-type"], /^text\/html/);
      // No script serves it.
      await until(async () => {
        const [answer] = run(await request(broker.url, `${jsonp}&sid=${sid}`));
        return answer.includes("44/any,");
      }, "the refusal of the namespace");
    });
  }
});

describe("clients of Engine.IO 3 where they are not allowed", () => {
  let broker;
  before(async () => { broker = await Broker.start(); });
  after(() => broker?.stop());

  it("are told so", async () => {
    const refused = await request(broker.url, "/socket.io/?EIO=3&transport=polling");
    assert.strictEqual(refused.status, 400);
    assert.deepStrictEqual(JSON.parse(refused.body), { code: 5, message: "Unsupported protocol version" });
  });
});
