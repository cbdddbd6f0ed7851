"use strict";
// One client floods the broker with whatever a client can do; the limits refuse it with the right
// codes, and the others get every answer. Their latencies are printed beside calm, not judged.
//
// By hand, for figures: MOONWIRE_LIMITS_SECONDS=10 node tests/e2e/flood_load_test.js

const assert = require("node:assert");
const { fork } = require("node:child_process");
const path = require("node:path");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { event, until } = require("./lib/wait");

const SECONDS = Number(process.env.MOONWIRE_LIMITS_SECONDS || 1);  // of each flood
const OTHERS = 4;

const main = `
local ns = namespace "/"
ns:on("echo", function(socket, n) return n end)
ns:on("length", function(socket, text) return #text end)
ns:on("join", function(socket, n)
  local joined, why
  for i = 1, 20 do joined, why = socket:join("room" .. n .. "-" .. i) end
  if not joined then fail("too_many_rooms", why) end
end)
ns:on("owe", function(socket)
  local answer, why = socket:call("question")
  if not answer then fail("too_many_calls", why) end
end)
`;
const other = `local ns = namespace "/other"`;

/// What refuses each flood: the code that the client hears, or null if it hears nothing, and which
/// incident is counted.
const FLOODS = {
  events: ["rate_limited", "events_per_second"],
  "events by polling": ["rate_limited", "events_per_second"],
  "events without acknowledgements": ["rate_limited", "events_per_second"],
  bytes: ["rate_limited", "bytes_per_second"],
  handshakes: ["429", "handshakes_per_second_per_ip"],
  rooms: ["too_many_rooms", "rooms_per_socket"],
  acknowledgements: [null, "events_per_second"],
  calls: ["too_many_calls", "awaited_acks_per_socket"],
  connects: ["rate_limited", "events_per_second"],
};

function quantile(values, q) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * q)];
}

describe("a flood from one client", () => {
  const clients = new Clients();
  let broker;
  let others;
  let calm;
  before(async () => {
    broker = await Broker.start({
      scripts: { "main.lua": main, "other.lua": other },
      settings: {
        "server.threads": 1,
        "server.trusted_proxies": "127.0.0.1",
        "limits.events_per_second": 1000,
        "limits.bytes_per_second": 1000000,
        "limits.handshakes_per_second_per_ip": 20,
        "limits.rooms_per_socket": 100,
        "limits.awaited_acks_per_socket": 100,
        "audit.file": "audit.jsonl",
        "log.level": "warn",
      },
    });
    others = await Promise.all(Array.from({ length: OTHERS }, () =>
      clients.open(broker, "/", { transports: ["websocket"] })));
    await warmUp();
    calm = await p99();
  });
  after(async () => {
    clients.closeAll();
    await broker?.stop();
  });

  /// Until the engine has compiled what is measured: else the first floods seem several times worse.
  async function warmUp() {
    await Promise.all(others.map(async (socket) => {
      for (let n = 0; n < 3000; ++n) await socket.emitWithAck("echo", n);
    }));
  }

  /// The others' p99 in milliseconds: of each second, of these the middle one. A hiccup of the machine
  /// spoils a second and no more.
  async function p99() {
    const seconds = Array.from({ length: SECONDS }, () => []);
    const started = performance.now();
    await Promise.all(others.map(async (socket) => {
      for (let n = 0; ; ++n) {
        const sent = performance.now();
        const second = seconds[Math.floor((sent - started) / 1000)];
        if (!second) return;
        assert.strictEqual(await socket.timeout(20000).emitWithAck("echo", n), n);
        second.push(performance.now() - sent);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }));
    return quantile(seconds.map((latencies) => quantile(latencies, 0.99)), 0.5);
  }

  for (const [kind, [code, incident]] of Object.entries(FLOODS)) {
    it(`(${kind}) is refused, and the others lose nothing`, async () => {
      const counted = (await broker.stats()).incidents[incident];
      const flooder = fork(path.join(__dirname, "lib/flooder.js"), [broker.url, kind]);
      // Its process is up and what it does is refused: starting it is no flood.
      await until(async () => (await broker.stats()).incidents[incident] > counted,
                  `an incident: ${incident}`);
      const during = await p99();
      const result = event(flooder, "message");
      flooder.send("stop");
      const [{ done, codes }] = await result;
      if (code) assert.ok(codes[code] > 0, `${code} in ${JSON.stringify(codes)}`);
      console.log(`# ${kind}: ${done} sent, refused ${JSON.stringify(codes)}; ` +
        `the others' p99 ${calm.toFixed(2)} -> ${during.toFixed(2)} ms: ${(during / calm).toFixed(2)} x`);
      for (const socket of others) assert.ok(socket.connected);
    });
  }
});
