"use strict";
// The transit app's page in a browser, with its demo and without.

const assert = require("node:assert");
const { describe, it, before, after, afterEach } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { AWAY, BUNDLE, Browser, startDemo } = require("./lib/page");

const message = (type, data) =>
  ({ id: "msg-1", type, timestamp: new Date().toISOString(), source: "a-test", data });

describe("transit's page", () => {
  const clients = new Clients();
  let browser, broker;
  before(async () => { browser = await Browser.open(); });
  afterEach(async () => {
    clients.closeAll();
    await broker?.stop();
    broker = null;
  });
  after(() => browser?.close(AWAY));

  const open = (options) => browser.visit(`${broker.url}/demo/transit/`, options);
  const send = (socket, type, data) => socket.timeout(5000).emitWithAck(type, message(type, data));

  it("draws the demo's vehicles and commuters, and they move", async () => {
    broker = await startDemo("transit");
    for (const dark of [false, true]) {
      const page = await open({ dark });
      await page.shows("#status", /live/);
      await page.shows("#vehicles", /^12$/);
      await page.until(() => city.waiting.size > 10 && city.routes.length === 4, "commuters and routes");
      const before = await page.evaluate(() => [...city.vehicles.values()].map(({ lat, lon }) => ({ lat, lon })));
      await page.until((then) => [...city.vehicles.values()].every(
        ({ lat, lon }, i) => lat !== then[i].lat || lon !== then[i].lon), "every vehicle elsewhere", before);
      await page.shows("#news", /boards/);
      assert.ok(await page.colours("#map") > 20, "something is drawn");
      await page.screenshot(`transit-${dark ? "dark" : "light"}`);
      await page.close();
    }
  });

  it("shows what another client does", async () => {
    broker = await Broker.start({ app: "transit", settings: { "server.client_bundle": BUNDLE } });
    const page = await open();
    await page.shows("#hint", /--demo/);
    const vehicles = await clients.open(broker, "/vehicle-events");
    const route = await clients.open(broker, "/route-reservoir");
    const here = { lat: 40.7, lon: -74 };
    await send(vehicles, "vehicle:position_update", { vehicle_id: "bus", position: here, heading: 45 });
    await send(vehicles, "vehicle:capacity_update", { vehicle_id: "bus", capacity: 10, available_seats: 4 });
    const commuter = { commuter_id: "ann", current_location: here, direction: "inbound" };
    await send(route, "commuter:spawned", commuter);
    await page.shows("#vehicles", /^1$/);
    await page.shows("#on-board", /^6$/);
    await page.shows("#along-routes", /^1$/);
    const boarding = { commuter_id: "ann", vehicle_id: "bus" };
    await send(route, "commuter:picked_up", boarding);
    await page.shows("#along-routes", /^0$/);
    await page.shows("#news", /ann boards bus/);
    await send(route, "commuter:dropped_off", boarding);
    await page.shows("#arrived", /^1$/);
    await page.close(/404 \(Not Found\) .*\/city/); // there is no demo to tell of its routes
  });

  it("knows who was there before it", async () => {
    broker = await startDemo("transit");
    const first = await open();
    await first.until(() => city.waiting.size > 20, "commuters");
    const second = await open();
    await second.shows("#vehicles", /^12$/);
    await second.until(() => city.waiting.size > 20, "commuters who came earlier");
    await Promise.all([first.close(), second.close()]);
  });

  it("survives a restart of the broker, and says so meanwhile", async () => {
    broker = await startDemo("transit");
    const page = await open();
    await page.shows("#vehicles", /^12$/);
    for (const signal of ["SIGTERM", "SIGKILL"]) {
      await broker.restart({ signal, meanwhile: () => page.shows("#status", /reconnecting/) });
      await page.shows("#status", /live/);
      await page.shows("#vehicles", /^12$/);
      await page.until(() => city.waiting.size > 10, "commuters");
    }
    await page.close(AWAY);
  });

  it("says what is missing when the broker has no client for it", async () => {
    broker = await startDemo("transit", { settings: { "server.client_bundle": "" } });
    const page = await open();
    await page.shows("#hint", /server\.client_bundle/);
    await page.close(/404 \(Not Found\) .*socket\.io\.js/);
  });
});
