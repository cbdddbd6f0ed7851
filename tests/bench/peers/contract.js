"use strict";
// Checks the benchmark's contract on a server that runs already; ./check starts it.
// usage: contract.js URL polling|websocket|upgrade on|off|any
// The last argument is what is expected of permessage-deflate. Prints a line for each failure and
// then "N passed, N failed".

const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");
const { io } = require("socket.io-client");

const [url, transport, deflate] = process.argv.slice(2);
const ACK_MS = 10000;
const sockets = [];

function withDeadline(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing in ${ACK_MS} ms`)), ACK_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function once(emitter, event) {
  return withDeadline(new Promise((resolve) => emitter.once(event, resolve)), event);
}

/// A connected client that keeps every `msg`.
async function connect() {
  const socket = io(url, {
    transports: transport === "upgrade" ? ["polling", "websocket"] : [transport],
    rejectUnauthorized: false, reconnection: false, forceNew: true,
    perMessageDeflate: { threshold: 1024 }, // offered always; the server decides
  });
  sockets.push(socket);
  socket.received = [];
  socket.on("msg", (...args) => socket.received.push(args));
  const upgraded = transport === "upgrade" && once(socket.io, "open").then(
    () => once(socket.io.engine, "upgrade"));
  await Promise.all([upgraded, withDeadline(new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  }), "connect")]);
  return socket;
}

/// All the values of the acknowledgement.
function ask(socket, event, ...args) {
  return withDeadline(
    new Promise((resolve) => socket.emit(event, ...args, (...values) => resolve(values))), event);
}

async function wait(condition, what) {
  for (const end = Date.now() + ACK_MS; !condition();) {
    if (Date.now() > end) throw new Error(`${what}: not in ${ACK_MS} ms`);
    await sleep(5);
  }
}

/// Handlers may run at the same time, and an answer to `pub` is not there: an echo that returns
/// tells that a server has taken in what came before, and a pause gives it time to deal with it.
async function settle(...all) {
  await Promise.all(all.map((socket) => ask(socket, "echo", 0)));
  await sleep(150);
}

function wire(socket) {
  return socket.io.engine.transport.ws;
}

/// Numbers from 0 to 1, the same in every run.
function* randoms(seed) {
  for (;;) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    yield seed / 2 ** 32;
  }
}

function haversine(a, b) {
  const rad = Math.PI / 180;
  const h = Math.sin((b.lat - a.lat) * rad / 2) ** 2 +
    Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin((b.lng - a.lng) * rad / 2) ** 2;
  return 2 * 6371008.8 * Math.asin(Math.sqrt(h));
}

function near(actual, expected, tolerance) {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} for ${expected}`);
}

const PAYLOADS = [
  "text", "", "ünïcödé ✓ 🚌 \"quoted\" \\ \n\u2028", 0, -1, 42, 1.5, 1764061234567, true, false, null,
  [], [1, "two", [3, null]], {}, { a: { b: [{ c: "d" }] }, n: 1.25, z: null }, "x".repeat(16384),
];

const checks = {
  async "handshake"() {
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    assert.equal(response.status, 200);
    const { upgrades, pingInterval, pingTimeout, maxPayload } =
      JSON.parse((await response.text()).split("\x1e")[0].slice(1));
    assert.deepEqual({ upgrades, pingInterval, pingTimeout, maxPayload }, {
      upgrades: ["websocket"], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000,
    });
  },

  async "the transport"() {
    const socket = await connect();
    assert.equal(socket.io.engine.transport.name, transport === "polling" ? "polling" : "websocket");
  },

  async "echo"() {
    const socket = await connect();
    for (const payload of PAYLOADS) assert.deepEqual(await ask(socket, "echo", payload), [payload]);
  },

  async "many echoes at once, each with its own answer"() {
    const socket = await connect();
    await Promise.all(Array.from({ length: 200 }, async (_, i) =>
      assert.deepEqual(await ask(socket, "echo", { i }), [{ i }])));
  },

  async "join and pub"() {
    const [a, b, c, other, outside] = await Promise.all(Array.from({ length: 5 }, connect));
    await Promise.all([a, b, c].map((socket) => ask(socket, "join", "room-1")));
    await ask(other, "join", "room-2");
    for (const payload of PAYLOADS) a.emit("pub", "room-1", payload);
    const all = PAYLOADS.map((payload) => [payload]);
    await wait(() => b.received.length >= all.length && c.received.length >= all.length, "msg");
    await settle(a, b, c, other, outside);
    for (const socket of [b, c]) assert.deepEqual(socket.received, all); // in order, each once
    for (const socket of [a, other, outside]) assert.deepEqual(socket.received, []);
    outside.emit("pub", "room-1", "from outside");
    await wait(() => [a, b, c].every((socket) => socket.received.length), "msg from outside");
    await settle(a, b, c, other, outside);
    assert.deepEqual(a.received, [["from outside"]]);
    assert.deepEqual([other.received, outside.received], [[], []]);
  },

  async "a socket in two rooms, and one that left"() {
    const [a, b, gone] = await Promise.all(Array.from({ length: 3 }, connect));
    await Promise.all([ask(a, "join", "first"), ask(a, "join", "second"), ask(gone, "join", "first")]);
    gone.disconnect();
    b.emit("pub", "first", 1);
    await wait(() => a.received.length === 1, "the first room");
    b.emit("pub", "second", 2);
    await wait(() => a.received.length === 2, "the second room");
    b.emit("pub", "third", 3); // nobody is there
    await settle(a, b);
    assert.deepEqual(a.received, [[1], [2]]);
  },

  async "rebuild"() {
    const socket = await connect();
    const object = {
      id: "bus-7", seq: 41, time: 1764061234567.5, lat: 13.1023, lng: -59.6131, speed: 31.25,
      heading: 270.5, driver: "Zoë ✓", status: "driving", passengers: 17,
    };
    assert.deepEqual(await ask(socket, "rebuild", object), [{ ...object, seq: 42 }]);
    assert.deepEqual(await ask(socket, "rebuild", { ...object, extra: true, lat: 13, speed: 0 }),
                     [{ ...object, seq: 42, lat: 13, speed: 0 }]);
  },

  async "spawn and query"() {
    const socket = await connect();
    const random = randoms(7);
    const next = (from, to) => from + random.next().value * (to - from);
    // The server keeps what earlier runs brought: each has its own latitude.
    const base = { polling: -10, websocket: 13, upgrade: 45 }[transport];
    const commuters = Array.from({ length: 2000 }, (_, i) => ({
      id: `${transport}-${i}`, lat: next(base, base + 0.1), lng: next(-59.68, -59.58),
      max_walk: next(100, 1500), direction: i % 3 ? "outbound" : "inbound",
    }));
    for (let i = 0; i < commuters.length; i += 200) {
      await ask(socket, "spawn", commuters.slice(i, i + 200));
    }
    let some = 0;
    for (let i = 0; i < 200; i++) {
      const query = {
        lat: next(base - 0.01, base + 0.11), lng: next(-59.69, -59.57), radius: next(100, 3000),
        seats: 1 + i % 30, direction: i % 2 ? "outbound" : "inbound",
      };
      const expected = commuters
        .map((commuter) => ({ ...commuter, distance: haversine(query, commuter) }))
        .filter((it) => it.direction === query.direction &&
                        it.distance <= Math.min(query.radius, it.max_walk))
        .sort((a, b) => a.distance - b.distance).slice(0, query.seats);
      const [found, ...rest] = await ask(socket, "query", query);
      assert.deepEqual(rest, []);
      assert.deepEqual(found.map(({ id }) => id), expected.map(({ id }) => id));
      found.forEach((it, j) => {
        assert.deepEqual(Object.keys(it).sort(), ["distance", "id", "lat", "lng"]);
        // serde_json, as it comes, reads a number to within its last bit.
        near(it.lat, expected[j].lat, 1e-12);
        near(it.lng, expected[j].lng, 1e-12);
        near(it.distance, expected[j].distance, 0.001);
      });
      some += found.length;
    }
    assert.ok(some > 1000, `${some} found`);
    assert.deepEqual(await ask(socket, "query",
      { lat: base, lng: 100, radius: 500, seats: 8, direction: "outbound" }), [[]]);
  },

  async "payloads up to a megabyte, and not beyond"() {
    const socket = await connect();
    const large = "y".repeat(900000);
    assert.deepEqual(await ask(socket, "echo", large), [large]);
    const closed = once(socket, "disconnect");
    // Too much even where it is what goes over the wire, compressed, that counts.
    socket.emit("echo", randomBytes(1500000).toString("base64"), () => {});
    await closed;
  },
};

if (transport !== "polling" && deflate !== "any") {
  checks[`permessage-deflate is ${deflate}`] = async () => {
    const [a, b] = [await connect(), await connect()];
    await ask(a, "join", "deflate");
    assert.equal(/permessage-deflate/.test(wire(a).extensions), deflate === "on");
    const before = wire(a)._socket.bytesRead;
    b.emit("pub", "deflate", "compress me ".repeat(2000));
    await wait(() => a.received.length, "msg");
    const bytes = wire(a)._socket.bytesRead - before;
    assert.equal(bytes < 4096, deflate === "on", `24 KB took ${bytes} bytes`);
  };
}

(async () => {
  let passed = 0, failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      passed++;
    } catch (error) {
      failed++;
      console.log(`FAILED ${transport}: ${name}: ${String(error?.message ?? error).slice(0, 600)}`);
    }
    for (const socket of sockets.splice(0)) socket.disconnect();
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
})();
