"use strict";
// Dispatch's outbox under bad treatment: the broker is killed with bills half sent, again and again. Every
// transport that it acknowledged reaches the billing webhook at least once, with an id by which a second one
// is known.

const assert = require("node:assert");
const http = require("node:http");
const { describe, it, after } = require("node:test");
const jwt = require("jsonwebtoken");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { RabbitMQ } = require("./lib/rabbitmq");
const { event, until, within } = require("./lib/wait");

const SECRET = "a secret of more than thirty-two bytes";
const KILLS = 4, AT_ONCE = 8;

/// A billing system that is slow, away or refuses now and then, and counts what it took.
async function billing() {
  const taken = new Map();
  let number = 0;
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text) => (body += text)).on("end", () => {
      if (++number % 7 === 0) return request.socket.destroy();
      if (number % 5 === 0) return response.writeHead(503).end();
      const bill = JSON.parse(body);
      assert.strictEqual(request.headers["idempotency-key"], bill.id);
      taken.set(bill.id, [...(taken.get(bill.id) || []), bill]);
      // Taken, and the broker may never hear of it.
      setTimeout(() => response.writeHead(204).end(), number % 3);
    });
  });
  server.listen(0, "127.0.0.1");
  await event(server, "listening");
  return { server, taken, url: `http://127.0.0.1:${server.address().port}/bills` };
}

describe("dispatch's outbox", () => {
  const clients = new Clients();
  after(() => clients.closeAll());

  it(`loses no bill when the broker is killed ${KILLS} times`, async (t) => {
    const { server, taken, url } = await billing();
    t.after(() => server.close());
    const broker = await Broker.start({
      app: "dispatch",
      settings: { "settings.billing.first_delay": 0.01, "settings.billing.max_delay": 0.02 },
      env: { JWT_SECRET: SECRET, BILLING_WEBHOOK_URL: url },
    });
    t.after(broker.discard);
    const token = jwt.sign({ sub: "ann", role: "crew" }, SECRET, { expiresIn: 600 });
    const acknowledged = new Set();
    let next = 0;
    for (let round = 0; round < KILLS; round++) {
      let killed = false, done = 0;
      const load = async (socket) => {
        while (!killed && socket.connected) {
          const n = next++;
          // Unanswered for ever if the broker dies first.
          await new Promise((resolve) => {
            socket.once("disconnect", resolve);
            socket.emit("transport:completed", { incidentId: `INC-${n % 10}`, epcrId: `E-${n}` }, (answer) => {
              socket.off("disconnect", resolve);
              if (answer.success) acknowledged.add(`INC-${n % 10}:E-${n}`), done++;
              resolve();
            });
          });
        }
      };
      const socket = await clients.open(broker, "/", { auth: { token }, reconnection: false });
      const loads = Array.from({ length: AT_ONCE }, () => load(socket));
      const before = taken.size;
      await until(() => done >= 30 && taken.size > before + 5, "some are sent, some are not");
      await broker.restart({ signal: "SIGKILL", meanwhile: () => { killed = true; } });
      await within(Promise.all(loads), "the end of the load");
    }
    const waiting = async () => (await (await fetch(`${broker.url}/api/socket-bridge/health`)).json()).billing;
    await until(async () => (await waiting()).waiting === 0, "all are delivered");
    const lost = [...acknowledged].filter((id) => !taken.has(id));
    assert.deepStrictEqual(lost, [], "acknowledged and not billed");
    for (const [id, bills] of taken) {
      for (const bill of bills) assert.strictEqual(`${bill.incidentId}:${bill.epcrId}`, id);
    }
    // The same again is no new bill, after all these restarts.
    const socket = await clients.open(broker, "/", { auth: { token } });
    const known = [...acknowledged][0], [incidentId, epcrId] = known.split(/:(?=E)/);
    const times = taken.get(known).length;
    const answer = await socket.emitWithAck("transport:completed", { incidentId, epcrId });
    assert.deepStrictEqual([answer.success, answer.duplicate], [true, true]);
    await until(async () => (await waiting()).waiting === 0, "nothing more");
    assert.strictEqual(taken.get(known).length, times);
    t.diagnostic(`${acknowledged.size} acknowledged, ${taken.size} billed, ` +
      `${[...taken.values()].filter((bills) => bills.length > 1).length} of them more than once`);
    await broker.stop();
  });

  it("keeps units, incidents and unconfirmed assignments over a kill", async (t) => {
    const broker = await Broker.start({ app: "dispatch", env: { JWT_SECRET: SECRET } });
    t.after(broker.discard);
    const token = jwt.sign({ sub: "dan", roles: ["dispatcher", "crew"] }, SECRET, { expiresIn: 600 });
    const socket = await clients.open(broker, "/", { auth: { token }, reconnection: false });
    await socket.emitWithAck("unit:status", { unitId: "UNIT-5", status: "available" });
    await socket.emitWithAck("unit:location", { unitId: "UNIT-5", location: { lat: 40.7, lng: -74 } });
    const { assignmentId } = await socket.emitWithAck("assignment:sent", {
      unitId: "UNIT-5", incident: { incidentId: "INC-1", type: "Fall", address: "1 Elm St", priority: 2 },
    });
    await broker.restart({ signal: "SIGKILL" });
    const crew = clients.make(broker, "/", {
      auth: { token: jwt.sign({ sub: "ann", role: "crew", unitId: "UNIT-5" }, SECRET, { expiresIn: 600 }) },
    });
    const received = within(new Promise((resolve) => crew.once("assignment:received", (assignment, confirm) => {
      confirm(true);
      resolve(assignment);
    })), "the assignment after the restart");
    assert.strictEqual((await received).assignmentId, assignmentId);
    const get = async (path) => (await (await fetch(`${broker.url}/api/socket-bridge${path}`, {
      headers: { authorization: `Bearer ${token}` },
    })).json()).items;
    await until(async () => (await get("/assignments?state=confirmed")).length === 1, "its confirmation");
    const [unit] = await get("/units"), [incident] = await get("/incidents");
    assert.deepStrictEqual([unit.status, unit.location.coordinates], ["available", [-74, 40.7]]);
    assert.deepStrictEqual([incident.type, incident.status], ["Fall", "pending"]);
    await broker.stop();
  });

  it("publishes bills to RabbitMQ, and keeps them until somebody takes them", {
    skip: RabbitMQ.installed ? false : "rabbitmq-server is not installed",
  }, async (t) => {
    const rabbit = await RabbitMQ.start();
    t.after(() => rabbit.stop());
    const broker = await Broker.start({
      app: "dispatch", env: { JWT_SECRET: SECRET, BILLING_AMQP_URL: rabbit.url() },
      settings: { "settings.billing.first_delay": 0.05, "settings.billing.max_delay": 0.1 },
    });
    t.after(broker.discard);
    const token = jwt.sign({ sub: "ann", role: "crew" }, SECRET, { expiresIn: 600 });
    const socket = await clients.open(broker, "/", { auth: { token } });
    const complete = (epcrId) => socket.emitWithAck("transport:completed", { incidentId: "INC-1", epcrId });
    const bills = async () => (await (await fetch(`${broker.url}/api/socket-bridge/health`)).json()).billing;
    assert.strictEqual((await complete("E-1")).success, true);
    // No queue is there that would take it.
    await broker.logged(/can't be delivered yet .*unroutable/);
    assert.deepStrictEqual([(await bills()).target, (await bills()).waiting], ["amqp", 1]);
    const admin = await rabbit.client();
    t.after(admin.close);
    await admin.channel.assertQueue("transport.completed");
    await complete("E-2");
    await until(async () => (await bills()).waiting === 0, "the bills are taken");
    for (const epcrId of ["E-1", "E-2"]) {
      const message = await admin.channel.get("transport.completed", { noAck: true });
      assert.strictEqual(message.properties.messageId, `INC-1:${epcrId}`);
      assert.strictEqual(JSON.parse(message.content).epcrId, epcrId);
    }
    await broker.stop();
  });
});
