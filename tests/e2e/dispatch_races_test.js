"use strict";
// What happens at once in dispatch, while the store is waited for: of several that want the same, one
// has it, and nobody is told a thing that is not so; over a reload and a kill, too.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { event, until } = require("./lib/wait");

const TOKEN = "the-token-of-the-services-0000000000";
const ROUNDS = 20;

describe("dispatch, at once", () => {
  let broker, clients, a, b;
  const get = async (at) => (await (await fetch(`${broker.url}/api/socket-bridge${at}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  })).json());
  before(async () => {
    broker = await Broker.start({
      app: "dispatch", env: { CAD_BACKEND_AUTH_TOKEN: TOKEN }, settings: { "settings.auth.grace_seconds": 3 },
    });
    clients = new Clients();
    a = await clients.open(broker, "/", { auth: { token: TOKEN } });
    b = await clients.open(broker, "/", { auth: { token: TOKEN } });
  });
  after(async () => {
    clients.closeAll();
    await broker.stop();
  });

  it("gives an assignment's id to one unit", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const assignmentId = `A-${round}`, incidentId = `INC-${round}`;
      const answers = await Promise.all([a, b].map((socket, i) =>
        socket.emitWithAck("assignment:sent", { unitId: `UNIT-${i}`, assignmentId, incidentId })));
      const had = answers.filter(({ success }) => success);
      assert.strictEqual(had.length, 1, JSON.stringify(answers));
      const refused = answers.find(({ error }) => error);
      assert.strictEqual(refused.error.code, "conflict");
      const { items } = await get("/assignments?limit=200");
      const made = Object.values(items).find((each) => each.assignmentId === assignmentId);
      assert.strictEqual(made.unitId, had[0].unitId);
    }
  });

  it("leaves no assignment open when its incident ends", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const incidentId = `INC-END-${round}`;
      await a.emitWithAck("incident:created", { incidentId });
      await Promise.all([
        a.emitWithAck("incident:status", { incidentId, status: "closed" }),
        a.emitWithAck("assignment:sent", { unitId: "UNIT-9", incidentId }),
      ]);
    }
    const { items } = await get("/assignments?limit=200");
    const open = Object.values(items).filter((each) => each.unitId === "UNIT-9" && each.state !== "closed");
    assert.deepStrictEqual(open, []);
  });

  it("may be confirmed while its incident ends", async () => {
    b.on("assignment:received", (assignment, confirm) => confirm(true));
    await b.emitWithAck("join:unit", "UNIT-10");
    const incidents = Array.from({ length: 5 * ROUNDS }, (_, i) => `INC-CONFIRM-${i}`);
    await Promise.all(incidents.map(async (incidentId) => {
      await a.emitWithAck("assignment:sent", { unitId: "UNIT-10", incidentId });
      await a.emitWithAck("incident:status", { incidentId, status: "closed" });
    }));
    const { items } = await get("/assignments?limit=200");
    const states = Object.values(items).filter(({ unitId }) => unitId === "UNIT-10").map(({ state }) => state);
    assert.deepStrictEqual([...new Set(states)], ["closed"]);
  });

  it("does not call done what is under way, and fails", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const event = { id: `m-${round}`, unitId: "UNIT-X", assignmentId: "A-0", incidentId: `INC-NEW-${round}` };
      const answers = await Promise.all([1, 2, 3].map(() => a.emitWithAck("assignment:sent", event)));
      assert.deepStrictEqual(answers.map(({ error }) => error?.code), Array(3).fill("conflict"));
    }
  });

  it("tells who connects of the last metrics once", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const socket = clients.make(broker, "/", { auth: { token: TOKEN }, transports: ["websocket"] });
      const told = [];
      socket.on("metrics:updated", ({ metrics }) => told.push(metrics.round));
      await socket.emitWithAck("metrics:updated", { metrics: { round } });
      await socket.emitWithAck("leave:unit", "none");
      assert.deepStrictEqual(told.filter((each) => each === round), [round]);
      socket.disconnect();
    }
  });

  it("puts out who says nothing, also after a reload", async () => {
    const nobody = await clients.open(broker, "/", { reconnection: false });
    const left = event(nobody, "disconnect");
    const generation = () => /generation=2/.test(broker.stderr);
    fs.appendFileSync(path.join(broker.folder, "dispatch/hub.lua"), "\n-- another generation\n");
    await until(async () => {
      await get("/units");
      return generation();
    }, "the next generation");
    await left;
    assert.strictEqual(a.connected, true);
  });

  it("closes what was still open when it was killed at an incident's end", async (t) => {
    const other = await Broker.start({ app: "dispatch", env: { CAD_BACKEND_AUTH_TOKEN: TOKEN } });
    t.after(other.discard);
    const at = { auth: { token: TOKEN }, reconnection: false };
    const socket = await clients.open(other, "/", at);
    const incidents = Array.from({ length: 100 }, (_, i) => `INC-${i}`);
    await Promise.all(incidents.map((incidentId) =>
      socket.emitWithAck("assignment:sent", { unitId: "UNIT-1", incidentId })));
    const first = event(socket, "incident:status:updated");
    for (const incidentId of incidents) socket.emit("incident:status", { incidentId, status: "closed" });
    await first;
    await other.restart({ signal: "SIGKILL" });
    const items = async (path) => {
      const response = await fetch(`${other.url}/api/socket-bridge${path}`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      return Object.values((await response.json()).items);
    };
    const ended = (await items("/incidents?limit=200")).filter(({ closedAt }) => closedAt);
    const closed = new Set(ended.map(({ incidentId }) => incidentId));
    await until(
      async () => (await items("/assignments?limit=200")).every((each) =>
        !closed.has(each.incidentId) || each.state === "closed"), "they are closed");
  });
});
