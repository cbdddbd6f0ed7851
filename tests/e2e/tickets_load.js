"use strict";
// The tickets document's table of times, measured: official clients in this process, a broker on one
// reactor. By hand, for figures; nothing is asserted but that everything arrives:
//   node tests/e2e/tickets_load.js [--clients 1000] [--rounds 20]

const assert = require("node:assert");
const { io } = require("socket.io-client");
const { Broker } = require("./lib/broker");
const { until, within } = require("./lib/wait");

const AT_ONCE = 10;  // operations under way at a time
const SERVICE = "Finance";
/// The document's limits, in milliseconds.
const LIMITS = { connection: 100, join: 50, "join a queue": 50, broadcast: 200, ping: 50, reconnection: 1000 };

/// The milliseconds that `work(item)` takes for each item, so many at a time.
async function time(items, work, atOnce = AT_ONCE) {
  const times = [], queue = [...items];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const start = performance.now();
      await within(work(item), "an operation");
      times.push(performance.now() - start);
    }
  }));
  return times;
}

const once = (emitter, name) => new Promise((resolve) => emitter.once(name, resolve));

async function connect(broker, sockets) {
  const socket = io(broker.url, { forceNew: true, transports: ["websocket"], reconnectionDelay: 1 });
  sockets.push(socket);
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
}

/// One ticket after the other is taken: the time from asking until the last of all clients in the
/// service's room has heard, which includes writing it to the disk.
async function broadcast(broker, sockets, rounds) {
  const times = [];
  let left = 0;
  for (const socket of sockets) socket.on("ticketCreated", () => --left);
  for (let round = 0; round < rounds; ++round) {
    left = sockets.length;
    const start = performance.now();
    const response = await fetch(`${broker.url}/tickets`, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ serviceType: SERVICE, userId: `user-${round}` }),
    });
    assert.strictEqual(response.status, 201);
    await until(() => left === 0, "all have heard");
    times.push(performance.now() - start);
  }
  return times;
}

/// From the client's attempt (its own pause before that is its setting) until it is in again.
async function reconnect(socket) {
  const back = once(socket, "connect");
  socket.io.engine.close();
  await back;
}

async function run(broker, { clients = 1000, rounds = 20 } = {}) {
  const sockets = [];
  const times = {};
  times.connection = await time(Array(clients).fill(0), () => connect(broker, sockets));
  times.join = await time(sockets, async (socket) => {
    const answer = await socket.emitWithAck("joinUserRoom", { userId: socket.id });
    assert.deepStrictEqual(answer, { success: true, room: `user-${socket.id}` });
  });
  // Everybody in the queue hears of each who joins: half a million messages, all of which this one
  // process decodes, so one joins after the other.
  times["join a queue"] = await time(sockets, async (socket) => {
    const answer = await socket.emitWithAck("joinServiceQueue", { serviceType: SERVICE });
    assert.deepStrictEqual(answer, { success: true, room: `service-${SERVICE}` });
  }, 1);
  times.broadcast = await broadcast(broker, sockets, rounds);
  times.ping = await time(sockets, async (socket) => assert.strictEqual(await socket.emitWithAck("ping"), "pong"));
  times.reconnection = await time(sockets, reconnect);
  for (const socket of sockets) socket.disconnect();
  return times;
}

function print(times, clients) {
  console.log(`${clients} clients, ms     p50     p99     max   document`);
  for (const [name, list] of Object.entries(times)) {
    list.sort((a, b) => a - b);
    const at = (share) => list[Math.min(list.length - 1, Math.floor(list.length * share))].toFixed(1).padStart(8);
    console.log(`${name.padEnd(17)}${at(0.5)}${at(0.99)}${at(1)}      < ${LIMITS[name]}`);
  }
}

const { values } = require("node:util").parseArgs({ options: {
  clients: { type: "string", default: "1000" }, rounds: { type: "string", default: "20" } } });
const [clients, rounds] = [Number(values.clients), Number(values.rounds)];
Broker.start({
  app: "tickets", args: ["--threads", "1"],
  settings: { "log.level": "warn", "settings.tickets.open_per_user": rounds },
}).then(async (broker) => {
  try {
    print(await run(broker, { clients, rounds }), clients);
  } finally {
    await broker.stop();
  }
});
