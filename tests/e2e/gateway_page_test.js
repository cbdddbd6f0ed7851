"use strict";
// The gateway's pages in Chromium: a tool with progress, the lobby, what an interruption costs, and
// messages that the broker can't read.

const assert = require("node:assert");
const { describe, it, before, after } = require("node:test");
const { AWAY, Browser, startDemo } = require("./lib/page");
const { until } = require("./lib/wait");

describe("the gateway's pages", () => {
  let browser, broker;
  before(async () => {
    browser = await Browser.open();
    // The key outlives the broker, so that a page's token is good for the next one, too.
    broker = await startDemo("gateway", { env: { JWT_SECRET: "a secret of more than thirty-two bytes" } });
  });
  after(async () => {
    await browser?.close(AWAY);
    await broker?.stop();
  });

  const visit = async (user, page = "index.html", options = {}) => {
    const opened = await browser.visit(`${broker.url}/demo/gateway/${page}?user=${user}`, options);
    await opened.shows("#state", new RegExp(`connected as ${user}`));
    return opened;
  };

  it("ask a tool, show how far it is, and its answer", async () => {
    const page = await visit("ann");
    await page.click("#ask button");
    await page.until(() => {
      const bar = document.querySelector("#chat progress");
      return bar && bar.value > 0 && bar.value < 100;
    }, "a bar that moves");
    await page.screenshot("gateway-working");
    await page.shows("#chat .answer", /tool/);
    assert.match(await page.text("#chat .asked"), /Clients connect/);
    await page.inner.selectOption("#tool", "fail");
    await page.click("#ask button");
    await page.shows("#chat .failed .answer", /too_hard: this tool never succeeds/);
    await page.screenshot("gateway-answered");
  });

  it("let visitors talk, in dark, too", async () => {
    const ann = await visit("ann2"), bob = await visit("bob2", "index.html", { dark: true });
    await ann.fill("#words", "hello bob <b>not bold</b>");
    await ann.click("#say button");
    await bob.shows("#lobby", /ann2\s+hello bob <b>not bold<\/b>/);
    await bob.fill("#words", "hello ann");
    await bob.click("#say button");
    await ann.shows("#lobby", /bob2\s+hello ann/);
    await bob.screenshot("gateway-dark");
  });

  it("get an answer although the page was loaded anew, and the broker restarted", async () => {
    const page = await visit("cat");
    await page.click("#ask button");
    await page.until(() => document.querySelector("#chat progress")?.value > 0, "progress");
    await page.inner.reload();
    await page.shows("#chat .answer", /tool/);
    await page.click("#ask button");
    await page.until(() => document.querySelector("#chat progress")?.value > 0, "progress");
    await broker.restart({ signal: "SIGKILL" });
    await page.shows("#state", /connected as cat/);
    await page.until(() => document.querySelectorAll("#chat .answer").length === 2, "the second answer");
    assert.strictEqual(await page.evaluate(() => document.querySelectorAll("#chat .failed").length), 0);
  });

  it("encrypt in the browser what the broker passes on, also to who is away", async () => {
    const dan = await visit("dan", "private.html");
    await dan.shows("#keys", /dan\s+(\d{3} ){7}\d{3}/);
    await until(async () => !(await dan.evaluate(() => document.querySelector("#write button").disabled)),
      "a published key");
    const eve = await visit("eve", "private.html");
    await eve.fill("#to", "dan");
    await eve.fill("#words", "nobody else reads this");
    await eve.click("#write button:enabled");
    await dan.shows("#chat .answer", /nobody else reads this/);
    await dan.shows("#keys", /eve/);
    const seen = await dan.text("#wire");
    assert.match(seen, /"ciphertext":"[\w+/=]{20,}"/);
    assert.doesNotMatch(seen, /nobody/);
    // The keys stay; the message waits.
    await dan.inner.goto(`${broker.url}/demo/gateway/index.html`);
    await dan.shows("#state", /connected as dan/);
    await eve.screenshot("gateway-private");
    await dan.inner.goto("about:blank");
    await eve.fill("#words", "for later");
    await eve.click("#write button:enabled");
    await eve.until(() => document.querySelectorAll("#chat .asked").length === 2, "sent");
    await dan.inner.goto(`${broker.url}/demo/gateway/private.html`);
    await dan.shows("#chat .answer", /for later/);
    // Whom there is no key of.
    await eve.fill("#to", "nobody-known");
    await eve.fill("#words", "x");
    await eve.click("#write button:enabled");
    await eve.shows("#problem", /no key of 'nobody-known'/);
  });
});
