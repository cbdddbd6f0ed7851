"use strict";
// Pages that the broker serves, seen in headless Chromium.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");
const { Broker, ROOT } = require("./broker");
const { until } = require("./wait");

const EXECUTABLE = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-dev-shm-usage",
];
/// The folder of the JavaScript client's files.
const BUNDLE = path.dirname(require.resolve("socket.io-client/dist/socket.io.js"));
const SCREENSHOTS = path.join(ROOT, "build/screenshots");
/// What a page's console says while its broker is away.
const AWAY = /net::ERR_(CONNECTION|EMPTY)|WebSocket connection to/;

/// A broker over one of the repository's apps with its demo and its page.
function startDemo(app, { settings = {}, args = [], ...options } = {}) {
  return Broker.start({
    app, args: ["--demo", ...args], settings: { "server.client_bundle": BUNDLE, ...settings }, ...options,
  });
}

/// One browser for a test file; its pages don't share cookies or storage.
class Browser {
  static async open() {
    const browser = new Browser();
    browser.chromium = await chromium.launch({
      executablePath: EXECUTABLE, args: FLAGS, chromiumSandbox: false,
    });
    browser.pages = [];
    return browser;
  }

  /// The page at a URL, loaded.
  async visit(url, { dark = false, width = 1100, height = 700 } = {}) {
    const context = await this.chromium.newContext({
      colorScheme: dark ? "dark" : "light", viewport: { width, height }, reducedMotion: "reduce",
    });
    const page = new Page(await context.newPage());
    this.pages.push(page);
    const response = await page.inner.goto(url);
    assert.strictEqual(response.status(), 200, `${url} is served`);
    return page;
  }

  /// Closes the pages, which fails if one had errors, and the browser. `expected` is as in
  /// Page.close.
  async close(expected) {
    try {
      for (const page of this.pages) await page.close(expected);
    } finally {
      await this.chromium.close();
    }
  }
}

/// `inner` is Playwright's page, for what is not here.
class Page {
  constructor(inner) {
    this.inner = inner;
    this.errors = [];
    inner.on("pageerror", (error) => this.errors.push(`uncaught: ${error.stack || error}`));
    inner.on("console", (message) => {
      if (message.type() !== "error") return;
      const { url, lineNumber } = message.location();
      if (url.endsWith("/favicon.ico")) return; // the browser's idea, not the page's
      this.errors.push(`console: ${message.text()} (${url}:${lineNumber})`);
    });
  }

  /// What `fn(argument)` returns, run in the page.
  evaluate(fn, argument) {
    return this.inner.evaluate(fn, argument);
  }

  /// Waits until `fn(argument)`, run in the page, is not falsy; returns it.
  until(fn, what, argument) {
    return until(() => this.inner.evaluate(fn, argument), `${what}; errors: ${this.errors.join("\n")}`);
  }

  /// The visible text of the first element that a CSS selector finds.
  text(selector) {
    return this.inner.innerText(selector);
  }

  /// Waits until that text fits a pattern.
  async shows(selector, pattern) {
    await this.inner.waitForSelector(selector, { state: "attached" });
    let text = "";
    try {
      await until(async () => pattern.test((text = await this.text(selector))), `${selector} shows ${pattern}`);
    } catch (error) {
      error.message += `; it shows: ${text}\n${this.errors.join("\n")}`;
      throw error;
    }
  }

  click(selector) {
    return this.inner.click(selector);
  }

  fill(selector, text) {
    return this.inner.fill(selector, text);
  }

  /// How many different colours a canvas has: 1 if nothing is drawn on it.
  colours(selector) {
    return this.evaluate((canvas) => {
      const { width, height } = document.querySelector(canvas);
      const pixels = document.querySelector(canvas).getContext("2d").getImageData(0, 0, width, height);
      return new Set(new Uint32Array(pixels.data.buffer)).size;
    }, selector);
  }

  /// Writes build/screenshots/NAME.png, to look at.
  async screenshot(name) {
    fs.mkdirSync(SCREENSHOTS, { recursive: true });
    await this.inner.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
  }

  /// Fails if the page had an error other than those `expected` (a pattern).
  async close(expected) {
    if (this.inner.isClosed()) return;
    await this.inner.context().close();
    const errors = this.errors.filter((error) => !(expected && expected.test(error)));
    assert.deepStrictEqual(errors, [], "errors of the page");
  }
}

module.exports = { Browser, startDemo, AWAY, BUNDLE, EXECUTABLE, FLAGS };
