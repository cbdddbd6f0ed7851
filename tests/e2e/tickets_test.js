"use strict";
// scripts/tickets with clients written from its document: socket.io-client at "/", and fetch.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it, before, after, beforeEach, afterEach } = require("node:test");
const jwt = require("jsonwebtoken");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { BUNDLE } = require("./lib/page");
const { event, until, within } = require("./lib/wait");

const SECRET = "a secret of more than thirty-two bytes";
const sign = (claims, options = { expiresIn: 600 }) => jwt.sign(claims, SECRET, options);
const STAFF = sign({ sub: "ann", role: "staff" });
const CUSTOMER = sign({ sub: "bob", role: "customer" });

const start = (settings = {}, env = {}) => Broker.start({
  app: "tickets", settings: { "server.client_bundle": BUNDLE, ...settings }, env: { JWT_SECRET: SECRET, ...env },
});

describe("the tickets app", () => {
  const clients = new Clients();
  let broker;
  before(async () => { broker = await start(); });
  afterEach(() => clients.closeAll());
  after(() => broker?.stop());

  const open = async (options) => {
    const socket = clients.make(broker, "/", options);
    socket.heard = [];
    socket.onAny((...heard) => socket.heard.push(heard));
    if (!socket.connected) await event(socket, "connect");
    return socket;
  };
  const ask = (socket, ...args) => within(
    new Promise((resolve) => socket.emit(...args, resolve)), `answer to ${args[0]}`);
  const heard = (socket, name) => socket.heard.filter(([each]) => each === name).map(([, data]) => data);
  const hears = (socket, name, test = () => true) => until(() => heard(socket, name).find(test), name);

  async function call(method, path, { body, token, headers = {} } = {}) {
    if (body !== undefined) headers = { ...headers, "content-type": "application/json" };
    if (token) headers = { ...headers, authorization: `Bearer ${token}` };
    const response = await fetch(broker.url + path, { method, headers, body: body && JSON.stringify(body) });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
  const take = async (serviceType, userId = "user123") => {
    const { status, body } = await call("POST", "/tickets", { body: { serviceType, userId } });
    assert.strictEqual(status, 201, JSON.stringify(body));
    return body;
  };
  const serve = (id, counterId) => call("POST", `/tickets/${id}/serve`, { body: { counterId } });

  it("greets a client, and lets it into every room of the document", async () => {
    const socket = clients.make(broker, "/", { reconnection: true, reconnectionDelay: 1000, reconnectionAttempts: 5 });
    const [greeting] = await event(socket, "connected");
    assert.strictEqual(greeting.socketId, socket.id);
    assert.ok(Number.isInteger(greeting.clientId));
    socket.heard = [];
    socket.onAny((...heard) => socket.heard.push(heard));
    assert.deepStrictEqual(await ask(socket, "joinDashboard", { userRole: "admin", userId: "user123" }),
      { success: true, room: "dashboard" });
    assert.deepStrictEqual(await ask(socket, "joinServiceQueue", { serviceType: "Finance" }),
      { success: true, room: "service-Finance" });
    assert.deepStrictEqual(await ask(socket, "joinCounter", { counterId: "counter-5" }),
      { success: true, room: "counter-counter-5" });
    assert.deepStrictEqual(await ask(socket, "joinUserRoom", { userId: "user-123" }),
      { success: true, room: "user-user-123" });
    assert.deepStrictEqual(await ask(socket, "leaveRoom", { room: "service-Finance" }),
      { success: true, room: "service-Finance" });
    assert.strictEqual(await ask(socket, "ping"), "pong");
    socket.emit("clientInfo", { userAgent: "Mozilla/5.0", language: "en-US", timezone: "Africa/Nairobi" });
    socket.emit("clientError", { message: "it broke", stack: "Error: it broke\n    at app.js:1" });
    const update = await hears(socket, "staffConnectionUpdate");
    assert.deepStrictEqual(update, { action: "connected", clientId: greeting.clientId, timestamp: update.timestamp,
                                     totalConnected: update.totalConnected });
    assert.ok((await hears(socket, "loadBalancingMetrics")).services);
    await broker.logged(/a client reports an error .*it broke/);
    const { body } = await call("GET", "/clients", { headers: { "x-user-role": "admin" } });
    const me = body.clients.find((each) => each.id === socket.id);
    assert.deepStrictEqual(me.rooms, ["dashboard", "counter-counter-5", "user-user-123"]);
    assert.strictEqual(me.timezone, "Africa/Nairobi");
    const refused = await ask(socket, "joinServiceQueue", { serviceType: "" });
    assert.strictEqual(refused.success, false);
    assert.match(refused.error, /serviceType/);
  });

  it("tells the queue's others, and staff, who comes and goes", async () => {
    const [boss, one, two] = [await open(), await open(), await open()];
    await ask(boss, "joinDashboard", { userRole: "admin", userId: "b" });
    await ask(one, "joinServiceQueue", { serviceType: "Queue" });
    await ask(two, "joinServiceQueue", { serviceType: "Queue" });
    assert.strictEqual((await hears(one, "queueUserJoined")).serviceType, "Queue");
    await ask(two, "joinDashboard", { userRole: "manager", userId: "m" });
    two.disconnect();
    await hears(boss, "staffConnectionUpdate", ({ action }) => action === "disconnected");
    assert.deepStrictEqual(heard(two, "queueUserJoined"), []);
  });

  it("takes a ticket through its life, and tells those concerned", async () => {
    const [boss, queue, owner, counter] = [await open(), await open(), await open(), await open()];
    await ask(boss, "joinDashboard", { userRole: "admin", userId: "b" });
    await ask(queue, "joinServiceQueue", { serviceType: "Life" });
    await ask(owner, "joinUserRoom", { userId: "u-life" });
    await ask(counter, "joinCounter", { counterId: "life" });
    const opened = await call("PATCH", "/counters/life", { body: { status: "open", name: "Counter L" } });
    assert.deepStrictEqual([opened.status, opened.body.status], [200, "open"]);
    const ticket = await take("Life", "u-life");
    assert.deepStrictEqual([ticket.number, ticket.position, ticket.status], [1, 1, "waiting"]);
    assert.strictEqual(typeof ticket.estimatedWaitSeconds, "number");
    const second = await take("Life", "u-other");
    assert.deepStrictEqual([second.number, second.position], [2, 2]);
    const serving = await serve(ticket.ticketId, "life");
    assert.deepStrictEqual([serving.status, serving.body.status], [200, "serving"]);
    const completed = await call("POST", `/tickets/${ticket.ticketId}/complete`);
    assert.deepStrictEqual([completed.status, completed.body.status], [200, "completed"]);
    const cancelled = await call("POST", `/tickets/${second.ticketId}/cancel`, { body: {} });
    assert.deepStrictEqual([cancelled.status, cancelled.body.status], [200, "cancelled"]);
    for (const socket of [boss, queue, owner]) {
      const life = { ticketCreated: "waiting", ticketServing: "serving", ticketCompleted: "completed" };
      for (const [name, status] of Object.entries(life)) {
        const seen = await hears(socket, name, ({ ticketId }) => ticketId === ticket.ticketId);
        assert.strictEqual(seen.status, status);
        assert.strictEqual(seen.ticketNumber, ticket.ticketNumber);
        assert.ok(!Number.isNaN(Date.parse(seen.timestamp)));
        assert.ok(!("userId" in seen));
      }
    }
    await hears(queue, "queueUpdated", ({ waiting, serving: s }) => waiting === 0 && s === 0);
    await hears(boss, "queueUpdated");
    await hears(counter, "counterStatusChange",
      ({ status, previousStatus }) => status === "open" && previousStatus === "busy");
    await hears(boss, "counterStatusChange", ({ ticketNumber }) => ticketNumber === ticket.ticketNumber);
    assert.deepStrictEqual(heard(owner, "ticketCreated").map((each) => each.ticketId), [ticket.ticketId]);
    const { body: { queues } } = await call("GET", "/queues");
    assert.strictEqual(queues.find((each) => each.serviceType === "Life").waiting, 0);
  });

  it("gives a ticket to one of ten counters that ask at once", async () => {
    const ticket = await take("Race");
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => serve(ticket.ticketId, `race-${i}`)));
    const winners = answers.filter(({ status }) => status === 200);
    assert.strictEqual(winners.length, 1);
    for (const { status, body } of answers.filter((each) => each !== winners[0])) {
      assert.strictEqual(status, 409);
      assert.strictEqual(body.error.code, "conflict");
      assert.strictEqual(body.error.data.counterId, winners[0].body.counterId);
    }
    // And a counter that asks for ten tickets at once gets one.
    const tickets = await Promise.all(Array.from({ length: 10 }, (_, i) => take("Race", `u${i}`)));
    assert.deepStrictEqual(tickets.map(({ number }) => number).sort((a, b) => a - b), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const served = await Promise.all(tickets.map(({ ticketId }) => serve(ticketId, "race-one")));
    assert.deepStrictEqual(served.map(({ status }) => status).sort(), [200, ...Array(9).fill(409)]);
  });

  it("says which field of a request is wrong", async () => {
    for (const [method, path, body, field] of [
      ["POST", "/tickets", { userId: "u" }, /serviceType/],
      ["POST", "/tickets", { serviceType: "A" }, /userId/],
      ["POST", "/tickets/x/serve", {}, /counterId/],
      ["PATCH", "/counters/1", { status: "sleeping" }, /status/],
    ]) {
      const answer = await call(method, path, { body });
      assert.strictEqual(answer.status, 422, `${method} ${path}`);
      assert.match(answer.body.error.message, field);
    }
    assert.strictEqual((await call("POST", "/tickets/none/complete")).status, 404);
  });

  it("believes a token rather than words, on every path and event of staff", async () => {
    const expired = sign({ sub: "ann", role: "staff" }, { expiresIn: -10 });
    const { ticketId } = await take("Roles");
    const paths = [
      ["GET", "/clients"], ["GET", "/counters"], ["PATCH", "/counters/roles", { status: "open" }],
      ["POST", `/tickets/${ticketId}/serve`, { counterId: "roles" }],
      ["POST", `/tickets/${ticketId}/complete`], ["POST", `/tickets/${(await take("Roles")).ticketId}/cancel`],
    ];
    for (const [method, path, body] of paths) {
      const status = async (token, headers) => (await call(method, path, { body, token, headers })).status;
      assert.strictEqual(await status("nonsense"), 401, path);
      assert.strictEqual(await status(expired), 401, path);
      assert.strictEqual(await status(CUSTOMER, { "x-user-role": "admin" }), 403, path);
      assert.strictEqual(await status(null, { "x-user-role": "customer" }), 403, path);
      assert.strictEqual(await status(STAFF), 200, path);
    }
    assert.strictEqual((await call("GET", "/clients")).status, 401);
    for (const token of ["nonsense", expired]) {
      const [error] = await event(clients.make(broker, "/", { auth: { token } }), "connect_error");
      assert.match(error.data.code, /unauthorized|token_expired/);
    }
    const [customer, staff] = [await open({ auth: { token: CUSTOMER } }), await open({ auth: { token: STAFF } })];
    for (const [name, data] of [
      ["joinDashboard", { userRole: "admin", userId: "x" }], ["joinCounter", { counterId: "1" }],
      ["joinUserRoom", { userId: "eve" }],
    ]) {
      assert.strictEqual((await ask(customer, name, data)).success, false, name);
      assert.strictEqual((await ask(staff, name, data)).success, true, name);
    }
    assert.strictEqual((await ask(customer, "joinUserRoom", { userId: "bob" })).success, true);
  });

  it("lets the document's page ask from its origin, and serves it the client", async () => {
    const origin = "http://localhost:5173";
    const { headers } = await call("GET", "/queues", { headers: { origin } });
    assert.strictEqual(headers.get("access-control-allow-origin"), origin);
    assert.strictEqual(headers.get("access-control-allow-credentials"), "true");
    const handshake = await fetch(`${broker.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
    const settings = JSON.parse((await handshake.text()).slice(1));
    assert.deepStrictEqual([settings.pingInterval, settings.pingTimeout, settings.maxPayload], [25000, 20000, 1000000]);
    const other = await call("GET", "/queues", { headers: { origin: "http://evil.example" } });
    assert.strictEqual(other.headers.get("access-control-allow-origin"), null);
    const script = await fetch(`${broker.url}/socket.io/socket.io.js`);
    assert.match(await script.text(), /socket/i);
  });
});

describe("the tickets app's settings", () => {
  const clients = new Clients();
  let broker;
  afterEach(async () => {
    clients.closeAll();
    await broker?.stop();
    broker = null;
  });

  it("may demand tokens and other origins by variables", async () => {
    broker = await start({}, { TICKETS_REQUIRE_TOKENS: "true", SOCKET_IO_ORIGIN: "https://desk.example" });
    const queues = await fetch(`${broker.url}/queues`, { headers: { origin: "https://desk.example" } });
    assert.strictEqual(queues.headers.get("access-control-allow-origin"), "https://desk.example");
    const socket = await clients.open(broker);
    const answer = await socket.emitWithAck("joinDashboard", { userRole: "admin", userId: "u" });
    assert.strictEqual(answer.success, false);
    assert.match(answer.error, /token/);
    const said = await fetch(`${broker.url}/clients`, { headers: { "x-user-role": "admin" } });
    assert.strictEqual(said.status, 401);
    const staff = await fetch(`${broker.url}/clients`, { headers: { authorization: `Bearer ${STAFF}` } });
    assert.strictEqual(staff.status, 200);
  });
});

const ROOMY = { "settings.tickets.queue_limit": 100000 };

describe("the tickets app, reloaded", () => {
  let broker;
  before(async () => { broker = await start(ROOMY); });
  after(() => broker?.stop());

  it("has every ticket that was being taken meanwhile, in its place", async () => {
    const taken = [];
    let stopped = false;
    const visitors = Array.from({ length: 4 }, async (_, i) => {
      while (!stopped) {
        const response = await fetch(`${broker.url}/tickets`, {
          method: "POST", headers: { "content-type": "application/json" },
          body: JSON.stringify({ serviceType: "A", userId: `u-${i}-${Math.floor(taken.length / 10)}` }),
        });
        assert.strictEqual(response.status, 201);
        taken.push(await response.json());
      }
    });
    const desk = path.join(broker.folder, "tickets/desk.lua");
    const text = fs.readFileSync(desk, "utf8");
    for (const generation of [2, 3, 4]) {
      const enough = taken.length + 10;
      await until(() => taken.length > enough, "tickets");
      fs.writeFileSync(desk, `${text}\n-- ${generation}\n`);
      await until(async () => (await broker.stats()).scripts[0].generation === generation, `generation ${generation}`);
    }
    stopped = true;
    await Promise.all(visitors);
    const { queues: [queue] } = await (await fetch(`${broker.url}/queues`)).json();
    assert.strictEqual(queue.waiting, taken.length);
    const numbers = taken.map(({ number }) => number).sort((a, b) => a - b);
    assert.deepStrictEqual(numbers, taken.map((_, i) => i + 1));
    for (const { ticketId, number } of taken) {
      assert.strictEqual((await (await fetch(`${broker.url}/tickets/${ticketId}`)).json()).position, number);
    }
  });
});

it("a client of the tickets app whose connection is recovered is who it was, where it was", async () => {
  const clients = new Clients();
  const broker = await start({ "recovery.enabled": true });
  const client = async () => {
    const response = await fetch(`${broker.url}/clients`, { headers: { "x-user-role": "admin" } });
    return (await response.json()).clients.find((each) => each.language === "rw");
  };
  const socket = await clients.open(broker, "/"), watcher = await clients.open(broker, "/");
  await watcher.emitWithAck("joinDashboard", { userRole: "admin", userId: "boss" });
  const seen = [];
  watcher.on("staffConnectionUpdate", (update) => seen.push([update.action, update.clientId]));
  await socket.emitWithAck("joinDashboard", { userRole: "staff", userId: "ann" });
  await socket.emitWithAck("joinServiceQueue", { serviceType: "Finance" });
  await socket.emitWithAck("clientInfo", { language: "rw" });
  const { clientId, ...record } = await client();
  await until(() => seen.length === 1, "staff to be there");
  socket.io.reconnection(true);
  socket.io.reconnectionDelay(10);
  socket.io.engine.close();
  await event(socket, "connect");
  assert.ok(socket.recovered);
  assert.deepStrictEqual(await client(), { clientId, ...record });
  const left = await socket.emitWithAck("leaveRoom", { room: "dashboard" });
  assert.deepStrictEqual(left, { success: true, room: "dashboard" });
  await until(() => seen.length === 4, "staff to come and go");
  assert.deepStrictEqual(seen,
    ["connected", "disconnected", "connected", "disconnected"].map((what) => [what, clientId]));
  clients.closeAll();
  await broker.stop();
});

it("tickets of a service that the settings list no more can still be ended", async () => {
  const broker = await start();
  const post = async (path, body) => (await fetch(broker.url + path, {
    method: "POST", body: JSON.stringify(body || {}), headers: { "content-type": "application/json" },
  })).json();
  const served = await post("/tickets", { serviceType: "Bakery", userId: "ann" });
  const waiting = await post("/tickets", { serviceType: "Bakery", userId: "bob" });
  await post(`/tickets/${served.ticketId}/serve`, { counterId: "1" });
  await broker.restart({ meanwhile: () => {
    const file = path.join(broker.folder, "tickets/moonwire.toml");
    fs.writeFileSync(file, `${fs.readFileSync(file, "utf8")}\nservices = ["Registry"]\n`);
  } });
  assert.strictEqual((await post(`/tickets/${served.ticketId}/complete`)).status, "completed");
  assert.strictEqual((await post(`/tickets/${waiting.ticketId}/serve`, { counterId: "1" })).status, "serving");
  assert.strictEqual((await post(`/tickets/${waiting.ticketId}/cancel`)).status, "cancelled");
  assert.strictEqual((await post("/tickets", { serviceType: "Bakery", userId: "ann" })).error.code, "invalid");
  await broker.stop();
});

describe("the tickets app, killed", () => {
  const clients = new Clients();
  let broker;
  beforeEach(async () => { broker = await start(ROOMY); });
  afterEach(async () => {
    clients.closeAll();
    await broker?.stop();
  });

  it("loses no ticket that it acknowledged, serves none twice, and knows its counters", async () => {
    const post = async (path, body) => {
      const response = await fetch(broker.url + path, {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body || {}),
      });
      return { status: response.status, body: await response.json() };
    };
    const socket = await clients.open(broker);
    const acknowledged = [];
    // So many take tickets that some requests are under way when it is killed.
    const visitors = Array.from({ length: 8 }, async (_, i) => {
      try {
        for (;;) {
          const { status, body } = await post("/tickets", {
            serviceType: i % 2 ? "A" : "B", userId: `u-${i}-${acknowledged.length}`,
          });
          if (status === 201) acknowledged.push(body);
        }
      } catch {
        // It is dead.
      }
    });
    await until(() => acknowledged.length > 40, "tickets");
    const [done, served] = acknowledged;
    assert.strictEqual((await post(`/tickets/${done.ticketId}/serve`, { counterId: "1" })).status, 200);
    assert.strictEqual((await post(`/tickets/${done.ticketId}/complete`)).status, 200);
    assert.strictEqual((await post(`/tickets/${served.ticketId}/serve`, { counterId: "2" })).status, 200);
    await broker.restart({ signal: "SIGKILL", meanwhile: () => Promise.all(visitors) });
    await until(() => socket.connected, "the client is back");
    assert.strictEqual(await socket.emitWithAck("ping"), "pong");

    const statuses = new Map();
    for (const { ticketId } of acknowledged) {
      const ticket = await (await fetch(`${broker.url}/tickets/${ticketId}`)).json();
      statuses.set(ticketId, ticket.status);
      const before = acknowledged.find((each) => each.ticketId === ticketId);
      assert.strictEqual(ticket.ticketNumber, before.ticketNumber);
    }
    assert.strictEqual(statuses.get(done.ticketId), "completed");
    assert.strictEqual(statuses.get(served.ticketId), "serving");
    assert.ok([...statuses.values()].filter((status) => status === "waiting").length === acknowledged.length - 2);
    const { queues } = await (await fetch(`${broker.url}/queues`)).json();
    for (const queue of queues) {
      const numbers = queue.tickets.map(({ number }) => number);
      assert.deepStrictEqual(numbers, [...numbers].sort((a, b) => a - b), "in order");
      const { body: next } = await post("/tickets", { serviceType: queue.serviceType, userId: "late" });
      const before = acknowledged.filter((each) => each.serviceType === queue.serviceType);
      const last = Math.max(...before.map(({ number }) => number));
      assert.ok(next.number > last, "no number is given out twice");
      assert.strictEqual(next.position, queue.waiting + 1);
    }
    assert.strictEqual((await post(`/tickets/${served.ticketId}/serve`, { counterId: "3" })).status, 409);
    assert.strictEqual((await post(`/tickets/${acknowledged[2].ticketId}/serve`, { counterId: "2" })).status, 409);
    assert.strictEqual((await post(`/tickets/${served.ticketId}/complete`)).status, 200);
    assert.strictEqual((await post(`/tickets/${done.ticketId}/complete`)).status, 409);
  });
});
