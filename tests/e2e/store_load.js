"use strict";
// How an echo client fares while others append to a stream: latencies calm, beside as many events that
// store nothing (what the load itself costs on this machine), and beside the appends, with the ratios.
// Each in turn, some rounds; a figure is of each second, of all these the middle one: a hiccup of the
// machine spoils a second and no more. Appends are durable and acknowledged; their client is a process
// of its own. By hand:
//   node store_load.js [--appends 5000] [--seconds 5] [--rounds 3] [--set KEY=VALUE]…

const { fork } = require("node:child_process");
const os = require("node:os");
const { parseArgs } = require("node:util");
const { io } = require("socket.io-client");
const { Broker } = require("./lib/broker");
const { event, within } = require("./lib/wait");

const SCRIPT = `
local ns = namespace "/"
ns:on("echo", function(_, value) return value end)
`;
const STORE_SCRIPT = `
local ns = namespace "/store"
ns:on("note", function() return 1 end)
ns:on("append", function(_, value) return ns.store:append("s", value, { count = 100000 }) end)
`;
const TICK_MS = 5;

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];

async function connect(url) {
  const socket = io(url, { transports: ["websocket"], forceNew: true });
  await event(socket, "connect");
  return socket;
}

/// Sends an event at a steady pace until told to stop; tells how many were acknowledged and how fast.
async function load([url, name, rate]) {
  // Elsewhere it would not take the processor from what is measured.
  os.setPriority(os.constants.priority.PRIORITY_LOW);
  const socket = await connect(`${url}/store`);
  const value = { lat: 40.7128, lng: -74.006, orderId: "o-17", text: "x".repeat(100) };
  const took = [];
  const started = performance.now();
  let sent = 0, running = true;
  process.on("message", () => (running = false));
  process.send("ready");
  while (running) {
    for (const due = ((performance.now() - started) / 1000) * rate; sent < due; sent++) {
      const at = performance.now();
      socket.emit(name, value, (id) => id && took.push(performance.now() - at));
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const seconds = (performance.now() - started) / 1000;
  took.sort((a, b) => a - b);
  process.send({ sent, acknowledged: took.length, seconds, p50: quantile(took, 0.5), p99: quantile(took, 0.99) });
  socket.disconnect();
  process.disconnect();
}

const WARM_UP_ECHOES = 5000;  // until the engine has compiled what is measured

/// Of each second the latencies in ms of one echo after another, sorted.
async function echo(socket, seconds) {
  const all = [];
  for (let second = 0; second < seconds; ++second) {
    const took = [];
    for (const end = performance.now() + 1000; performance.now() < end;) {
      const at = performance.now();
      await socket.emitWithAck("echo", "x");
      took.push(performance.now() - at);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    all.push(took.sort((a, b) => a - b));
  }
  return all;
}

async function main() {
  const { values } = parseArgs({ options: {
    appends: { type: "string", default: "5000" }, seconds: { type: "string", default: "5" }, rounds: { type: "string", default: "3" },
    set: { type: "string", multiple: true, default: [] } } });
  const broker = await Broker.start({
    scripts: { "main.lua": SCRIPT, "store.lua": STORE_SCRIPT },
    settings: Object.fromEntries(values.set.map((each) => each.split(/=(.*)/s).slice(0, 2))),
  });
  const socket = await connect(broker.url);
  for (let n = 0; n < WARM_UP_ECHOES; ++n) await socket.emitWithAck("echo", "x");
  const beside = async (name) => {
    const loader = fork(__filename, ["--load", broker.url, name, values.appends]);
    await event(loader, "message");
    const latencies = await echo(socket, Number(values.seconds));
    loader.send("stop");
    const [figures] = await within(event(loader, "message"), "the load's end");
    return [latencies, figures];
  };
  const calm = [], plain = [], loaded = [];
  let appends;
  for (let round = 0; round < Number(values.rounds); ++round) {
    calm.push(...await echo(socket, Number(values.seconds)));
    plain.push(...(await beside("note"))[0]);
    const [latencies, figures] = await beside("append");
    loaded.push(...latencies);
    appends = figures;
  }
  const report = (name, q) => {
    const [quiet, noted, stored] = [calm, plain, loaded].map((seconds) =>
      quantile(seconds.map((latencies) => quantile(latencies, q)).sort((a, b) => a - b), 0.5));
    console.log(`echo ${name}: calm ${quiet.toFixed(2)} ms, beside events ${noted.toFixed(2)} ms, beside appends ` +
      `${stored.toFixed(2)} ms: ${(stored / quiet).toFixed(2)} times calm, ${(stored / noted).toFixed(2)} times the events'`);
  };
  report("p50", 0.5);
  report("p99", 0.99);
  console.log(`${Math.round(appends.acknowledged / appends.seconds)} appends a second acknowledged ` +
    `(${appends.sent} sent, ${appends.acknowledged} acknowledged), p50 ${appends.p50.toFixed(1)} ms, p99 ${appends.p99.toFixed(1)} ms`);
  socket.disconnect();
  await broker.stop();
}

if (process.argv[2] === "--load") load(process.argv.slice(3));
else main();
