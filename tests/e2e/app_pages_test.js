"use strict";
// The files of the apps' public folders, served at /demo/APP/.

const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const zlib = require("node:zlib");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { Browser } = require("./lib/page");
const { until, within } = require("./lib/wait");

const PAGE = "<!doctype html><title>shop</title><script src=shop.js></script><p>" + "x".repeat(2000);
const FILES = {
  "shop/main.lua": `local ns = namespace "/shop"
route("GET", "/demo/shop/token", function() return 200, { token = "t" } end)
route("GET", "/demo/shop/route.txt", function() return 200, "the route" end)`,
  "shop/secret.lua": "return 'secret'",
  "shop/public/index.html": PAGE,
  "shop/public/shop.js": "document.title = 'ran';",
  "shop/public/shop.css": "p { color: red }",
  "shop/public/pictures/index.html": "<p>pictures",
  "shop/public/pictures/a b+c.svg": "<svg/>",
  "shop/public/route.txt": "the file",
  "shop/public/empty/only.txt": "x",
  "shop/public/.hidden": "secret",
  "shop/public/.git/config": "secret",
  "plain/main.lua": 'namespace "/plain"',
  "odd & <b>/main.lua": 'namespace "/odd"',
  "odd & <b>/public/index.html": "odd",
  "shared/public/index.html": "secret",
  "outside.txt": "secret",
};

/// With the path as it is; what builds URLs would tidy it up.
function get(broker, target, { method = "GET", ...headers } = {}) {
  return within(new Promise((resolve, reject) => {
    http.request({ host: "127.0.0.1", port: broker.port, path: target, method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode, headers: response.headers, bytes, body: bytes.toString() });
      });
    }).on("error", reject).end();
  }), target);
}

describe("the apps' pages", () => {
  let broker;
  before(async () => {
    broker = await Broker.start({
      scripts: FILES,
      before(folder) {
        const pages = path.join(folder, "shop/public");
        fs.symlinkSync("../secret.lua", path.join(pages, "link.txt"));
        fs.symlinkSync("../..", path.join(pages, "up"));
        fs.symlinkSync("shop.css", path.join(pages, "inside.css"));
        fs.symlinkSync("nowhere", path.join(pages, "dangling.txt"));
        fs.writeFileSync(path.join(pages, "large.bin"), Buffer.alloc((8 << 20) + 1));
        fs.writeFileSync(path.join(pages, "just.bin"), Buffer.alloc(8 << 20, "a"));
        fs.mkdirSync(path.join(folder, "linked"));
        fs.writeFileSync(path.join(folder, "linked/main.lua"), 'namespace "/linked"');
        fs.symlinkSync("../shop/public", path.join(folder, "linked/public"));
      },
    });
  });
  after(() => broker?.stop());

  it("are files with their types", async () => {
    for (const [target, type, file] of [
      ["/demo/shop/", "text/html; charset=utf-8", "index.html"],
      ["/demo/shop/index.html", "text/html; charset=utf-8", "index.html"],
      ["/demo/shop/?a=b", "text/html; charset=utf-8", "index.html"],
      ["/demo/shop/shop.js", "application/javascript; charset=utf-8", "shop.js"],
      ["/demo/shop/shop.css?v=2", "text/css; charset=utf-8", "shop.css"],
      ["/demo/shop/inside.css", "text/css; charset=utf-8", "shop.css"],
      ["/demo/shop/pictures/", "text/html; charset=utf-8", "pictures/index.html"],
      ["/demo/shop/pictures/a%20b+c.svg", "image/svg+xml", "pictures/a b+c.svg"],
      ["/demo/shop/just.bin", "application/octet-stream", "just.bin"],
    ]) {
      const response = await get(broker, target);
      assert.strictEqual(response.status, 200, target);
      assert.strictEqual(response.headers["content-type"], type, target);
      assert.strictEqual(response.headers["cache-control"], "public, max-age=0");
      assert.strictEqual(response.headers["x-content-type-options"], "nosniff");
      assert.ok(response.bytes.equals(fs.readFileSync(path.join(broker.folder, "shop/public", file))), target);
    }
  });

  it("redirect to the folder's own path, with the query", async () => {
    for (const [target, location] of [
      ["/demo", "/demo/"], ["/demo/shop", "/demo/shop/"], ["/demo/shop?a=b", "/demo/shop/?a=b"],
      ["/demo/shop/pictures", "/demo/shop/pictures/"],
    ]) {
      const response = await get(broker, target);
      assert.strictEqual(response.status, 301, target);
      assert.strictEqual(response.headers.location, location);
    }
  });

  it("are not sent again to who has them", async () => {
    const first = await get(broker, "/demo/shop/");
    const { etag, "last-modified": date } = first.headers;
    assert.ok(Math.abs(Date.parse(date) - fs.statSync(path.join(broker.folder, "shop/public/index.html")).mtimeMs) < 1000);
    for (const headers of [{ "if-none-match": etag }, { "if-modified-since": date }, { "if-none-match": "*" }]) {
      const again = await get(broker, "/demo/shop/", headers);
      assert.strictEqual(again.status, 304, JSON.stringify(headers));
      assert.strictEqual(again.body, "");
      assert.strictEqual(again.headers.etag, etag);
    }
    const other = { "if-none-match": '"x"', "if-modified-since": date };
    assert.strictEqual((await get(broker, "/demo/shop/", other)).status, 200);
  });

  it("are compressed for who takes it so", async () => {
    const gzip = await get(broker, "/demo/shop/", { "accept-encoding": "gzip" });
    assert.strictEqual(gzip.headers["content-encoding"], "gzip");
    assert.strictEqual(zlib.gunzipSync(gzip.bytes).toString(), PAGE);
  });

  it("answer HEAD and OPTIONS, and refuse other methods", async () => {
    const head = await get(broker, "/demo/shop/", { method: "HEAD" });
    assert.strictEqual(head.status, 200);
    assert.strictEqual(head.body, "");
    assert.strictEqual(Number(head.headers["content-length"]), PAGE.length);
    assert.strictEqual((await get(broker, "/demo/shop/", { method: "OPTIONS" })).status, 204);
    const post = await get(broker, "/demo/shop/", { method: "POST" });
    assert.strictEqual(post.status, 405);
    assert.strictEqual(post.headers.allow, "GET, HEAD");
  });

  it("lead to no file outside the folder, nor to a hidden one", async () => {
    for (const name of [
      "shop/../secret.lua", "shop/../../outside.txt", "shop/%2e%2e/secret.lua", "shop/..%2fsecret.lua",
      "shop/.%2e/secret.lua", "shop/pictures/../../secret.lua", "shop/%2e%2e%2fsecret.lua",
      "shop/..\\secret.lua", "shop/..%5csecret.lua", "shop//etc/passwd", "shop/%2fetc/passwd", "//etc/passwd",
      "shop/link.txt", "shop/up/outside.txt", "shop/up/", "shop/dangling.txt", "linked/", "linked/shop.css",
      "shop/.hidden", "shop/%2ehidden", "shop/.git/config", "shop/./index.html", "shop/index.html%00",
      "shop/shop.js/", "shop/shop.js/x", "shop/index.html/..", "shop/empty", "shop/empty/", "shop/nothing", "shop/%",
      "plain/", "plain", "nobody/", "../shop/", "%2e%2e/", ".", "..", "shared/", "secret.lua", "shop/main.lua",
    ]) {
      const { status, body } = await get(broker, `/demo/${name}`);
      assert.ok(status === 400 || status === 404, `${name}: ${status}`);
      assert.ok(!/secret|root:/.test(body), name);
    }
    assert.strictEqual((await get(broker, "/demos/shop/")).status, 404);
  });

  it("are small: a large file is refused", async () => {
    const { status, body } = await get(broker, "/demo/shop/large.bin");
    assert.strictEqual(status, 403);
    assert.match(body, /more than 8 MB/);
  });

  it("give way to a script's routes", async () => {
    assert.strictEqual((await get(broker, "/demo/shop/token")).body, '{"token":"t"}');
    assert.strictEqual((await get(broker, "/demo/shop/route.txt")).body, "the route");
  });

  it("are listed, those that there are", async () => {
    const { status, headers, body } = await get(broker, "/demo/");
    assert.strictEqual(status, 200);
    assert.strictEqual(headers["content-type"], "text/html; charset=utf-8");
    assert.deepStrictEqual([...body.matchAll(/<a href="(.*?)">(.*?)</g)].map((match) => match.slice(1)),
      [["odd%20%26%20%3Cb%3E/", "odd &amp; &lt;b>"], ["shop/", "shop"]]);
    assert.strictEqual((await get(broker, "/demo/odd%20%26%20%3Cb%3E/")).body, "odd");
  });

  it("follow their files, and come and go with their apps", async () => {
    fs.writeFileSync(path.join(broker.folder, "shop/public/empty/index.html"), "now there");
    assert.strictEqual((await get(broker, "/demo/shop/empty/")).body, "now there");
    fs.writeFileSync(path.join(broker.folder, "shop/public/empty/index.html"), "and changed");
    assert.strictEqual((await get(broker, "/demo/shop/empty/")).body, "and changed");
    fs.mkdirSync(path.join(broker.folder, "late/public"), { recursive: true });
    broker.write("late/public/index.html", "late");
    broker.write("late/main.lua", 'namespace "/late"');
    await until(async () => (await get(broker, "/demo/late/")).status === 200, "the new app's page");
    fs.rmSync(path.join(broker.folder, "late"), { recursive: true });
    await until(async () => (await get(broker, "/demo/late/")).status === 404, "the app gone");
  });

  it("run in a browser", async () => {
    const browser = await Browser.open();
    const page = await browser.visit(`${broker.url}/demo/`);
    await page.click("text=shop");
    await page.until(() => document.title === "ran", "the script");
    await browser.close();
  });
});

describe("server.pages = false", () => {
  it("serves no page", async () => {
    const broker = await Broker.start({ scripts: FILES, settings: { "server.pages": false } });
    for (const target of ["/demo", "/demo/", "/demo/shop", "/demo/shop/"])
      assert.strictEqual((await get(broker, target)).status, 404);
    assert.strictEqual((await get(broker, "/demo/shop/token")).status, 200);
    await broker.stop();
  });
});

describe("an app without a page", () => {
  it("has no list, either", async () => {
    const broker = await Broker.start({ scripts: { "main.lua": 'namespace "/"' } });
    for (const target of ["/demo", "/demo/"]) assert.strictEqual((await get(broker, target)).status, 404);
    await broker.stop();
  });
});
