"use strict";
// A page in headless Chromium talks to the broker across origins, as web applications do.

const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const { describe, it, before, after } = require("node:test");
const { chromium } = require("playwright-core");
const { Broker } = require("./lib/broker");
const { MODES } = require("./lib/clients");
const { EXECUTABLE, FLAGS } = require("./lib/page");
const { event, within } = require("./lib/wait");

const BUNDLE = require.resolve("socket.io-client/dist/socket.io.js");

/// A site with a page and the client's bundle.
async function serveSite() {
  const server = http.createServer((request, response) => {
    if (request.url === "/socket.io.js") {
      response.setHeader("content-type", "text/javascript");
      fs.createReadStream(BUNDLE).pipe(response);
    } else {
      response.setHeader("content-type", "text/html");
      response.end('<!doctype html><title>test</title><script src="/socket.io.js"></script>');
    }
  });
  server.listen(0, "127.0.0.1");
  await event(server, "listening");
  server.url = `http://127.0.0.1:${server.address().port}`;
  return server;
}

/// Runs in the page: everything a test asks, as plain values.
async function exchange({ url, how }) {
  const socket = io(url, { ...how, withCredentials: true, reconnection: false, auth: { from: "a page" } });
  try {
    await new Promise((resolve, reject) => {
      socket.on("connect", resolve);
      socket.on("connect_error", (error) => reject(new Error(`connect_error: ${error.message}`)));
    });
    const list = (buffer) => Array.from(new Uint8Array(buffer));
    const last = how.transports[how.transports.length - 1];
    if (socket.io.engine.transport.name !== last) {
      await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
    }
    socket.on("add", (a, b, reply) => reply(a + b));
    const back = new Promise((resolve) => socket.once("message-back", (...args) => resolve(args)));
    socket.emit("message", "ü€😀", new Uint8Array([0, 127, 255]), { deep: [new Blob(["blob"])] });
    const [text, bytes, { deep }] = await back;
    const who = await socket.emitWithAck("who");
    const echoed = await socket.emitWithAck("message-with-ack", { bytes: new Uint8Array([1, 2, 3]).buffer, list: [1, null] });
    const { replies } = await socket.emitWithAck("call-me", 10, "add", 20, 22);
    const large = await socket.emitWithAck("message-with-ack", "x".repeat(300000));
    return {
      transport: socket.io.engine.transport.name, text, bytes: list(bytes),
      blob: new TextDecoder().decode(deep[0]), echoed: { ...echoed, bytes: list(echoed.bytes) },
      replies, large: large.length, auth: who.auth, origin: who.headers.origin, xdomain: who.xdomain,
    };
  } finally {
    socket.disconnect();
  }
}

describe("a page in Chromium", () => {
  let site, browser, broker;
  before(async () => {
    site = await serveSite();
    browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS, chromiumSandbox: false });
    broker = await Broker.start({
      settings: { "engine.cors_origins": site.url, "engine.cors_credentials": true },
    });
  });
  after(async () => {
    await browser?.close();
    site?.close();
    site?.closeAllConnections();
    await broker?.stop();
  });

  const visit = async (url) => {
    const page = await browser.newPage();
    await page.goto(url);
    return page;
  };

  for (const [mode, how] of Object.entries(MODES)) {
    it(`exchanges text and binary, with acknowledgements, over ${mode}`, async () => {
      const page = await visit(site.url);
      const result = await within(page.evaluate(exchange, { url: broker.url, how }), "the exchange");
      await page.close();
      assert.deepStrictEqual(result, {
        transport: mode === "polling" ? "polling" : "websocket",
        text: "ü€😀", bytes: [0, 127, 255], blob: "blob",
        echoed: { bytes: [1, 2, 3], list: [1, null] }, replies: [42], large: 300000,
        auth: { from: "a page" }, origin: site.url, xdomain: true,
      });
    });
  }

  it("of an origin that is not permitted gets nowhere by polling", async () => {
    const stranger = await serveSite();
    const page = await visit(stranger.url);
    const how = MODES.polling;
    await assert.rejects(
      within(page.evaluate(exchange, { url: broker.url, how }), "the refusal"), /connect_error: xhr poll error/);
    await page.close();
    stranger.close();
    stranger.closeAllConnections();
  });
});
