"use strict";
// scripts/orders with socket.io-client and fetch, written from the document alone: its handshake, its events,
// its paths; then what is asked beyond it: roles, queues over a killed broker, and the page.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it, before, after, afterEach } = require("node:test");
const { Emitter } = require("@socket.io/redis-emitter");
const jwt = require("jsonwebtoken");
const { Clients } = require("./lib/clients");
const { Broker } = require("./lib/broker");
const { Browser, startDemo, AWAY, BUNDLE } = require("./lib/page");
const { Redis } = require("./lib/redis");
const { event, until, within } = require("./lib/wait");

const SECRET = "your-secret-key-of-thirty-two-bytes";
const SHOP = { latitude: 52.52, longitude: 13.405 }, HOME = { latitude: 52.53, longitude: 13.42 };

const sign = (party, options = {}, secret = SECRET) => {
  const [userType, sub] = party.split(":");
  return jwt.sign({ sub, userType, email: `${sub}@example.com` }, secret, { expiresIn: "7d", ...options });
};

const start = (options = {}) =>
  Broker.start({ app: "orders", ...options, env: { JWT_SECRET: SECRET, ...options.env } });

/// Status and body of a path, in the name of `party` (or with the token given).
async function ask(broker, who, method, path, body) {
  const token = who && (who.includes(":") ? sign(who) : who);
  const response = await fetch(`${broker.url}/api/v1${path}`, {
    method, body: body && JSON.stringify(body),
    headers: {
      ...(body && { "content-type": "application/json" }), ...(token && { authorization: `Bearer ${token}` }),
    },
  });
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text) };
}
async function must(...request) {
  const { status, body } = await ask(...request);
  assert.ok(status < 300, `${status} ${JSON.stringify(body)}`);
  return body;
}
const create = (broker, fields = {}) =>
  must(broker, "admin:0", "POST", "/orders", {
    customerId: "1", merchantId: "2", pickup: SHOP, dropoff: HOME, ...fields,
  });
const assign = (broker, order, driverId = "3") =>
  must(broker, "admin:0", "POST", `/orders/${order.id}/assign`, { driverId });
const notify = (broker, party, title) => {
  const [userType, userId] = party.split(":");
  return must(broker, "admin:0", "POST", "/notifications", { userType, userId, title, message: "M" });
};

describe("orders", () => {
  let broker;
  const clients = new Clients();
  before(async () => { broker = await start(); });
  after(() => broker?.stop());
  afterEach(() => clients.closeAll());

  /// As the document's SocketService connects; waits for `connected`. What it hears is in `heard`.
  async function join(party, options = {}, at = broker) {
    const socket = clients.make(at, "/events", {
      transports: ["websocket", "polling"], auth: { token: sign(party) }, ...options,
    });
    socket.heard = [];
    socket.onAny((name, data, acknowledge) => {
      socket.heard.push([name, data]);
      if (typeof acknowledge === "function" && !options.silent) acknowledge();
    });
    await event(socket, "connected");
    return socket;
  }
  const of = (socket, name) => socket.heard.filter(([heard]) => heard === name).map(([, data]) => data);
  const hears = (socket, name, count = 1) => until(() => of(socket, name).length >= count && of(socket, name), name);
  const call = (socket, ...args) => within(socket.emitWithAck(...args), args[0]);

  it("lets users in with their token, by auth or by the query", async () => {
    for (const options of [{ auth: { token: sign("driver:123") } }, { query: { token: sign("driver:123") }, auth: {} },
      { auth: { token: sign("driver:123") }, transports: ["polling"] }]) {
      const socket = clients.make(broker, "/events", options);
      assert.deepStrictEqual((await event(socket, "connected"))[0], { userId: "123", userType: "driver" });
    }
  });

  it("says what is wrong by an event, and puts out", async () => {
    const none = jwt.sign({ sub: "1", userType: "driver" }, null, { algorithm: "none", expiresIn: 60 });
    for (const [token, message] of [
      [undefined, "Authentication required"], ["", "Authentication required"],
      ["nonsense", "Invalid authentication token"], [none, "Invalid authentication token"],
      [sign("driver:1", {}, "another-secret-of-thirty-two-bytes"), "Invalid authentication token"],
      [sign("driver:1", { expiresIn: -5 }), "Invalid authentication token"],
      [sign("order:1"), "Invalid authentication token"],
    ]) {
      const socket = clients.make(broker, "/events", { auth: { token } });
      const told = Promise.all([event(socket, "error"), event(socket, "disconnect")]);
      const [[error], [reason]] = await told;
      assert.deepStrictEqual(error, { message }, String(token));
      assert.strictEqual(reason, "io server disconnect");
    }
  });

  it("goes through the document's integration list", async () => {
    const [merchant, customer, driver] = await Promise.all(
      ["merchant:2", "customer:1", "driver:3"].map((party) => join(party)));
    const order = await create(broker);
    const [created] = await hears(merchant, "order:created");
    assert.strictEqual(created.orderId, order.id);
    await assign(broker, order);
    const [assigned] = await hears(driver, "order:assigned");
    assert.strictEqual(assigned.status, "ASSIGNED_TO_DRIVER");
    const [{ driver: card }] = await hears(customer, "driver:assigned");
    assert.strictEqual(card.id, "3");
    await must(broker, "driver:3", "PATCH", `/orders/${order.id}/status`, { status: "PICKED_UP" });
    for (const socket of [merchant, customer, driver]) {
      const [first, second] = await hears(socket, "order:statusChanged", 2);
      assert.deepStrictEqual(
        Object.keys(second).sort(), ["orderId", "orderNumber", "previousStatus", "status", "timestamp"]);
      assert.deepStrictEqual([first.previousStatus, first.status, second.previousStatus, second.status],
        ["PENDING", "ASSIGNED_TO_DRIVER", "ASSIGNED_TO_DRIVER", "PICKED_UP"]);
      assert.strictEqual(new Date(second.timestamp).toISOString(), second.timestamp);
    }
    const watching = await join("admin:5");
    assert.ok(!(await call(watching, "subscribeToOrder", { orderId: order.id })).error);
    driver.emit("driverLocationUpdate", { driverId: "3", ...HOME, orderId: order.id });
    for (const socket of [customer, watching]) {
      const [at] = await hears(socket, "driver:locationUpdate");
      assert.deepStrictEqual([at.driverId, at.orderId, at.latitude], ["3", order.id, HOME.latitude]);
    }
  });

  it("offers new orders to drivers nearby", async () => {
    const driver = await join("driver:7");
    await call(driver, "driverLocationUpdate", { driverId: "7", ...SHOP });
    const order = await create(broker, { merchantId: "20" });
    const [offer] = await hears(driver, "order:available");
    assert.deepStrictEqual([offer.orderId, offer.distanceMetres], [order.id, 0]);
    const answers = await Promise.all(["driver:7", "driver:8", "driver:9"].map((who) =>
      ask(broker, who, "POST", `/orders/${order.id}/assign`, {})));
    assert.deepStrictEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
  });

  it("answers every event and path by who asks", async () => {
    const order = await create(broker);
    await assign(broker, order);
    const error = async (party, ...args) => {
      const socket = await join(party);
      const answer = await call(socket, ...args);
      socket.disconnect();
      return answer.error ? answer.error.code : "ok";
    };
    for (const [party, subscribe, locate] of [
      ["customer:1", "ok", "forbidden"], ["customer:9", "forbidden", "forbidden"], ["merchant:2", "ok", "forbidden"],
      ["merchant:9", "forbidden", "forbidden"], ["driver:3", "ok", "ok"], ["driver:9", "forbidden", "forbidden"],
      ["admin:0", "ok", "forbidden"],
    ]) {
      assert.strictEqual(await error(party, "subscribeToOrder", order.id), subscribe, party);
      const report = { driverId: "3", ...SHOP, orderId: order.id };
      assert.strictEqual(await error(party, "driverLocationUpdate", report), locate, party);
      assert.strictEqual(await error(party, "auth:refresh", { token: sign(party) }), "ok", party);
      assert.strictEqual(await error(party, "auth:refresh", { token: sign("admin:77") }), "unauthorized", party);
    }
    // Each with the right credentials of: an admin, the parties, others.
    const note = { userType: "customer", userId: "1", title: "T", message: "M" };
    const people = ["admin:0", "customer:1", "customer:9", "merchant:2", "merchant:9", "driver:3", "driver:9"];
    for (const [method, path, body, ...statuses] of [
      ["POST", "/orders", { customerId: "1", merchantId: "2" }, 201, 201, 403, 201, 403, 403, 403],
      ["GET", "/orders", null, 200, 200, 200, 200, 200, 200, 200],
      ["GET", "/orders/available", null, 409, 403, 403, 403, 403, 200, 409],
      ["GET", `/orders/${order.id}`, null, 200, 200, 403, 200, 403, 200, 403],
      ["PATCH", `/orders/${order.id}/status`, { status: "IN_TRANSIT" }, 409, 403, 403, 403, 403, 409, 403],
      ["POST", `/orders/${order.id}/assign`, { driverId: "3" }, 409, 403, 403, 409, 403, 409, 403],
      ["POST", "/drivers/3/location", SHOP, 200, 403, 403, 403, 403, 200, 403],
      ["GET", "/drivers/3", null, 200, 403, 403, 403, 403, 200, 403],
      ["PATCH", "/drivers/3", { name: "Ada" }, 200, 403, 403, 403, 403, 200, 403],
      ["POST", "/notifications", note, 202, 403, 403, 403, 403, 403, 403],
      ["GET", "/stats", null, 200, 403, 403, 403, 403, 403, 403],
      ["GET", "/suspicious", null, 200, 403, 403, 403, 403, 403, 403],
    ]) {
      const found = [];
      for (const party of people) found.push((await ask(broker, party, method, path, body)).status);
      assert.deepStrictEqual(found, statuses, `${method} ${path}`);
      for (const token of [
        null, "nonsense", sign("admin:0", { expiresIn: -5 }),
        sign("admin:0", {}, "another-secret-of-thirty-two-bytes"), sign("order:1"),
      ]) {
        assert.strictEqual((await ask(broker, token, method, path, body)).status, 401, `${method} ${path} ${token}`);
      }
    }
    const { status, body } = await ask(
      broker, "admin:0", "POST", "/orders", { customerId: "1", pickup: { latitude: 95, longitude: 0 } });
    assert.deepStrictEqual([status, body.error.data.path], [422, "pickup.latitude"]);
  });

  it("ends a connection with its token, unless that is refreshed", async () => {
    const [ending, staying] = await Promise.all([1, 2].map((n) =>
      join(`driver:${n}`, { auth: { token: sign(`driver:${n}`, { expiresIn: 4 }) } })));
    const ended = Promise.all([event(ending, "error"), event(ending, "disconnect")]);
    assert.strictEqual((await call(staying, "auth:refresh", { token: sign("driver:2") })).success, true);
    assert.strictEqual((await ended)[0][0].code, "token_expired");
    assert.ok(staying.connected);
    await call(staying, "unsubscribeFromOrder", "x");
  });

  it("ends no connection whose newer token has no end, where that is allowed", async (t) => {
    const other = await start({ settings: { "plugins.jwt.require_exp": false } });
    t.after(() => other.stop());
    const driver = await join("driver:1", { auth: { token: sign("driver:1", { expiresIn: 2 }) } }, other);
    const left = event(driver, "disconnect", 4000);
    const token = jwt.sign({ sub: "1", userType: "driver" }, SECRET);
    assert.deepStrictEqual(await call(driver, "auth:refresh", { token }), { success: true, expiresAt: null });
    await assert.rejects(left, /not within/);
  });

  it("keeps what a user misses, in order, until it is acknowledged", async () => {
    for (const title of ["a", "b", "c"]) await notify(broker, "driver:30", title);
    const titles = (socket) => of(socket, "notification").map(({ title }) => title);
    const silent = await join("driver:30", { silent: true });
    await hears(silent, "notification", 3);
    silent.disconnect();
    const driver = await join("driver:30");
    await hears(driver, "notification", 3);
    assert.deepStrictEqual(titles(driver), ["a", "b", "c"]);
    await notify(broker, "driver:30", "d");
    await hears(driver, "notification", 4);
    await until(async () => (await notify(broker, "driver:30", "e")).waiting <= 1, "acknowledgements");
    await until(async () => {
      const socket = await join("driver:30");
      const heard = titles(socket);
      socket.disconnect();
      return heard.length === 0;
    }, "an empty mailbox");
  });

  it("gives a client that lost its connection its rooms and what it missed, once", async (t) => {
    const recovering = await start({ settings: { "recovery.enabled": true } });
    t.after(() => recovering.discard());
    for (const own of [broker, recovering]) {
      const order = await create(own);
      await assign(own, order, "33");
      const admin = await join("admin:50", {}, own);
      await call(admin, "subscribeToOrder", order.id);
      const disconnects = async () => (await must(own, "admin:0", "GET", "/stats")).disconnects;
      const before = await disconnects();
      admin.io.reconnection(false);
      admin.io.engine.close();
      await until(async () => await disconnects() > before, "the broker has noticed");
      await must(own, "admin:0", "PATCH", `/orders/${order.id}/status`, { status: "PICKED_UP" });
      admin.connect();
      await hears(admin, "order:statusChanged");
      assert.strictEqual(Boolean(admin.recovered), own === recovering);
      await must(own, "driver:33", "POST", "/drivers/33/location", SHOP);
      await hears(admin, "driver:locationUpdate");
      await must(own, "admin:0", "PATCH", `/orders/${order.id}/status`, { status: "DELIVERED" });
      const changes = await hears(admin, "order:statusChanged", 2);
      const statuses = changes.map(({ status }) => status);
      assert.deepStrictEqual(statuses, ["PICKED_UP", "DELIVERED"], JSON.stringify(admin.heard));
    }
    await recovering.stop();
  });

  it("loses nothing that it took, and tells nothing twice, when it is killed", async (t) => {
    const own = await start();
    t.after(() => own.discard());
    const order = await create(own);
    await assign(own, order);
    for (const title of ["a", "b", "c"]) await notify(own, "driver:3", title);
    const acknowledged = await join("merchant:2", {}, own);
    await hears(acknowledged, "order:statusChanged");
    const admin = await join("admin:5", {}, own);
    await call(admin, "subscribeToOrder", order.id);
    const driver = await join("driver:44", {}, own);
    await call(driver, "driverLocationUpdate", SHOP);
    await until(async () => (await notify(own, "merchant:2", "last")).waiting <= 1, "acknowledgements");
    await until(() => of(acknowledged, "notification").length > 0, "the last");
    const before = acknowledged.heard.length;
    await must(own, "admin:0", "GET", "/stats");
    await own.restart({ signal: "SIGKILL" });
    const back = await join("driver:3", {}, own);
    await hears(back, "notification", 3);
    assert.deepStrictEqual(back.heard.map(([name, data]) => data.title || name),
      ["connected", "order:statusChanged", "order:assigned", "a", "b", "c"]);
    // Rooms, orders and places are there again.
    await until(() => admin.connected && of(admin, "connected").length === 2, "the admin's return");
    await must(own, "admin:0", "PATCH", `/orders/${order.id}/status`, { status: "PICKED_UP" });
    await hears(admin, "order:statusChanged");
    await until(() => of(driver, "connected").length === 2, "the driver's return");
    const next = await create(own);
    assert.strictEqual(next.orderNumber, "ORD-000002");
    await hears(driver, "order:available");
    await hears(acknowledged, "order:created", 2);
    const after = acknowledged.heard.slice(before).map(([name]) => name);
    assert.ok(after.filter((name) => name === "order:assigned" || name === "notification").length <= 1, after.join());
    assert.strictEqual(of(acknowledged, "order:created").length, 2);
    await own.stop();
  });

  it("goes on waiting for acknowledgements over a reload", async (t) => {
    const other = await start();
    t.after(() => other.stop());
    const driver = clients.make(other, "/events", { auth: { token: sign("driver:3") } });
    const copies = [];
    driver.on("notification", ({ title }, acknowledge) => copies.push([title, acknowledge]));
    await event(driver, "connected");
    await notify(other, "driver:3", "a");
    await until(() => copies.length === 1, "the notification");
    fs.appendFileSync(path.join(other.folder, "orders/clients.lua"), "\n-- another generation\n");
    await until(() => copies.length === 2, "what had no acknowledgement comes again");
    copies[1][1]();
    await driver.emitWithAck("unsubscribeFromOrder", "none"); // so that the acknowledgement has come
    driver.disconnect();
    await until(async () => {
      const again = await join("driver:3", { silent: true }, other);
      await call(again, "unsubscribeFromOrder", "none"); // what waits has come by then
      again.disconnect();
      return of(again, "notification").length === 0;
    }, "an empty mailbox");
  });

  it("lets only the pages in that it is told of, and slows down who sends too much", async (t) => {
    const own = await start({ env: { JWT_SECRET: SECRET, ORIGINS: "https://shop.example" } });
    t.after(() => own.discard());
    const get = (origin) => fetch(`${own.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
    assert.strictEqual((await get("https://shop.example")).status, 200);
    assert.strictEqual((await get("https://evil.example")).status, 403);
    const socket = await join("driver:1", {}, own);
    const answers = await Promise.all(Array.from({ length: 200 }, () => call(socket, "unsubscribeFromOrder", "x")));
    const codes = new Set(answers.map((answer) => answer.error?.code ?? "ok"));
    assert.deepStrictEqual([...codes].sort(), ["ok", "rate_limited"]);
    const items = (await must(own, "admin:0", "GET", "/suspicious")).items;
    assert.ok(items.some((item) => item.kind === "events_per_second"), JSON.stringify(items));
    await own.stop();
  });
});

describe("the page of orders", () => {
  let broker, browser;
  before(async () => {
    broker = await startDemo("orders");
    browser = await Browser.open();
  });
  after(async () => {
    // Two pages are open for one driver: the second to say what it did is told that it is done.
    await browser?.close(new RegExp(`${AWAY.source}|status of 409`));
    await broker?.stop();
  });

  it("shows an order on its way, lets a driver take one, and survives a restart", async () => {
    const page = await browser.visit(`${broker.url}/demo/orders/`);
    await page.shows("#customer .status", /^live$/);
    await page.shows("#driver .status", /^live$/);
    await page.shows("#customer .driver .name", /\w/);
    await page.shows("#customer .eta", /min$/);
    assert.ok(await page.colours("#customer canvas") > 5);
    const place = () => page.evaluate(() => JSON.stringify([...views[0].map.markers.values()][0]?.to));
    const first = await place();
    await until(async () => ![first, undefined].includes(await place()), "the driver moves");
    await page.screenshot("orders-customer");

    await page.click("#order");
    const number = await page.until(() => {
      const shown = views[0].orders.get(views[0].shown);
      return shown?.history[0].by === "customer:demo" && shown.orderNumber;
    }, "the order");
    await page.click(`.offers li[data-number="${number}"] button`);
    await page.shows("#customer .driver .name", /^You$/);
    await page.shows("#next", /Picked up|On the way|Delivered/);
    await page.shows("#customer .steps .now", /picked up|on its way|delivered/);
    await page.screenshot("orders-driver");

    const second = await browser.visit(`${broker.url}/demo/orders/`, { dark: true, width: 400, height: 900 });
    await second.shows("#customer .status", /^live$/);
    await second.shows("#customer .orders", /ORD-/);
    await second.screenshot("orders-dark");

    await broker.restart({ signal: "SIGKILL" });
    await page.shows("#customer .status", /^live$/);
    await page.shows("#driver .status", /^live$/);
    const before = await place();
    await until(async () => ![before, undefined].includes(await place()), "the driver moves again");
  });

  it("shows a shop its orders, which it confirms", async () => {
    const page = await browser.visit(`${broker.url}/demo/orders/`);
    await page.shows("#merchant .status", /^live$/);
    const { token } = await (await fetch(`${broker.url}/demo/orders/token/customer`)).json();
    const order = await must(broker, token, "POST", "/orders", {
      merchantId: "laundry", pickup: SHOP, dropoff: HOME,
    });
    const item = `#merchant .queue [data-order="${order.orderNumber}"]`;
    await page.shows(item, /Confirm/);
    await page.click(`${item} button`);
    await page.shows(item, /Ready/);
    await page.screenshot("orders-shop");
    await page.click(`${item} button`);
    await page.shows(item, /ready for pickup/);
    await must(broker, token, "PATCH", `/orders/${order.id}/status`, { status: "CANCELLED" });
    await page.shows(`#merchant .ended [data-order="${order.orderNumber}"]`, /cancelled/);
  });

  it("says what is missing without the demo", async (t) => {
    const plain = await Broker.start({ app: "orders", settings: { "server.client_bundle": BUNDLE } });
    t.after(() => plain.discard());
    const page = await browser.visit(`${plain.url}/demo/orders/`);
    await page.shows("#hint", /--demo/);
    await page.close(/404/);
    await plain.stop();
  });
});

describe("orders, from Node back ends", { skip: Redis.installed ? false : "redis-server is not there" }, () => {
  it("takes what an emitter asks for, once in a cluster", async () => {
    const redis = await Redis.start();
    const settings = { "plugins.load": "jwt,redis", "plugins.redis.url": redis.url };
    const does = await start({ settings: { ...settings, "settings.office.emitter": true } });
    const other = await start({ settings });
    const clients = new Clients();
    const heard = [];
    const join = async (broker, party) => {
      const socket = clients.make(broker, "/events", { auth: { token: sign(party) } });
      socket.onAny((name, data, acknowledge) => {
        heard.push([party, name, data]);
        if (typeof acknowledge === "function") acknowledge();
      });
      await event(socket, "connected");
    };
    await join(does, "customer:1");
    await join(does, "driver:3");
    await join(other, "admin:9");
    const of = (party, name) => heard.filter((each) => each[0] === party && each[1] === name).map(([, , data]) => data);
    const publisher = await redis.client();
    const emitter = new Emitter(publisher).of("/events");

    emitter.serverSideEmit("order:create", { id: "o1", customerId: "1", merchantId: "2", pickup: SHOP, dropoff: HOME });
    emitter.serverSideEmit("order:status", { orderId: "o1", status: "CONFIRMED" });
    emitter.serverSideEmit("order:status", { orderId: "o1", status: "DELIVERED" }); // is not allowed
    emitter.serverSideEmit("order:create", { customerId: "1" }); // lacks its merchant
    emitter.serverSideEmit("order:assign", { orderId: "o1", driverId: "3", driver: { name: "Ada" } });
    emitter.serverSideEmit("driver:location", { driverId: "3", latitude: 52.521, longitude: 13.405 });
    emitter.serverSideEmit("notification", { userType: "customer", userId: "1", title: "T", message: "M" });
    emitter.to("admin:9").emit("notification", { title: "straight to a room, of whatever node" });
    await until(() => of("customer:1", "notification").length > 0, "the notification");
    await until(() => of("admin:9", "notification").length > 0, "the emitter's own event");
    assert.deepStrictEqual(of("customer:1", "order:statusChanged").map(({ status }) => status),
      ["CONFIRMED", "ASSIGNED_TO_DRIVER"]);
    assert.strictEqual(of("customer:1", "driver:assigned")[0].driver.name, "Ada");
    assert.strictEqual(of("driver:3", "order:assigned")[0].orderId, "o1");
    assert.strictEqual(of("customer:1", "driver:locationUpdate")[0].orderId, "o1");
    assert.strictEqual((await must(does, "admin:0", "GET", "/orders")).items.length, 1);
    assert.strictEqual((await must(other, "admin:0", "GET", "/orders")).items.length, 0);
    const { emitterDone, emitterFailed } = await must(does, "admin:0", "GET", "/stats");
    assert.deepStrictEqual({ emitterDone, emitterFailed }, { emitterDone: 5, emitterFailed: 2 });
    assert.strictEqual(does.lines("warn").filter((line) => /from an emitter/.test(line)).length, 2);

    clients.closeAll();
    await publisher.quit();
    await does.stop();
    await other.stop();
    await redis.stop();
  });
});
