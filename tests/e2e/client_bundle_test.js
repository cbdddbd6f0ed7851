"use strict";
// The JavaScript client, served by the broker from its npm package's folder.

const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const zlib = require("node:zlib");
const { describe, it, before, after } = require("node:test");
const { chromium } = require("playwright-core");
const { Broker, moonwire } = require("./lib/broker");
const { request } = require("./lib/engine");
const { EXECUTABLE, FLAGS } = require("./lib/page");
const { until, within } = require("./lib/wait");

const DIST = path.dirname(require.resolve("socket.io-client/dist/socket.io.js"));
const FILES = [
  "socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js", "socket.io.esm.min.js",
].flatMap((name) => [name, `${name}.map`]);

describe("the client bundle", () => {
  let broker, folder;
  const get = (name, headers = {}, method = "GET") =>
    request(broker.url, `/socket.io/${name}`, { method, headers });
  const content = (name) => fs.readFileSync(path.join(folder, name), "utf8");

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-bundle-"));
    for (const name of FILES) fs.copyFileSync(path.join(DIST, name), path.join(folder, name));
    fs.writeFileSync(path.join(folder, "socket.io.min.js.br"),
      zlib.brotliCompressSync(fs.readFileSync(path.join(DIST, "socket.io.min.js"))));
    fs.writeFileSync(path.join(folder, "secret.js"), "no");
    broker = await Broker.start({
      settings: { "server.client_bundle": folder },
      scripts: { "main.lua": `
namespace "/"
route("GET", "/page", function()
  return 200, "<!doctype html><title>page</title><script src='/socket.io/socket.io.js'></script>",
    { ["content-type"] = "text/html" }
end)` },
    });
  });
  after(async () => {
    await broker?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it("has every file of the package, with its type", async () => {
    for (const name of FILES) {
      const response = await get(name);
      assert.strictEqual(response.status, 200, name);
      assert.strictEqual(response.body, content(name), name);
      assert.strictEqual(response.headers["content-type"],
        `application/${name.endsWith(".map") ? "json" : "javascript"}; charset=utf-8`);
      assert.strictEqual(response.headers["cache-control"], "public, max-age=0");
      assert.strictEqual(response.headers["content-encoding"], undefined);
    }
  });

  it("is not sent again to who has it", async () => {
    const { etag } = (await get("socket.io.js")).headers;
    for (const held of [etag, etag.slice(2), `"x", ${etag}`, "*"]) {
      const response = await get("socket.io.js", { "if-none-match": held });
      assert.strictEqual(response.status, 304, held);
      assert.strictEqual(response.body, "");
      assert.strictEqual(response.headers.etag, etag);
    }
    assert.strictEqual((await get("socket.io.js", { "if-none-match": '"4.8.3"' })).status, 200);
    assert.notStrictEqual((await get("socket.io.min.js")).headers.etag, etag);
  });

  it("is compressed for who takes it so", async () => {
    const gzip = await get("socket.io.js", { "accept-encoding": "gzip, deflate, br" });
    assert.strictEqual(gzip.headers["content-encoding"], "gzip");
    assert.strictEqual(gzip.headers.vary, "Accept-Encoding");
    assert.strictEqual(zlib.gunzipSync(gzip.bytes).toString(), content("socket.io.js"));
    const brotli = await get("socket.io.min.js", { "accept-encoding": "gzip, deflate, br" });
    assert.strictEqual(brotli.headers["content-encoding"], "br");
    assert.strictEqual(zlib.brotliDecompressSync(brotli.bytes).toString(), content("socket.io.min.js"));
  });

  it("answers HEAD and OPTIONS, and refuses other methods", async () => {
    const head = await get("socket.io.js", {}, "HEAD");
    assert.strictEqual(head.status, 200);
    assert.strictEqual(head.body, "");
    assert.strictEqual(Number(head.headers["content-length"]), Buffer.byteLength(content("socket.io.js")));
    assert.strictEqual((await get("socket.io.js", {}, "OPTIONS")).status, 204);
    const post = await get("socket.io.js", {}, "POST");
    assert.strictEqual(post.status, 405);
    assert.strictEqual(post.headers.allow, "GET, HEAD");
  });

  /// With the path as it is; what builds URLs would tidy it up.
  const raw = (name) => within(new Promise((resolve, reject) => {
    const path = `/socket.io/${name}`;
    http.get({ host: "127.0.0.1", port: broker.port, path, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode, body }));
    }).on("error", reject);
  }), name);

  it("holds no other file, and none beside the folder", async () => {
    for (const name of [
      "secret.js", "socket.io.min.js.br", "../socket.io.js", "x/../socket.io.js", "..%2fsocket.io.js",
      "%2e%2e/secret.js", "socket.io.js/", "socket.io.js%00", "socket.io.evil.js", "Socket.io.js",
    ]) {
      const { status, body } = await raw(name);
      assert.ok(status === 400 || status === 404, `${name}: ${status}`);
      assert.ok(!body.includes("Guillermo"), name);
    }
    assert.strictEqual((await get("socket.io.msgpack.js")).status, 404);
  });

  it("follows the file when it changes", async () => {
    const file = path.join(folder, "socket.io.esm.min.js");
    const { etag } = (await get("socket.io.esm.min.js")).headers;
    const text = fs.readFileSync(file, "utf8");
    fs.writeFileSync(file, "export const changed = 1;");
    await until(async () => (await get("socket.io.esm.min.js")).body === "export const changed = 1;", "the new text");
    assert.notStrictEqual((await get("socket.io.esm.min.js")).headers.etag, etag);
    fs.writeFileSync(file, text);
  });

  it("connects a page in Chromium that loads it from the broker", async () => {
    const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS, chromiumSandbox: false });
    try {
      const page = await browser.newPage();
      await page.goto(`${broker.url}/page`);
      const transport = await within(page.evaluate(async () => {
        const socket = io();
        await new Promise((resolve, reject) => {
          socket.on("connect", resolve);
          socket.on("connect_error", reject);
        });
        if (socket.io.engine.transport.name !== "websocket") {
          await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
        }
        const { name } = socket.io.engine.transport;
        socket.disconnect();
        return name;
      }), "the page");
      assert.strictEqual(transport, "websocket");
    } finally {
      await browser.close();
    }
  });
});

describe("without a client bundle", () => {
  it("its files are not found", async () => {
    const broker = await Broker.start({ settings: { "server.client_bundle": "" } });
    assert.strictEqual((await request(broker.url, "/socket.io/socket.io.js")).status, 404);
    await broker.stop();
  });

  it("a folder that is none is a clear error", () => {
    const result = moonwire(["check", DIST, "--set", "server.client_bundle=/nowhere"]);
    assert.strictEqual(result.status, 1);
    assert.match(result.stdout, /server\.client_bundle.*no socket\.io\.js in "\/nowhere"/);
  });
});
