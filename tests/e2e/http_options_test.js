"use strict";
// What settings and scripts make of Engine.IO's HTTP requests: paths, cookies, origins, proxies,
// compression and `on_request`.

const assert = require("node:assert");
const zlib = require("node:zlib");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients, MODES } = require("./lib/clients");
const { Polling, Ws, request } = require("./lib/engine");
const { event } = require("./lib/wait");

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const UPGRADE = {
  connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
const SCRIPT = `
local ns = namespace "/"
ns:on_connect(function(socket)
  socket:emit("who", { address = socket.handshake.address, secure = socket.handshake.secure })
end)
ns:on("large", function(socket, size, compress)
  socket:compress(compress):emit("filler", ("x"):rep(size))
end)
route("GET", "/who", function(request)
  return 200, { address = request.address, secure = request.secure }
end)
`;

describe("the engine's HTTP settings", () => {
  const clients = new Clients();
  let broker;
  before(async () => {
    broker = await Broker.start({
      scripts: { "main.lua": SCRIPT },
      settings: {
        "engine.path": "/live/rt/", "engine.cookie": "node", "engine.cookie_max_age": 60,
        "engine.allowed_origins": "https://a.example", "server.trusted_proxies": "127.0.0.1",
      },
    });
  });
  after(async () => {
    clients.closeAll();
    await broker?.stop();
  });
  const path = "/live/rt/?EIO=4&transport=polling";

  for (const [mode, how] of Object.entries(MODES)) {
    it(`give the path to clients over ${mode}`, async () => {
      const socket = clients.make(broker, "/", { ...how, path: "/live/rt" });
      await event(socket, "who");
    });
  }

  it("leave nothing at the default path, nor at any other", async () => {
    for (const foreign of [HANDSHAKE, "/live/rtx/?EIO=4&transport=polling", "/live/"]) {
      assert.strictEqual((await request(broker.url, foreign)).status, 404, foreign);
    }
  });

  it("set the cookie at the handshake", async () => {
    const response = await request(broker.url, path);
    const { sid } = JSON.parse(response.body.slice(1));
    assert.deepStrictEqual(response.headers["set-cookie"],
      [`node=${sid}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`]);
  });

  it("refuse pages of other origins over both transports", async () => {
    const origin = "https://b.example";
    const polling = await request(broker.url, path, { headers: { origin } });
    assert.strictEqual(polling.status, 403);
    assert.deepStrictEqual(JSON.parse(polling.body), { code: 4, message: "Forbidden" });
    const upgrade = await request(broker.url, "/live/rt/?EIO=4&transport=websocket",
      { headers: { ...UPGRADE, origin } });
    assert.strictEqual(upgrade.status, 400);
    assert.strictEqual(upgrade.body, "Forbidden");
    const allowed = await request(broker.url, path, { headers: { origin: "https://a.example" } });
    assert.strictEqual(allowed.status, 200);
  });

  it("believe trusted proxies about the client", async () => {
    const headers = { "x-forwarded-for": "1.1.1.1, 203.0.113.9", "x-forwarded-proto": "https" };
    const socket = clients.make(broker, "/", { ...MODES.upgrade, path: "/live/rt", extraHeaders: headers });
    const [who] = await event(socket, "who");
    assert.deepStrictEqual(who, { address: "203.0.113.9", secure: true });
    const route = await request(broker.url, "/who", { headers });
    assert.deepStrictEqual(JSON.parse(route.body), { address: "203.0.113.9", secure: true });
    const forwarded = await request(broker.url, "/who",
      { headers: { forwarded: 'for="[2001:db8::17]:47";proto=https' } });
    assert.deepStrictEqual(JSON.parse(forwarded.body), { address: "2001:db8::17", secure: true });
  });
});

describe("HTTP without settings", () => {
  let broker;
  before(async () => { broker = await Broker.start({ scripts: { "main.lua": SCRIPT } }); });
  after(() => broker?.stop());

  it("is not told who the client is by strangers", async () => {
    const headers = { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" };
    const route = await request(broker.url, "/who", { headers });
    assert.deepStrictEqual(JSON.parse(route.body), { address: "127.0.0.1", secure: false });
  });

  it("answers HEAD with GET's headers and no body", async () => {
    for (const path of ["/healthz", "/who"]) {
      const get = await request(broker.url, path);
      const head = await request(broker.url, path, { method: "HEAD" });
      assert.strictEqual(head.status, 200);
      assert.strictEqual(head.body, "");
      assert.strictEqual(head.headers["content-type"], get.headers["content-type"]);
    }
    const health = await request(broker.url, "/healthz", { method: "HEAD" });
    assert.strictEqual(health.headers["content-length"], "3");
    const engine = await request(broker.url, HANDSHAKE, { method: "HEAD" });
    assert.strictEqual(engine.status, 400);
    assert.strictEqual(engine.body, "");
  });

  it("answers OPTIONS with what a path allows, and Engine.IO's as a bad method", async () => {
    for (const [path, allow] of [["/healthz", "GET, HEAD"], ["/who", "GET, HEAD"]]) {
      const response = await request(broker.url, path, { method: "OPTIONS" });
      assert.strictEqual(response.status, 204);
      assert.strictEqual(response.headers.allow, allow);
    }
    assert.strictEqual((await request(broker.url, "/nowhere", { method: "OPTIONS" })).status, 404);
    const engine = await request(broker.url, HANDSHAKE, { method: "OPTIONS" });
    assert.deepStrictEqual(JSON.parse(engine.body), { code: 2, message: "Bad handshake method" });
  });

  /// The response to a poll for a packet of that size.
  const poll = async (size, compress, accept) => {
    const session = await Polling.open(broker);
    await session.join();
    await session.next();  // who
    await session.send(`42["large",${size},${compress}]`);
    const response = await session.get({ headers: { "accept-encoding": accept } });
    await session.send("1");
    return response;
  };
  const expected = (size) => `42["filler","${"x".repeat(size)}"]`;

  it("compresses large polling responses for who takes them so", async () => {
    const gzip = await poll(5000, true, "gzip, deflate");
    assert.strictEqual(gzip.headers["content-encoding"], "gzip");
    assert.strictEqual(gzip.headers.vary, "Accept-Encoding");
    assert.strictEqual(zlib.gunzipSync(gzip.bytes).toString(), expected(5000));
    const deflate = await poll(5000, true, "deflate, gzip;q=0.5");
    assert.strictEqual(deflate.headers["content-encoding"], "deflate");
    assert.strictEqual(zlib.inflateSync(deflate.bytes).toString(), expected(5000));
  });

  it("leaves polling responses as they are for others, below the threshold, and where a script says so", async () => {
    for (const [size, compress, accept] of [
      [5000, true, "identity"], [5000, true, "br"], [5000, true, "gzip;q=0"],
      [100, true, "gzip"], [5000, false, "gzip"],
    ]) {
      const response = await poll(size, compress, accept);
      assert.strictEqual(response.headers["content-encoding"], undefined);
      assert.strictEqual(response.body, expected(size));
    }
  });

  it("serves the browser's own decoder, through fetch", async () => {
    const session = await Polling.open(broker);
    await session.join();
    await session.next();
    await session.send('42["large",5000,true]');
    const response = await fetch(broker.url + session.path);
    assert.strictEqual(response.headers.get("content-encoding"), "gzip");
    assert.strictEqual(await response.text(), expected(5000));
  });
});

describe("on_request", () => {
  const clients = new Clients();
  let broker;
  before(async () => {
    broker = await Broker.start({
      settings: { "server.threads": 2 },
      scripts: {
        "a.lua": `
local ns = namespace "/"
on_request(function(request)
  sleep(0.01)
  if request.query.bug then error("a bug") end
  if request.query.token ~= "let me in" then fail("unauthorized", "no token") end
  return { ["set-cookie"] = "seen=" .. request.method, ["x-agent"] = request.headers["user-agent"] }
end)`,
        "b.lua": `
namespace "/b"
on_request(function(request) return { ["x-address"] = request.address } end)`,
      },
    });
  });
  after(async () => {
    clients.closeAll();
    await broker?.stop({ expected: /a bug .*in=on_request/ });
  });

  it("refuses a handshake with its message", async () => {
    const refused = await request(broker.url, HANDSHAKE);
    assert.strictEqual(refused.status, 403);
    assert.deepStrictEqual(JSON.parse(refused.body), { code: 4, message: "no token" });
    const upgrade = await request(broker.url, "/socket.io/?EIO=4&transport=websocket", { headers: UPGRADE });
    assert.strictEqual(upgrade.status, 400);
    assert.strictEqual(upgrade.body, "no token");
    const bug = await request(broker.url, `${HANDSHAKE}&bug=1`);
    assert.deepStrictEqual(JSON.parse(bug.body), { code: 4, message: "Forbidden" });
    await broker.logged(/a bug .*in=on_request/);
  });

  for (const [mode, how] of Object.entries(MODES)) {
    it(`lets clients in over ${mode}`, async () => {
      await clients.open(broker, "/", { ...how, query: { token: "let me in" } });
    });
  }

  it("adds headers to the handshake's answer and to no other", async () => {
    const query = "&token=let+me+in";
    const opened = await request(broker.url, HANDSHAKE + query, { headers: { "user-agent": "me" } });
    assert.deepStrictEqual(opened.headers["set-cookie"], ["seen=GET"]);
    assert.strictEqual(opened.headers["x-agent"], "me");
    assert.strictEqual(opened.headers["x-address"], "127.0.0.1");
    const { sid } = JSON.parse(opened.body.slice(1));
    const post = await request(broker.url, `${HANDSHAKE}&sid=${sid}`, { method: "POST", body: "1" });
    assert.strictEqual(post.status, 200);
    assert.strictEqual(post.headers["set-cookie"], undefined);

    const opening = Ws.open(broker, { query: `&transport=websocket${query}` });
    const ws = await opening;
    ws.socket.terminate();
    const upgraded = new Promise((resolve) => {
      const { WebSocket } = require("ws");
      const socket = new WebSocket(`${broker.wsUrl}/socket.io/?EIO=4&transport=websocket${query}`);
      socket.once("upgrade", (response) => {
        resolve(response.headers);
        socket.once("open", () => socket.terminate());
      });
    });
    assert.strictEqual((await upgraded)["x-address"], "127.0.0.1");
  });

  it("follows a reload", async () => {
    broker.write("a.lua", 'namespace "/"');
    broker.signal("SIGHUP");
    await broker.logged(/scripts reloaded/);
    const opened = await request(broker.url, HANDSHAKE);
    assert.strictEqual(opened.status, 200);
    assert.strictEqual(opened.headers["x-address"], "127.0.0.1");
  });
});
