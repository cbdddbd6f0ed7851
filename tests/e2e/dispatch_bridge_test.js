"use strict";
// Dispatch's bridge to another dispatch system, a real Node socket.io server, that is stopped and started
// under load: nothing is lost or doubled, the order stays, health says what happens, and the hub never
// stalls. And two hubs bridged to each other, which must not go round in circles.

const assert = require("node:assert");
const http = require("node:http");
const { describe, it, before, after } = require("node:test");
const { Server } = require("socket.io");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { freePort } = require("./lib/ports");
const { event, until } = require("./lib/wait");

const TOKEN = "the-token-that-both-ends-share-000000";
// So that the other end is found soon after it has come back.
const SOON = { "settings.bridge.delay": 0.05, "settings.bridge.delay_max": 0.2, "settings.bridge.attempts": 10000 };

/// Another system as the document has it: it takes events, and sends what happened to everybody, the sender
/// included, without keeping ids.
class Cad {
  constructor() {
    this.heard = [];
    this.refused = 0;
  }

  /// Again on the port that it had.
  async start() {
    this.port ??= await freePort();
    this.http = http.createServer();
    this.io = new Server(this.http);
    this.io.use((socket, next) => {
      if (socket.handshake.auth.token === TOKEN) return next();
      this.refused++;
      next(new Error("Authentication failed"));
    });
    this.io.on("connection", (socket) => socket.onAny((name, data) => {
      this.heard.push([name, data]);
      if (name === "unit:status") {
        const { unitId, status, incidentId } = data;
        this.io.emit("unit:status:updated", { unitId, status, incidentId });
      }
    }));
    this.http.listen(this.port, "127.0.0.1");
    await event(this.http, "listening");
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    await new Promise((resolve) => this.io.close(resolve));
  }

  statuses() {
    return this.heard.filter(([name]) => name === "unit:status").map(([, data]) => data.status);
  }
}

const health = async (broker) => (await fetch(`${broker.url}/api/socket-bridge/health`)).json();
const connected = (broker, wanted = true) =>
  until(async () => (await health(broker)).bridge.connected === wanted, `bridge ${wanted ? "connected" : "away"}`);

describe("dispatch's bridge to a Node server", () => {
  const cad = new Cad(), clients = new Clients();
  let broker, service;
  before(async () => {
    await cad.start();
    broker = await Broker.start({
      app: "dispatch", settings: SOON,
      env: { CAD_BACKEND_URL: cad.url, CAD_BACKEND_AUTH_TOKEN: TOKEN },
    });
    service = await clients.open(broker, "/", { auth: { token: TOKEN } });
    await connected(broker);
  });
  after(async () => {
    clients.closeAll();
    await broker.stop();
    await cad.stop();
  });

  it("sends what happens here, and takes what happens there", async () => {
    await service.emitWithAck("unit:status", { unitId: "UNIT-1", status: "here" });
    await until(
      () => cad.heard.some(([name, data]) => name === "unit:status" && data.unitId === "UNIT-1"), "it is told");
    const heard = [];
    service.onAny((name, data) => heard.push([name, data]));
    cad.io.emit("incident:new", { incidentId: "INC-1", type: "Fall", address: "1 Elm St", priority: 2 });
    cad.io.emit("unit:status:updated", { id: "there-1", unitId: "UNIT-2", status: "there" });
    cad.io.emit("unit:status:updated", { id: "there-1", unitId: "UNIT-2", status: "there" });
    cad.io.emit("unit:location:updated", { unitId: "UNIT-2", location: { type: "Point", coordinates: [-74, 40.7] } });
    cad.io.emit("transport:completed", { incidentId: "INC-1", epcrId: "E-1", billingData: {} });
    cad.io.emit("metrics:updated", { metrics: { fence: true } });
    await until(() => heard.length >= 5, "all of it");
    // What came from there, and its echo of ours, is not sent back.
    await service.emitWithAck("unit:status", { unitId: "UNIT-1", status: "fence" });
    await until(() => cad.statuses().includes("fence"), "the fence");
    service.offAny();
    assert.deepStrictEqual(cad.statuses(), ["here", "fence"]);
    assert.deepStrictEqual(heard.map(([name]) => name).sort(), [
      "incident:new", "metrics:updated", "transport:completed", "unit:location:updated", "unit:status:updated",
      "unit:status:updated",
    ]);
  });

  it("keeps the order over restarts of the other end under load, and the hub does not wait for it", async () => {
    cad.heard = [];
    let n = 0, slowest = 0, loading = true;
    const load = async () => {
      while (loading) {
        const began = performance.now();
        const answer = await service.emitWithAck("unit:status", { unitId: "UNIT-9", status: `s${n++}` });
        assert.ok(answer.success);
        slowest = Math.max(slowest, performance.now() - began);
      }
    };
    const done = load();
    const rounds = async () => {
      for (let round = 0; round < 3; round++) {
        const until_here = n;
        await until(() => n > until_here + 20 && cad.heard.length > 0, "load");
        await cad.stop();
        await connected(broker, false);
        assert.strictEqual((await health(broker)).status, "degraded");
        const away = n;
        await until(() => n > away + 20, "the hub works on alone");
        assert.ok((await health(broker)).bridge.queued > 0);
        await cad.start();
        await connected(broker);
      }
    };
    try {
      await rounds();
    } finally {
      loading = false;
      await done;
    }
    await until(() => cad.statuses().at(-1) === `s${n - 1}`, "the last one arrives");
    const numbers = cad.statuses().map((status) => Number(status.slice(1)));
    for (let i = 1; i < numbers.length; i++) {
      assert.ok(numbers[i] > numbers[i - 1], `order: ${numbers[i - 1]}, ${numbers[i]}`);
    }
    // What was on the wire when the connection broke may be lost with it; what was queued is not.
    assert.ok(n - numbers.length <= 3 * 40, `${n} sent, ${numbers.length} arrived`);
    const { status, bridge } = await health(broker);
    assert.deepStrictEqual([status, bridge.failed_emissions], ["healthy", 0]);
    assert.ok(bridge.reconnections >= 3 && bridge.uptime_percent < 100);
  });

  it("connects anew when an admin says so", async () => {
    const before = (await health(broker)).bridge.reconnections;
    const response = await fetch(`${broker.url}/api/socket-bridge/reconnect`, {
      method: "POST", headers: { authorization: `Bearer ${TOKEN}` },
    });
    assert.strictEqual(response.status, 200);
    assert.strictEqual((await response.json()).success, true);
    await until(async () => (await health(broker)).bridge.reconnections > before, "another connection");
    await connected(broker);
  });
});

describe("two hubs bridged to each other", () => {
  it("tell each other everything once", async (t) => {
    const clients = new Clients();
    const first = await Broker.start({ app: "dispatch", env: { CAD_BACKEND_AUTH_TOKEN: TOKEN } });
    t.after(first.discard);
    const second = await Broker.start({
      app: "dispatch", settings: SOON, env: { CAD_BACKEND_AUTH_TOKEN: TOKEN, CAD_BACKEND_URL: first.url },
    });
    t.after(() => (clients.closeAll(), second.discard()));
    await connected(second);
    const here = await clients.open(first, "/", { auth: { token: TOKEN } });
    const there = await clients.open(second, "/", { auth: { token: TOKEN } });
    const heard = { here: [], there: [] };
    here.on("unit:status:updated", (data) => heard.here.push(data.status));
    there.on("unit:status:updated", (data) => heard.there.push(data.status));
    await here.emitWithAck("unit:status", { unitId: "UNIT-1", status: "a" });
    await until(() => heard.there.includes("a"), "from the first to the second");
    await there.emitWithAck("unit:status", { unitId: "UNIT-1", status: "b" });
    await until(() => heard.here.includes("b"), "from the second to the first");
    await here.emitWithAck("unit:status", { unitId: "UNIT-1", status: "c" });
    await until(() => heard.there.includes("c"), "and back");
    assert.deepStrictEqual(heard, { here: ["a", "b", "c"], there: ["a", "b", "c"] });
    clients.closeAll();
    await second.stop();
    await first.stop();
  });
});
