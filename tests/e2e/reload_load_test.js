"use strict";
// A live system is edited fifty times under load, ten times badly. Nobody is disconnected; no event
// is lost, doubled, reordered within its client, or answered by a half-loaded script.
// MOONWIRE_RELOAD_CLIENTS (500), MOONWIRE_RELOAD_RATE (2000 events a second in all),
// MOONWIRE_RELOAD_EDITS (50). Latencies are printed, not judged.

const assert = require("node:assert");
const { it } = require("node:test");
const { Broker } = require("./lib/broker");
const { Ws } = require("./lib/engine");
const { until } = require("./lib/wait");

const CLIENTS = Number(process.env.MOONWIRE_RELOAD_CLIENTS || 500);
const RATE = Number(process.env.MOONWIRE_RELOAD_RATE || 2000);
const EDITS = Number(process.env.MOONWIRE_RELOAD_EDITS || 50);
const EDIT_EVERY_MS = 200;
const TICK_MS = 5;

const main = (version) => `
local ns = namespace "/"
local complete = false
local lib = require "lib.version"
ns:on("step", function(socket, n)
  local last = socket.data.last or 0
  socket.data.last = n
  ns.state.seen = (ns.state.seen or 0) + 1
  return n, last, ${version}, lib.version, complete
end)
ns:on("seen", function() return ns.state.seen end)
every(0.05, function() ns.state.ticks = (ns.state.ticks or 0) + 1 end)
complete = true
`;
const lib = (version) => `return { version = ${version} }`;

/// Takes messages as they come, past the inbox.
function listen(ws, take) {
  ws.receive = (message) => (message === "2" ? ws.send("3") : take(message));
}

class Client {
  static async open(broker) {
    const client = new Client();
    client.ws = await Ws.client(broker);
    client.sent = client.answered = 0;
    client.times = [];
    client.problems = [];
    client.ws.socket.on("close", () => client.problems.push("disconnected"));
    listen(client.ws, (text) => client.answer(text));
    return client;
  }

  step() {
    const n = ++this.sent;
    this.times.push(performance.now());
    this.ws.send(`42${n}["step",${n}]`);
  }

  answer(text) {
    const match = /^43(\d+)(\[.*)$/.exec(text);
    if (!match) return;
    const [n, last, version, module, complete] = JSON.parse(match[2]);
    const expected = ++this.answered;
    if (Number(match[1]) !== expected || n !== expected || last !== expected - 1 || complete !== true ||
        typeof version !== "number" || typeof module !== "number") {
      this.problems.push(`answer ${expected} is ${text}`);
    }
    this.version = version;
    Client.latencies.push(performance.now() - this.times[n - 1]);
  }
}
Client.latencies = [];

function percentile(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)];
}

it("is not noticed by its clients", async () => {
  const broker = await Broker.start({
    scripts: { "app/main.lua": main(0), "app/lib/version.lua": lib(0), "app/other.lua": 'namespace "/other"' },
  });
  const clients = [];
  for (let i = 0; i < CLIENTS; i += 50) {
    clients.push(...await Promise.all(
      Array.from({ length: Math.min(50, CLIENTS - i) }, () => Client.open(broker))));
  }
  const alive = setInterval(() => {}, 1000);  // the sockets alone don't hold the process
  let next = 0;
  let owed = 0;
  let then = performance.now();
  const beat = setInterval(() => {
    const now = performance.now();
    owed += (now - then) * RATE / 1000;
    then = now;
    for (; owed >= 1; --owed) clients[next++ % clients.length].step();
  }, TICK_MS);

  const measured = async (what) => {
    Client.latencies = [];
    await what();
    return { p50: percentile(Client.latencies, 0.5), p99: percentile(Client.latencies, 0.99), n: Client.latencies.length };
  };
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(1000);
  const quiet = await measured(() => pause(EDITS * EDIT_EVERY_MS / 2));
  let good = 0;
  const edited = await measured(async () => {
    for (let i = 1; i <= EDITS; ++i) {
      if (i % 5 === 0) {
        broker.write("app/main.lua", [`${main(i)}\nend`, `${main(i)}\nerror("bad")`,
          main(i).replace("lib.version", "lib.nothing")][i % 3]);
      } else if (i % 5 === 1) {
        broker.write("app/lib/version.lua", lib(i));
      } else {
        broker.write("app/main.lua", main(i));
        good = i;
      }
      await pause(EDIT_EVERY_MS);
    }
  });
  clearInterval(beat);
  broker.write("app/main.lua", main(good + 1000));
  const reloaded = (await broker.stats()).scripts.find((each) => each.namespace === "/").generation;
  await until(() => clients.every((client) => client.answered === client.sent), "every answer");
  const sent = clients.reduce((sum, client) => sum + client.sent, 0);
  assert.deepStrictEqual(clients.flatMap((client) => client.problems), []);
  const asker = await Client.open(broker);
  const seen = await new Promise((resolve) => {
    listen(asker.ws, (text) => resolve(JSON.parse(text.slice(text.indexOf("[")))[0]));
    asker.ws.send('420["seen"]');
  });
  assert.strictEqual(seen, sent, "handlers ran as often as events were sent");
  assert.ok(reloaded > EDITS / 2, `only ${reloaded} generations`);
  const errors = broker.lines("error").length;
  assert.ok(errors >= EDITS / 10, `only ${errors} errors were reported`);
  console.log(`# ${clients.length} clients, ${sent} events, ${reloaded} generations, ${errors} refused edits; ` +
    `p50 ${quiet.p50.toFixed(2)} -> ${edited.p50.toFixed(2)} ms, p99 ${quiet.p99.toFixed(2)} -> ` +
    `${edited.p99.toFixed(2)} ms: ${(edited.p99 / quiet.p99).toFixed(2)} x`);
  for (const client of [...clients, asker]) client.ws.socket.removeAllListeners("close").terminate();
  clearInterval(alive);
  await broker.stop({ expected: /not loaded/ });
});
