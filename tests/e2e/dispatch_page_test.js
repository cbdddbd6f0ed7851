"use strict";
// Dispatch's page in Chromium: it draws, moves, hears a second client, acts, and survives a restart.

const assert = require("node:assert");
const { describe, it, before, after } = require("node:test");
const { io } = require("socket.io-client");
const { Broker } = require("./lib/broker");
const { Browser, startDemo, AWAY, BUNDLE } = require("./lib/page");
const { until } = require("./lib/wait");

/// Where all units are.
const at = (page) =>
  page.evaluate(() => JSON.stringify([...board.units.values()].map((unit) => unit.location)));

describe("the page of dispatch", () => {
  let broker, browser, dispatcher;
  before(async () => {
    broker = await startDemo("dispatch");
    browser = await Browser.open();
    const { token } = await (await fetch(`${broker.url}/demo/dispatch/token`)).json();
    dispatcher = io(`${broker.url}/dispatch`, { auth: { token }, forceNew: true });
  });
  after(async () => {
    dispatcher.disconnect();
    await browser.close(new RegExp(`${AWAY.source}|status of (403|503)`)); // while the broker ends
    await broker.stop();
  });

  it("shows the demo's town at once, and how it moves", async () => {
    const page = await browser.visit(`${broker.url}/demo/dispatch/`);
    await page.shows("#status", /live/);
    await page.shows("#units", /MEDIC-1/);
    await page.shows("#incidents", /INC-/);
    await page.until(() => board.units.size === 7, "all units");
    assert.ok(await page.colours("#map") > 3);
    const first = await at(page);
    await until(async () => (await at(page)) !== first, "a unit that moves");
    await page.shows("#confirmed", /MEDIC|RESCUE/);
    await page.screenshot("dispatch-light");
    const dark = await browser.visit(`${broker.url}/demo/dispatch/`, { dark: true });
    await dark.shows("#confirmed", /MEDIC|RESCUE/);
    await dark.screenshot("dispatch-dark");
    const phone = await browser.visit(`${broker.url}/demo/dispatch/`, { width: 400, height: 800 });
    await phone.shows("#units", /MEDIC-1/);
    await phone.screenshot("dispatch-phone");
  });

  it("hears of another client's incident, and confirms an assignment", async () => {
    const page = await browser.visit(`${broker.url}/demo/dispatch/`);
    await page.shows("#status", /live/);
    await dispatcher.emitWithAck("incident:created", {
      incidentId: "INC-E2E", type: "Bear in the park", address: "9 Zoo Ln", priority: 1,
    });
    await page.shows("#incidents", /Bear in the park/);
    const { assignmentId } = await dispatcher.emitWithAck(
      "assignment:sent", { unitId: "RANGER-1", incidentId: "INC-E2E" });
    const card = `[data-assignment="${assignmentId}"]`;
    await page.shows(`#pending ${card}`, /RANGER-1/);
    await page.click(`#pending ${card} button`);
    await page.shows(`#confirmed ${card}`, /by demo dispatcher/);
    await dispatcher.emitWithAck("incident:status", { incidentId: "INC-E2E", status: "cancelled" });
    await page.until(() => !document.querySelector("#incidents").innerText.includes("Bear"), "the incident is gone");
  });

  it("keeps the names of units on the map, at its edge, too", async () => {
    const page = await browser.visit(`${broker.url}/demo/dispatch/`, { width: 400, height: 800 });
    await page.until(() => board.units.size === 7, "the other units");
    await page.evaluate(() => {
      const draw = CanvasRenderingContext2D.prototype.fillText;
      window.names = {};
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        const width = this.measureText(text).width;
        const left = this.textAlign === "right" ? x - width : x;
        window.names[text] = left >= 0 && left + width <= this.canvas.clientWidth;
        draw.call(this, text, x, y);
      };
    });
    await page.until(() => {
      board.units.set("FARTHEST-EAST", { unitId: "FARTHEST-EAST", location: { coordinates: [-73.9, 40.74] } });
      return window.names["FARTHEST-EAST"];
    }, "its whole name");
  });

  it("survives a restart of the broker", async () => {
    const page = await browser.visit(`${broker.url}/demo/dispatch/`);
    await page.shows("#status", /live/);
    await broker.restart({ meanwhile: () => page.shows("#status", /reconnecting/) });
    await page.shows("#status", /live/);
    await page.shows("#units", /MEDIC-1/);
    const before = await at(page);
    await until(async () => (await at(page)) !== before, "it moves again");
  });

  it("asks for a token where there is no demo", async () => {
    const other = await Broker.start({
      app: "dispatch", settings: { "server.client_bundle": BUNDLE },
      env: { CAD_BACKEND_AUTH_TOKEN: "the-token-of-the-bridge-0000000000" },
    });
    const page = await browser.visit(`${other.url}/demo/dispatch/`);
    await page.shows("#status", /signed out/);
    await page.fill("#token", "wrong");
    await page.click("#sign-in button");
    await page.shows("#refusal", /malformed/);
    await page.fill("#token", "the-token-of-the-bridge-0000000000");
    await page.click("#sign-in button");
    await page.shows("#status", /live/);
    await page.close(/status of 404|status of 401/);
    await other.stop();
  });
});
