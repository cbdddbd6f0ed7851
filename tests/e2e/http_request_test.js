"use strict";
// http.request from handlers, against servers of Node's: plain and TLS, well and badly behaved.

const assert = require("node:assert");
const http = require("node:http");
const https = require("node:https");
const fs = require("node:fs");
const { describe, it, before, after } = require("node:test");
const { Broker, moonwire, scriptsFolder } = require("./lib/broker");
const { Authority } = require("./lib/certificates");
const { Clients } = require("./lib/clients");
const { event, until, within } = require("./lib/wait");

const HANDLERS = `local ns = namespace "/"
ns:on("ask", function(socket, request)
  local response, why = http.request(request)
  if not response then return { why = why } end
  return { status = response.status, headers = response.headers, body = response.body, json = response.json }
end)
ns:on("size", function(socket, request)
  local response, why = http.request(request)
  return response and #response.body or why
end)
ns:on("many", function(socket, url, count)
  local calls = {}
  for i = 1, count do calls[i] = function() return http.request { url = url .. i }.body end end
  return { gather(unpack(calls)) }
end)
every(0.02, function() ns:emit("tick") end)
`;

/// A server that counts its connections; `held` are the responses that it never sends.
async function serve(create) {
  const held = [];
  const server = create(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const url = new URL(request.url, "http://x");
    if (url.pathname === "/never") return held.push(response);
    if (url.pathname === "/huge") return response.end(Buffer.alloc(Number(url.searchParams.get("bytes")), "x"));
    if (url.pathname === "/moved") return response.writeHead(302, { location: "/echo" }).end();
    if (url.pathname === "/cut") return response.socket.destroy();
    response.setHeader("content-type", "application/json");
    response.setHeader("set-cookie", ["a=1", "b=2"]);
    response.end(JSON.stringify(
      { method: request.method, url: request.url, headers: request.headers, body }));
  });
  server.keepAliveTimeout = 60000;
  let connections = 0;
  server.on(create === http.createServer ? "connection" : "secureConnection", () => ++connections);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port, held,
    connections: () => connections,
    close: () => { server.closeAllConnections(); server.close(); },
  };
}

describe("http.request", () => {
  let authority, plain, secure, broker, clients, socket, ask;
  before(async () => {
    authority = new Authority();
    const local = authority.issue("local", "/CN=local", "DNS:localhost");
    plain = await serve(http.createServer);
    secure = await serve((listener) => https.createServer(
      { cert: fs.readFileSync(local.certificate), key: fs.readFileSync(local.key) }, listener));
    broker = await Broker.start({
      scripts: { "main.lua": HANDLERS },
      settings: {
        "http.ca_file": authority.file, "http.max_response_bytes": 1000000, "server.threads": 1,
        "http.requests_at_once": 20,
      },
    });
    clients = new Clients();
    socket = await clients.open(broker);
    ask = (...args) => within(socket.emitWithAck(...args), `answer to ${args[0]}`);
  });
  after(async () => {
    clients?.closeAll();
    await broker?.stop();
    plain?.close();
    secure?.close();
    authority?.discard();
  });
  const url = (path) => `http://127.0.0.1:${plain.port}${path}`;

  it("sends what it is told, and the handler answers with what came back", async () => {
    const answer = await ask("ask", {
      url: url("/echo?a=%20b"), method: "put", headers: { "X-Key": "k" }, json: { list: [1], n: 1 },
    });
    assert.strictEqual(answer.status, 200);
    assert.deepStrictEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
    const { method, url: target, headers, body } = answer.json;
    assert.deepStrictEqual([method, target], ["PUT", "/echo?a=%20b"]);
    assert.deepStrictEqual(JSON.parse(body), { list: [1], n: 1 });
    assert.strictEqual(headers["content-type"], "application/json");
    assert.strictEqual(headers["x-key"], "k");
    assert.strictEqual(headers.host, `127.0.0.1:${plain.port}`);
    assert.strictEqual(headers["accept-encoding"], undefined);
    assert.deepStrictEqual(JSON.parse(answer.body), answer.json);
  });

  it("keeps connections, plain and TLS", async () => {
    for (let i = 0; i < 10; ++i) {
      assert.strictEqual((await ask("ask", { url: url("/echo") })).status, 200);
      const answer = await ask("ask", { url: `https://localhost:${secure.port}/echo` });
      assert.strictEqual(answer.status, 200, JSON.stringify(answer));
    }
    assert.strictEqual(plain.connections(), 1);
    assert.strictEqual(secure.connections(), 1);
  });

  it("makes many at once, from one handler", async () => {
    const bodies = await ask("many", url("/echo?n="), 15);
    assert.deepStrictEqual(
      bodies.map((body) => JSON.parse(body).url), Array.from({ length: 15 }, (_, i) => `/echo?n=${i + 1}`));
  });

  it("does not follow redirects", async () => {
    const answer = await ask("ask", { url: url("/moved") });
    assert.deepStrictEqual([answer.status, answer.headers.location], [302, "/echo"]);
  });

  it("refuses certificates that are not for the host", async () => {
    const answer = await ask("ask", { url: `https://127.0.0.1:${secure.port}/` });
    assert.deepStrictEqual(answer, { why: "certificate not accepted: IP address mismatch" });
  });

  it("says why there is no answer", async () => {
    const closed = await serve(http.createServer);
    closed.close();
    const reasons = {
      [`http://127.0.0.1:${closed.port}/`]: /^connection refused$/,
      "http://nowhere.invalid/": /^host not found$|^the name server does not answer$/,
      "nonsense": /^bad URL "nonsense": it must begin with http/,
      [url("/a b")]: /must be encoded/,
      [url("/cut")]: /^connection closed$/,
      [url("/huge?bytes=1000001")]: /^the response is larger than 1000000 bytes$/,
    };
    for (const [where, reason] of Object.entries(reasons))
      assert.match((await ask("ask", { url: where })).why, reason);
    assert.strictEqual(await ask("size", { url: url("/huge?bytes=1000000") }), 1000000);
  });

  it("waits without holding anybody up, and no longer than it was told", async () => {
    const waiting = ask("ask", { url: url("/never"), timeout: 0.2 });
    await event(socket, "tick");
    assert.deepStrictEqual(await waiting, { why: "timeout" });
  });

  it("tells the ones too many at once that it is busy, and recovers", async () => {
    const before = plain.held.length;
    const answers = Array.from({ length: 25 }, () => ask("ask", { url: url("/never"), timeout: 15 }));
    await until(() => plain.held.length - before === 20, "20 requests at the server");
    for (const response of plain.held.splice(before)) response.end("late");
    const got = await Promise.all(answers);
    assert.strictEqual(got.filter((answer) => answer.why === "busy").length, 5);
    assert.strictEqual(got.filter((answer) => answer.body === "late").length, 20);
    assert.strictEqual((await ask("ask", { url: url("/echo") })).status, 200);
  });

  it("ends with the broker, though a request is in flight", async () => {
    const before = plain.held.length;
    const second = await Broker.start({ scripts: { "main.lua": HANDLERS } });
    const others = new Clients();
    try {
      const asking = await others.open(second);
      asking.emit("ask", { url: url("/never"), timeout: 1000 });
      await until(() => plain.held.length > before, "the request");
    } finally {
      others.closeAll();
      await second.stop();
    }
  });
});

describe("the settings of http.request", () => {
  it("name a file of authorities that can't be read", () => {
    const folder = scriptsFolder({ "main.lua": HANDLERS });
    try {
      const { status, stderr } = moonwire(
        ["run", folder, "--port", "0", "--set", "http.ca_file=/nowhere.pem"]);
      assert.strictEqual(status, 1);
      assert.match(stderr, /nowhere\.pem: no certificates of authorities/);
      const checked = moonwire(["check", folder, "--set", "http.ca_file=/nowhere.pem"]);
      assert.strictEqual(checked.status, 1);
      assert.match(checked.stdout + checked.stderr, /nowhere\.pem: no certificates of authorities/);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});
