"use strict";
// The tickets app's page in a browser: the wall display and the staff's dashboard.

const assert = require("node:assert");
const { describe, it, before, after, afterEach } = require("node:test");
const { Broker } = require("./lib/broker");
const { AWAY, BUNDLE, Browser, startDemo } = require("./lib/page");

describe("the tickets' page", () => {
  let browser, broker;
  before(async () => { browser = await Browser.open(); });
  afterEach(async () => {
    await broker?.stop();
    broker = null;
  });
  after(() => browser?.close(AWAY));

  const open = (view, options) => browser.visit(`${broker.url}/demo/tickets/${view}`, options);
  const moves = async (wall) => {
    const before = await wall.text("#wall");
    await wall.until((then) => document.querySelector("#wall").innerText !== then, "something else", before);
  };
  const post = async (path, body, method = "POST") => {
    const response = await fetch(broker.url + path, {
      method, headers: { "content-type": "application/json" }, body: JSON.stringify(body || {}),
    });
    return response.json();
  };

  it("shows the demo's office on the wall and to staff, and it goes on", async () => {
    broker = await startDemo("tickets");
    for (const dark of [false, true]) {
      const wall = await open("", { dark });
      await wall.shows("#status", /live/);
      await wall.until(() => document.querySelectorAll("#serving li:not(.free)").length >= 2, "people are served");
      await wall.until(() => document.querySelectorAll("#queues li").length === 3, "three queues");
      const staff = await open("#staff", { dark, height: 860 });
      await staff.shows("#counters", /Counter 1[^]*Counter 4/);
      await staff.shows("#loads", /Finance[^]*Passports[^]*Registry/);
      await staff.shows("#news", /waits for/);
      await staff.shows("#open", /^4$/);
      await moves(wall);
      for (const [page, name] of [[wall, "wall"], [staff, "staff"]]) {
        await page.screenshot(`tickets-${name}-${dark ? "dark" : "light"}`);
        await page.close();
      }
    }
  });

  it("shows what others do, and what one does there", async () => {
    broker = await Broker.start({ app: "tickets", settings: { "server.client_bundle": BUNDLE } });
    const wall = await open("");
    const staff = await open("#staff");
    await wall.shows("#status", /live/);
    // At the wall.
    await wall.fill("#take input", "Finance");
    await wall.click("#take button");
    await wall.shows("#taken", /F-001: number 1 in line/);
    await wall.shows("#queues", /Finance\s*1 waiting[^]*F-001/);
    // By another client.
    await post("/counters/desk", { status: "open", name: "Desk <7>" }, "PATCH");
    await staff.shows("#counters", /Desk <7>\s*open[^]*F-001 Finance/);
    await post("/tickets", { serviceType: "Finance", userId: "u2" });
    await wall.shows("#queues", /2 waiting/);
    // By a clerk at the page.
    const press = (text) => staff.inner.click(`#counters button:text-is("${text}")`);
    await press("Call");
    await wall.shows("#serving", /Desk <7>\s*F-001\s*Finance/);
    await staff.shows("#counters", /busy\s*F-001/);
    await press("Done");
    await wall.shows("#serving", /Desk <7>\s*—\s*free/);
    await staff.shows("#news", /F-001 is done/);
    await press("Pause");
    await staff.shows("#counters", /paused/);
    await press("Open");
    await staff.shows("#counters", /Desk <7>\s*open/);
    await staff.shows("#waiting", /^1$/);
    await wall.close();
    await staff.close();
  });

  it("is the staff's only with their token, where tokens are required", async () => {
    broker = await Broker.start({
      app: "tickets", settings: { "server.client_bundle": BUNDLE, "settings.tickets.require_tokens": true },
    });
    const staff = await open("#staff");
    await staff.shows("#hint", /Not let in to the dashboard/);
    await staff.click('nav a[href="#wall"]');
    await staff.until(() => !document.querySelector("#wall").hidden, "the wall");
    await staff.close();
  });

  it("survives a restart of the broker, and says so meanwhile", async () => {
    broker = await startDemo("tickets");
    const wall = await open("");
    await wall.until(() => document.querySelectorAll("#serving li:not(.free)").length >= 1, "people are served");
    await broker.restart({ signal: "SIGKILL", meanwhile: () => wall.shows("#status", /reconnecting/) });
    await wall.shows("#status", /live/);
    await moves(wall);
    assert.doesNotMatch(broker.stderr, / error /);
    await wall.close(AWAY);
  });

  it("says what is missing when the broker has no client for it", async () => {
    broker = await startDemo("tickets", { settings: { "server.client_bundle": "" } });
    const page = await open("");
    await page.shows("#hint", /server\.client_bundle/);
    await page.close(/404 \(Not Found\) .*socket\.io\.js/);
  });
});
