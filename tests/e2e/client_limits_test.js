"use strict";
// What clients of the official library hear when they run into a limit, what /stats, the log, the
// audit log and scripts learn of it, and that a limit gives back what it counted.

const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it, afterEach } = require("node:test");
const { Broker, BINARY, environment, moonwire, scriptsFolder } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { Ws, Polling, request } = require("./lib/engine");
const { event, until, within } = require("./lib/wait");

const clients = new Clients();
let broker;
afterEach(async () => {
  clients.closeAll();
  await broker?.stop();
  broker = null;
});

const main = `
local ns = namespace "/"
ns:use(function(socket)
  local auth = socket.handshake.auth
  if auth.token == "bad" then fail("unauthorized", "no such token") end
  if auth.token == "out" then fail("closed", "not today") end
  if auth.user then socket.data.user = { id = auth.user } end
end)
ns:on_connect(function(socket) if socket.handshake.auth.watch then socket:join("watch") end end)
ns:on("echo", function(socket, value) return value end)
ns:on("all", function(socket, text) ns:emit("text", text) return true end)
ns:on("join", function(socket, n) for i = 1, n do socket:join("room" .. i) end return #socket.rooms end)
ns:on("owe", function(socket, n)
  for i = 1, n do spawn(function() socket:call("question") end) end
  return true
end)
on_suspicious(function(incident)
  ns:to("watch"):emit("suspicious", incident)
end)
route("GET", "/secret/:token", function() fail("unauthorized", "no") end)
`;

async function start(settings, more = {}) {
  broker = await Broker.start({ scripts: { "main.lua": main }, settings, ...more });
  return broker;
}

async function incidents() {
  return (await broker.stats()).incidents;
}

/// How the library tells of a refused connection.
async function refusal(options) {
  const socket = clients.make(broker, "/", { reconnection: false, ...options });
  const [error] = await event(socket, "connect_error");
  return error;
}

/// The status of the HTTP answer that the library got.
function statusOf(error) {
  const { description } = error;
  if (typeof description === "number") return description;
  return Number(/server response: (\d+)/.exec(description?.message)?.[1]);
}

describe("the library's client", () => {
  for (const transport of ["polling", "websocket"]) {
    it(`is told 429 for too many handshakes of its address (${transport})`, async () => {
      await start({ "limits.handshakes_per_second_per_ip": 1, "limits.rate_burst_seconds": 1,
                    "server.trusted_proxies": "127.0.0.1" });
      const from = (address) => ({ transports: [transport], extraHeaders: { "x-forwarded-for": address } });
      // Another of the same network takes what there is all the time.
      let over = false;
      const greedy = (async () => {
        while (!over) {
          await request(broker.url, "/socket.io/?EIO=4&transport=polling",
                        { headers: { "x-forwarded-for": "2001:db8::1" } });
        }
      })();
      await until(async () => {
        const socket = clients.make(broker, "/", { reconnection: false, ...from("2001:db8::2") });
        const error = await within(new Promise((resolve) => {
          socket.once("connect", () => resolve(null));
          socket.once("connect_error", resolve);
        }), "an answer");
        return error && statusOf(error) === 429;
      }, "a refusal");
      over = true;
      await greedy;
      assert.ok((await incidents()).handshakes_per_second_per_ip > 0);
      await clients.open(broker, "/", from("2001:db8:0:1::1"));
      await broker.logged(/ warn handshake refused: too many a second from one address address=2001:db8::/);
    });

    it(`is told 403, or 400 for an upgrade, when its address has enough connections (${transport})`, async () => {
      await start({ "limits.connections_per_ip": 2, "server.threads": 3 });
      const options = { transports: [transport] };
      for (let storm = 0; storm < 4; ++storm) {
        const inside = [await until(() => clients.open(broker, "/", options), "room"),
                        await until(() => clients.open(broker, "/", options), "room")];
        const error = await refusal(options);
        assert.strictEqual(statusOf(error), transport === "polling" ? 403 : 400);
        for (const socket of inside) assert.strictEqual(await socket.emitWithAck("echo", 1), 1);
        clients.closeAll();
        await until(async () => (await broker.stats()).connections.total === 0, "nobody");
      }
      assert.strictEqual((await incidents()).connections_per_ip >= 4, true);
      await broker.logged(/ warn connection refused: too many from one address address=127\.0\.0\.1/);
    });
  }

  it("is told 503 over the limit of all connections, and the rest goes on", async () => {
    await start({ "limits.connections": 4 });
    const socket = await clients.open(broker, "/", { transports: ["websocket"] });
    for (let i = 0; i < 3; ++i) await clients.open(broker, "/", { transports: ["websocket"] });
    assert.strictEqual(statusOf(await refusal({ transports: ["polling"] })), 503);
    assert.strictEqual(await socket.emitWithAck("echo", 1), 1);
    await broker.logged(/ warn connection refused: too many in all/);
    clients.closeAll();
    await until(async () => (await incidents()).connections > 0, "the figure");
  });

  it("is told too_many_connections of its user, who gets them back", async () => {
    await start({ "limits.connections_per_user": 2 });
    const auth = { user: "u1", token: "t0p-s3cret" };
    for (let storm = 0; storm < 5; ++storm) {
      const inside = [await until(() => clients.open(broker, "/", { auth }), "room"),
                      await until(() => clients.open(broker, "/", { auth }), "room")];
      const error = await refusal({ auth });
      assert.deepStrictEqual(error.data, { code: "too_many_connections" });
      await clients.open(broker, "/", { auth: { user: "u2" } });
      assert.strictEqual(await inside[0].emitWithAck("echo", 1), 1);
      clients.closeAll();
      await until(async () => (await broker.stats()).connections.total === 0, "nobody");
    }
    assert.strictEqual((await incidents()).connections_per_user, 5);
    await broker.logged(/ warn client refused: too many of one user .*user=u1/);
  });

  for (const transports of [["polling"], ["websocket"]]) {
    it(`has events over its rate answered rate_limited (${transports})`, async () => {
      await start({ "limits.events_per_second": 10, "limits.rate_burst_seconds": 1 });
      const socket = await clients.open(broker, "/", { transports });
      const other = await clients.open(broker, "/", { transports });
      const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => socket.emitWithAck("echo", i)));
      const refused = answers.filter((answer) => answer?.error?.code === "rate_limited");
      assert.ok(refused.length > 0 && refused.length <= 30, `${refused.length} refused`);
      const told = event(socket, "error");
      for (let i = 0; i < 40; ++i) socket.emit("echo", i);
      assert.strictEqual((await told)[0].code, "rate_limited");
      assert.strictEqual(await other.emitWithAck("echo", 1), 1);
      await until(async () => (await socket.emitWithAck("echo", 1)) === 1, "its rate again");
      const { namespaces, incidents } = await broker.stats();
      assert.ok(namespaces[0].rate_limited >= refused.length);
      assert.strictEqual(incidents.events_per_second, namespaces[0].rate_limited);
      await broker.logged(/ warn a client sends too many packets a second .*namespace=\/ socket=/);
    });
  }

  it("has bytes over its rate answered, binary ones too", async () => {
    await start({ "limits.bytes_per_second": 20000, "limits.rate_burst_seconds": 1 });
    const socket = await clients.open(broker, "/");
    const answers = [];
    for (let i = 0; i < 6; ++i) answers.push(socket.emitWithAck("echo", Buffer.alloc(15000)));
    const codes = (await Promise.all(answers)).map((answer) => answer?.error?.code);
    assert.strictEqual(codes[0], undefined);
    assert.ok(codes.includes("rate_limited"), JSON.stringify(codes));
    assert.ok((await incidents()).bytes_per_second > 0);
  });

  it("is disconnected over its rate, if so set, and does not come back by itself", async () => {
    await start({ "limits.events_per_second": 5, "limits.over_rate": "disconnect" });
    const socket = await clients.open(broker, "/");
    const gone = event(socket, "disconnect");
    const last = event(socket, "error");
    for (let i = 0; i < 50; ++i) socket.emit("echo", i);
    assert.strictEqual((await last)[0].code, "rate_limited");
    assert.strictEqual((await gone)[0], "io server disconnect");
    await until(async () => (await broker.stats()).connections.total === 0, "its end");
  });

  it("is cut for what is too large, over either transport", async () => {
    await start({ "engine.max_payload_bytes": 10000 });
    for (const transport of ["polling", "websocket"]) {
      const socket = await clients.open(broker, "/", { transports: [transport], reconnection: false });
      const gone = event(socket, "disconnect");
      socket.emit("echo", "x".repeat(20000));
      await gone;
      socket.disconnect();
    }
    await until(async () => (await incidents()).max_payload_bytes === 2, "both");
    await broker.logged(/ warn a client's message is too large address=127\.0\.0\.1/);
  });

  it("is told that it is in too many rooms or owes too many acknowledgements, as scripts see fit", async () => {
    await start({ "limits.rooms_per_socket": 10, "limits.awaited_acks_per_socket": 5 });
    const socket = await clients.open(broker, "/");
    assert.strictEqual(await socket.emitWithAck("join", 100), 11);
    await socket.emitWithAck("owe", 50);
    const seen = await until(async () => {
      const all = await incidents();
      return all.awaited_acks_per_socket === 45 && all;
    }, "the calls");
    assert.strictEqual(seen.rooms_per_socket, 90);
  });
});

describe("a consumer that reads nothing", () => {
  for (const transport of ["websocket", "polling"]) {
    it(`is cut when what is queued for it is too old (${transport})`, async () => {
      await start({ "limits.send_queue_ms": 300 });
      const speaker = await clients.open(broker, "/");
      if (transport === "websocket") (await Ws.client(broker)).socket._socket.pause();
      else await (await Polling.open(broker)).join();
      const text = "x".repeat(100000);
      await until(async () => {
        await speaker.emitWithAck("all", text);
        return (await broker.stats()).namespaces[0].sockets === 1;
      }, "the end of the deaf");
      assert.strictEqual((await incidents()).send_queue_ms, 1);
      await broker.logged(/ warn slow consumer disconnected: its send queue is too old/);
    });
  }
});

describe("the audit log", () => {
  const lines = (name = "audit.jsonl") => fs.readFileSync(path.join(broker.folder, name), "utf8")
    .split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const logged = (kind, what = {}) => until(() => lines().find((line) =>
    line.kind === kind && Object.entries(what).every(([name, value]) => line[name] === value)),
  `${kind} ${JSON.stringify(what)}`);
  const ctl = (...args) => spawnSync(BINARY, ["ctl", ...args], {
    env: environment({ XDG_RUNTIME_DIR: broker.runtime }), encoding: "utf8",
  });

  it("has refusals, breaches and what operators did, and no token", async () => {
    await start({ "limits.events_per_second": 5 }, { toml: "[audit]\nfile = \"audit.jsonl\"\n" });
    for (const token of ["bad", "out"]) await refusal({ auth: { token, user: "nobody" }, query: { token: "t0p-s3cret" } });
    await logged("auth_failed", { namespace: "/", detail: "unauthorized", address: "127.0.0.1" });
    await logged("refused", { detail: "closed" });
    const socket = await clients.open(broker, "/", { auth: { user: "u7", token: "t0p-s3cret" } });
    for (let i = 0; i < 100; ++i) socket.emit("echo", "t0p-s3cret");
    await logged("events_per_second", { user: "u7", socket: socket.id, detail: "dropped" });
    // The many others are one line more.
    const again = await until(() => lines().find((line) => line.kind === "events_per_second" && line.count > 1), "a sum");
    assert.ok(again.count > 10 && again.count < 100, JSON.stringify(again));
    await fetch(`${broker.url}/secret/t0p-s3cret`);
    await logged("auth_failed", { detail: "route" });
    assert.strictEqual(ctl("disconnect", socket.id).status, 0);
    await logged("admin", { detail: "/disconnect", socket: socket.id });
    assert.strictEqual(ctl("status").status, 0);
    assert.strictEqual(lines().filter((line) => line.kind === "admin").length, 1);

    const text = fs.readFileSync(path.join(broker.folder, "audit.jsonl"), "utf8");
    assert.doesNotMatch(text, /s3cret/);
    assert.doesNotMatch(broker.stderr, /s3cret/);
    for (const line of lines()) assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 600000);
    const { audit } = await broker.stats();
    assert.deepStrictEqual(audit, { written: lines().length, dropped: 0 });
  });

  it("is opened anew on HUP", async () => {
    await start({}, { toml: "[audit]\nfile = \"audit.jsonl\"\n" });
    await refusal({ auth: { token: "bad" } });
    await logged("auth_failed");
    fs.renameSync(path.join(broker.folder, "audit.jsonl"), path.join(broker.folder, "moved"));
    broker.signal("SIGHUP");
    await until(() => fs.existsSync(path.join(broker.folder, "audit.jsonl")), "a new file");
    await refusal({ auth: { token: "out" } });
    await logged("refused");
    assert.ok(lines("moved").some((line) => line.kind === "admin" && line.detail === "signal HUP"));
  });

  it("that can't be opened ends the start, and says why", () => {
    const folder = scriptsFolder({ "main.lua": main });
    const { status, stderr } = moonwire(
      ["run", folder, "--port", "0", "--set", "audit.file=/nowhere/audit.jsonl"]);
    fs.rmSync(folder, { recursive: true });
    assert.strictEqual(status, 1);
    assert.match(stderr, /audit\.file: can't open \/nowhere\/audit\.jsonl: No such file/);
  });
});

describe("scripts", () => {
  it("hear of what is suspicious, and of nothing that operators do", async () => {
    await start({ "limits.events_per_second": 5 });
    const watcher = await clients.open(broker, "/", { auth: { watch: true } });
    const heard = [];
    watcher.on("suspicious", (incident) => heard.push(incident));
    broker.signal("SIGHUP");
    await refusal({ auth: { token: "bad" } });
    const flooder = await clients.open(broker, "/", { auth: { user: "u9" } });
    for (let i = 0; i < 50; ++i) flooder.emit("echo", i);
    await until(() => heard.some((each) => each.kind === "events_per_second" && each.count > 1), "both");
    const breach = heard.find((each) => each.kind === "events_per_second");
    assert.strictEqual(breach.user, "u9");
    assert.strictEqual(breach.socket, flooder.id);
    assert.strictEqual(breach.address, "127.0.0.1");
    assert.ok(heard.some((each) => each.kind === "auth_failed" && each.nsp === "/"));
    assert.ok(!heard.some((each) => each.kind === "admin"));
  });
});
