"use strict";
// The gateway as its users see it: the document's own client, workers, the REST interface with tokens of
// all kinds, and what is left after the broker was killed.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it, before, after, afterEach } = require("node:test");
const jwt = require("jsonwebtoken");
const { Broker } = require("./lib/broker");
const { Clients, MODES } = require("./lib/clients");
const { event, until, within } = require("./lib/wait");

const SECRET = "a secret of more than thirty-two bytes";
const FAST = { "settings.workers.return_seconds": 0, "settings.workers.wait_seconds": 0.3,
  "settings.workers.sweep_seconds": 0.1 };

const start = (options = {}) => Broker.start({
  app: "gateway", env: { JWT_SECRET: SECRET, ...options.env }, ...options, settings: { ...FAST, ...options.settings },
});
const token = (claims, options = {}) => jwt.sign({ sub: "someone", ...claims }, SECRET, { expiresIn: 600, ...options });
const SERVICE = token({ role: "service" });

/// A request as a back end makes it: {status, body}.
async function rest(broker, method, path, body, bearer = SERVICE) {
  const response = await fetch(broker.url + path, {
    method, body: body && JSON.stringify(body),
    headers: {
      ...(body && { "content-type": "application/json" }), ...(bearer && { authorization: `Bearer ${bearer}` }),
    },
  });
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text) };
}

const clients = new Clients();
afterEach(() => clients.closeAll());

/// A user, connected as the document does it: at "/".
const user = (broker, userId, sessionId, options = {}) => clients.open(broker, "/", {
  transports: ["websocket"], ...options, auth: { userId, sessionId, ...options.auth },
});

/// A worker that says hello back in capitals, once `gate` is open.
async function worker(broker, workerId, { tools = ["tool1"], gate = Promise.resolve(), auth = {}, ...options } = {}) {
  const socket = clients.make(broker, "/workers", {
    transports: ["websocket"], ...options,
    auth: { token: token({ role: "worker" }), workerId, tools, ...auth },
  });
  socket.jobs = [];
  socket.on("ai_request", async (job) => {
    socket.jobs.push(job);
    await gate;
    socket.emit("status_update", { jobId: job.jobId, progress: 50, message: "half way" });
    await socket.emitWithAck("ai_response", { jobId: job.jobId, response: job.message.toUpperCase() });
  });
  await event(socket, "connect");
  return socket;
}

const collect = (socket, name) => {
  const list = [];
  socket.on(name, (data, acknowledge) => {
    list.push(data);
    if (typeof acknowledge === "function") acknowledge(true);
  });
  return list;
};
const has = (list, count, what = "events") => until(() => list.length >= count && list, `${count} ${what}`);
const messages = (list) => list.map((each) => each.message);

describe("the gateway", () => {
  let broker;
  before(async () => { broker = await start(); });
  after(() => broker.stop());

  for (const mode of Object.keys(MODES)) {
    it(`serves the document's client over ${mode}`, async () => {
      await worker(broker, `of-${mode}`, { tools: [`tool-${mode}`] });
      const socket = await clients.open(broker, "", {
        ...MODES[mode], auth: { userId: `user-${mode}`, sessionId: `session-${mode}` },
      });
      const responses = collect(socket, "ai_response"), updates = collect(socket, "status_update");
      const notifications = collect(socket, "notification");
      // Without an acknowledgement, as there.
      socket.emit("ai_request", {
        toolId: `tool-${mode}`, message: "Hello AI!", requestId: "req123", sessionId: `session-${mode}`,
      });
      await has(responses, 1);
      const { timestamp, durationMs, ...response } = responses[0];
      assert.ok(!Number.isNaN(Date.parse(timestamp)) && durationMs >= 0);
      assert.deepStrictEqual(response, {
        requestId: "req123", sessionId: `session-${mode}`, userId: `user-${mode}`, toolId: `tool-${mode}`,
        success: true, response: "HELLO AI!", attempts: 1,
      });
      assert.ok(updates.every((each) => each.requestId === "req123"));
      assert.ok(updates.some((each) => each.status === "queued"));
      const sent = await rest(broker, "POST", "/socket/notifications", {
        userId: `user-${mode}`, type: "billing", title: "Invoice", message: "It is there", data: { n: 7 },
      });
      assert.deepStrictEqual([sent.status, sent.body.online], [200, true]);
      await has(notifications, 1);
      const { notificationId, timestamp: at, ...notification } = notifications[0];
      assert.strictEqual(notificationId, sent.body.notificationId);
      assert.ok(at);
      assert.deepStrictEqual(notification, {
        userId: `user-${mode}`, type: "billing", priority: "normal", title: "Invoice", message: "It is there",
        data: { n: 7 },
      });
    });
  }

  it("refuses who does not say who it is", async () => {
    for (const [auth, path] of [[{}, "$.userId"], [{ userId: "u" }, "$.sessionId"], [{ sessionId: "s" }, "$.userId"]]) {
      const socket = clients.make(broker, "/", { auth });
      const [error] = await event(socket, "connect_error");
      assert.deepStrictEqual([error.data.code, error.data.path], ["unauthorized", path]);
    }
  });

  it("lets in the users of tokens, and only those that hold", async () => {
    const good = await clients.open(broker, "/", { auth: { token: token({ sub: "by-token" }), sessionId: "st" } });
    assert.strictEqual((await rest(broker, "GET", "/socket/users/by-token/connected")).body.connected, true);
    good.disconnect();
    const bad = [
      [token({}, { expiresIn: -10 }), "token_expired"],
      [jwt.sign({ sub: "u" }, `another ${SECRET}`, { expiresIn: 60 }), "unauthorized"],
      ["nonsense", "unauthorized"],
    ];
    for (const [each, code] of bad) {
      // Saying who one is does not make up for a bad token.
      const socket = clients.make(broker, "/", { auth: { token: each, userId: "u", sessionId: "sx" } });
      const [error] = await event(socket, "connect_error");
      assert.strictEqual(error.data.code, code);
    }
    const other = clients.make(broker, "/", { auth: { token: token({ sub: "u1" }), userId: "u2" } });
    assert.strictEqual((await event(other, "connect_error"))[0].data.code, "forbidden");
    for (const role of [undefined, "user", "service"]) {
      const stranger = clients.make(broker, "/workers", { auth: { tools: ["x"], token: role && token({ role }) } });
      const [error] = await event(stranger, "connect_error");
      assert.strictEqual(error.data.code, role ? "forbidden" : "unauthorized");
    }
  });

  it("puts out whose token has expired, unless it brings a new one", async () => {
    const soon = () => token({ sub: "short" }, { expiresIn: 2 });
    const stays = await clients.open(broker, "/", { auth: { token: soon(), sessionId: "s-stays" } });
    const goes = await clients.open(broker, "/", { auth: { token: soon(), sessionId: "s-goes" }, reconnection: false });
    const errors = collect(goes, "error");
    const renewed = await stays.emitWithAck("refresh_token", { token: token({ sub: "short" }) });
    assert.strictEqual(renewed.success, true);
    const others = await stays.emitWithAck("refresh_token", { token: token({ sub: "other" }) });
    assert.strictEqual(others.error.code, "unauthorized");
    await event(goes, "disconnect");
    assert.deepStrictEqual(errors.map((each) => each.code), ["token_expired"]);
    assert.ok(stays.connected);
  });

  it("compresses what is large", async () => {
    const socket = await user(broker, "u-deflate", "s-deflate");
    assert.match(socket.io.engine.transport.ws.extensions, /permessage-deflate/);
  });

  it("keeps private what is another's", async () => {
    const owner = await user(broker, "owner", "s-owner"), stranger = await user(broker, "stranger", "s-stranger");
    await owner.emitWithAck("create_room", { roomId: "secret", access: "private" });
    const heard = collect(stranger, "room_message");
    for (const [name, data] of [
      ["join_room", { roomId: "secret" }], ["room_message", { roomId: "secret", message: "x" }],
      ["room_history", { roomId: "secret" }], ["leave_room", { roomId: "secret", userId: "owner" }],
      ["join_room", { roomId: "secret", userId: "stranger" }],
      ["ai_request", { toolId: "t", message: "m", requestId: "r", sessionId: "s-owner" }],
      ["ai_cancel", { requestId: "r", sessionId: "s-owner" }],
    ]) {
      assert.strictEqual((await stranger.emitWithAck(name, data)).error.code, "forbidden", name);
    }
    assert.strictEqual((await owner.emitWithAck("room_message", { roomId: "secret", message: "hush" })).success, true);
    const thief = clients.make(broker, "/", { auth: { userId: "stranger", sessionId: "s-owner" } });
    assert.strictEqual((await event(thief, "connect_error"))[0].data.code, "forbidden");
    assert.deepStrictEqual(heard, []);
  });

  it("passes on what it can't read", async () => {
    const b = await user(broker, "bob", "s-bob");
    const key = { kty: "EC", crv: "P-256", x: "eA", y: "eQ" };
    await b.emitWithAck("publish_key", { publicKey: key, keyId: "k1" });
    b.disconnect();
    const a = await user(broker, "ann", "s-ann");
    assert.deepStrictEqual((await a.emitWithAck("get_key", { userId: "bob" })).publicKey, key);
    const sent = await a.emitWithAck("encrypted_message", { to: "bob", ciphertext: "c2VjcmV0", iv: "aXY=" });
    assert.strictEqual(sent.online, false);
    const again = clients.make(broker, "/", { auth: { userId: "bob", sessionId: "s-bob", acks: true } });
    const got = collect(again, "encrypted_message");
    await has(got, 1);
    assert.deepStrictEqual([got[0].from, got[0].ciphertext, got[0].iv], ["ann", "c2VjcmV0", "aXY="]);
  });

  it("gives a dead worker's request to another, and says so when there is none", async () => {
    const never = new Promise(() => {});
    const socket = await user(broker, "u-retry", "s-retry");
    const responses = collect(socket, "ai_response");
    const first = await worker(broker, "dies", { tools: ["fragile"], gate: never, reconnection: false });
    await socket.emitWithAck("ai_request", { toolId: "fragile", message: "a", requestId: "r1" });
    await has(first.jobs, 1, "jobs");
    const second = await worker(broker, "lives", { tools: ["fragile"] });
    first.io.engine.close();
    await has(responses, 1);
    assert.deepStrictEqual([responses[0].success, responses[0].response, responses[0].attempts], [true, "A", 2]);
    assert.strictEqual(second.jobs[0].attempt, 2);
    second.disconnect();
    await socket.emitWithAck("ai_request", { toolId: "fragile", message: "b", requestId: "r2" });
    await has(responses, 2);
    assert.deepStrictEqual([responses[1].success, responses[1].error.code], [false, "no_worker"]);
  });

  it("counts what happens", async () => {
    const stats = (await rest(broker, "GET", "/socket/stats", null, token({ role: "monitor" }))).body;
    assert.ok(stats.connections.total > 0 && stats.events.received > 0 && stats.events.sentByEvent.ai_response > 0);
    assert.ok(stats.errors.byCode.forbidden > 0 && stats.rates.receivedPerSecond > 0);
    const health = await rest(broker, "GET", "/socket/health", null, null);
    assert.strictEqual(health.status, 200);
    assert.strictEqual(typeof health.body.uptime, "number");
  });

  it("answers by role, on every path", async () => {
    const paths = {
      "monitor service admin": ["GET /socket/stats", "GET /socket/users", "GET /socket/rooms", "GET /socket/rooms/r",
        "GET /socket/users/u/connected", "GET /socket/users/u/notifications", "GET /socket/rooms/r/messages",
        "GET /socket/workers", "GET /socket/templates", "GET /socket/templates/t", "GET /socket/schedules"],
      "service admin": ["POST /socket/rooms", "POST /socket/rooms/join", "POST /socket/rooms/leave",
        "POST /socket/rooms/message", "POST /socket/notifications", "POST /socket/announcements",
        "DELETE /socket/rooms/r", "DELETE /socket/schedules/x"],
      admin: ["PUT /socket/templates/t", "DELETE /socket/templates/t"],
    };
    const expired = token({ role: "admin" }, { expiresIn: -10 });
    const forged = jwt.sign({ sub: "x", role: "admin" }, `another ${SECRET}`, { expiresIn: 60 });
    for (const [may, lines] of Object.entries(paths)) {
      for (const line of lines) {
        const [method, path] = line.split(" ");
        const body = /POST|PUT/.test(method) ? {} : undefined;
        for (const bad of [null, expired, forged, "nonsense"]) {
          assert.strictEqual((await rest(broker, method, path, body, bad)).status, 401, `${line} with ${bad}`);
        }
        for (const role of ["user", "worker", "monitor", "service", "admin"]) {
          const { status } = await rest(broker, method, path, body, token({ role }));
          if (may.split(" ").includes(role)) assert.ok(![401, 403].includes(status), `${line} as ${role}: ${status}`);
          else assert.strictEqual(status, 403, `${line} as ${role}`);
        }
      }
    }
    const scoped = token({ scope: "openid gateway:monitor" });
    assert.strictEqual((await rest(broker, "GET", "/socket/stats", null, scoped)).status, 200);
    assert.strictEqual((await rest(broker, "POST", "/socket/rooms", {}, scoped)).status, 403);
  });
});

it("the gateway's variables are the document's", async () => {
  const broker = await start({
    env: { SOCKET_CORS_ORIGIN: "http://pages.example", SOCKET_PING_TIMEOUT: "7000", SOCKET_PING_INTERVAL: "9000",
      GATEWAY_REQUIRE_TOKEN: "true" },
  });
  const response = await fetch(`${broker.url}/socket.io/?EIO=4&transport=polling`, {
    headers: { origin: "http://pages.example" },
  });
  assert.strictEqual(response.headers.get("access-control-allow-origin"), "http://pages.example");
  const open = JSON.parse((await response.text()).slice(1));
  assert.deepStrictEqual([open.pingInterval, open.pingTimeout], [9000, 7000]);
  const socket = clients.make(broker, "/", { auth: { userId: "u", sessionId: "s" } });
  assert.strictEqual((await event(socket, "connect_error"))[0].data.code, "unauthorized");
  await broker.stop();
});

it("who comes back by recovery is out of the rooms that it lost meanwhile", async () => {
  const broker = await start({ settings: { "recovery.enabled": true } });
  const a = await user(broker, "u1", "s1");
  await a.emitWithAck("create_room", { roomId: "kept" });
  await a.emitWithAck("create_room", { roomId: "lost" });
  const heard = collect(a, "room_message");
  const meanwhile = event(a, "disconnect")
    .then(() => rest(broker, "POST", "/socket/rooms/leave", { roomId: "lost", userId: "u1" }));
  a.io.reconnectionDelay(300);
  a.io.engine.close();
  assert.strictEqual((await meanwhile).status, 200);
  await event(a, "connect");
  assert.ok(a.recovered);
  for (const roomId of ["lost", "kept"]) {
    const sent = await rest(broker, "POST", "/socket/rooms/message", { roomId, message: roomId });
    assert.strictEqual(sent.status, 200);
  }
  await has(heard, 1);
  assert.deepStrictEqual(messages(heard), ["kept"]);
  await broker.stop();
});

it("what a reload keeps from being delivered is delivered by the new scripts", async () => {
  const broker = await start();
  const socket = await user(broker, "u1", "s1", { auth: { acks: true } });
  const asked = new Promise((resolve) => socket.once("notification", resolve));  // stays without an answer
  const sent = await rest(broker, "POST", "/socket/notifications", { userId: "u1", message: "one" });
  assert.strictEqual(sent.status, 200);
  await within(asked, "notification");
  const notifications = collect(socket, "notification");
  fs.appendFileSync(path.join(broker.folder, "gateway/users.lua"), "-- saved\n");
  await has(notifications, 1, "notifications");
  await until(async () => {
    const { body } = await rest(broker, "GET", "/socket/users/u1/notifications");
    return body.waiting === 0;
  }, "the acknowledgement to be noted");
  assert.deepStrictEqual(messages(notifications), ["one"]);
  await broker.stop();
});

describe("a gateway that is killed", () => {
  it("loses nothing that it had accepted, and does nothing twice", async () => {
    const broker = await start({
      settings: { "settings.workers.return_seconds": 1, "settings.workers.wait_seconds": 10 },
    });
    let open;
    const gate = new Promise((resolve) => { open = resolve; });
    // Both come back by themselves; the worker says what it is at.
    const asker = await user(broker, "asker", "s-asker", { auth: { acks: true } });
    const responses = collect(asker, "ai_response");
    const busy = await worker(broker, "busy", { tools: ["slow"], gate });
    busy.auth = (done) => done({ token: token({ role: "worker" }), workerId: "busy", tools: ["slow"],
      running: busy.jobs.map((job) => job.jobId) });

    await asker.emitWithAck("ai_request", { toolId: "slow", message: "under way", requestId: "r1" });
    await has(busy.jobs, 1, "jobs");
    await asker.emitWithAck("ai_request", { toolId: "later", message: "no worker yet", requestId: "r2" });

    const ids = [];
    for (let i = 0; i < 20; i += 1) {
      const sent = await rest(broker, "POST", "/socket/notifications", { userId: "away", message: `n${i}` });
      assert.strictEqual(sent.status, 200);
      ids.push(sent.body.notificationId);
    }
    const due = new Date(Date.now() + 1500).toISOString();
    for (const body of [{ deliverAt: due, message: "due while dead" }, { delaySeconds: 3600, message: "much later" }]) {
      const planned = await rest(broker, "POST", "/socket/notifications", { userId: "away", ...body });
      assert.strictEqual(planned.status, 202);
    }
    await rest(broker, "POST", "/socket/rooms", { roomId: "kept", persistent: true, members: ["away"] });
    await rest(broker, "POST", "/socket/rooms/message", { roomId: "kept", message: "said before" });
    await rest(broker, "PUT", "/socket/templates/hello", { message: "Hello {{name}}" }, token({ role: "admin" }));

    await broker.restart({
      signal: "SIGKILL", meanwhile: () => until(() => Date.now() > Date.parse(due), "the schedule's time"),
    });

    const away = clients.make(broker, "/", { auth: { userId: "away", sessionId: "s-away", acks: true } });
    const notifications = collect(away, "notification");
    await has(notifications, 21, "notifications");
    assert.deepStrictEqual(notifications.slice(0, 20).map((each) => each.notificationId), ids);
    assert.strictEqual(notifications[20].message, "due while dead");
    const schedules = (await rest(broker, "GET", "/socket/schedules")).body.schedules;
    assert.deepStrictEqual(schedules.map((each) => each.message.message), ["much later"]);
    const history = await away.emitWithAck("room_history", { roomId: "kept" });
    assert.deepStrictEqual(messages(history.items), ["said before"]);
    assert.strictEqual((await rest(broker, "GET", "/socket/templates/hello")).status, 200);

    // The worker kept its job, and the one that waited finds a worker now.
    await until(() => busy.connected && asker.connected, "reconnections");
    open();
    const later = await worker(broker, "later", { tools: ["later"] });
    await has(responses, 2, "responses");
    assert.deepStrictEqual(responses.map((each) => [each.requestId, each.response, each.attempts]).sort(),
      [["r1", "UNDER WAY", 1], ["r2", "NO WORKER YET", 1]]);
    assert.deepStrictEqual([busy.jobs.length, later.jobs.length], [1, 1]);

    // Once more, with nothing left: nobody gets anything a second time.
    await broker.restart({ signal: "SIGKILL" });
    await until(() => away.connected && asker.connected, "reconnections");
    await rest(broker, "POST", "/socket/notifications", { userId: "away", message: "last" });
    await until(() => notifications.some((each) => each.message === "last"), "the last notification");
    assert.strictEqual(notifications.length, 22);
    const again = await asker.emitWithAck("ai_request", { toolId: "slow", message: "x", requestId: "r1" });
    assert.strictEqual(again.status, "answered");
    assert.strictEqual(responses.length, 2);
    await within(broker.stop(), "the end");
  });

  it("answers a request whose worker did not come back with an error", async () => {
    const broker = await start();
    const asker = await user(broker, "asker", "s-asker", { auth: { acks: true } });
    const responses = collect(asker, "ai_response");
    const lost = await worker(broker, "lost", { gate: new Promise(() => {}) });
    await asker.emitWithAck("ai_request", { toolId: "tool1", message: "x", requestId: "r1" });
    await has(lost.jobs, 1, "jobs");
    lost.disconnect();
    await broker.restart({ signal: "SIGKILL" });
    await has(responses, 1, "responses");
    assert.deepStrictEqual([responses[0].success, responses[0].error.code], [false, "worker_lost"]);
    await broker.stop();
  });
});
