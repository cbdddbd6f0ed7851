"use strict";
// `moonwire emit` and `moonwire listen`: against this broker, and against the Node server.

const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { describe, it, before, after } = require("node:test");
const { Server } = require("socket.io");
const { Broker, environment, BINARY, SANITIZER } = require("./lib/broker");
const { Authority } = require("./lib/certificates");
const { Clients } = require("./lib/clients");
const { event, until, within } = require("./lib/wait");

const MAIN = `local ns = namespace "/"
ns:on_connect(function(socket) socket:join("all") end)
ns:on("echo", function(socket, ...) return ... end)
ns:on("handshake", function(socket)
  local shake = socket.handshake
  return { auth = shake.auth, query = shake.query.who, header = shake.headers["x-who"], secure = shake.secure,
           transport = socket.transport }
end)
ns:on("tell", function(socket, ...) ns:to("all"):emit(...) end)
ns:on("kick", function(socket) ns:to("all"):disconnect(true) end)
ns:on("out", function(socket) ns:to("all"):disconnect(false) end)
ns:on("mute", function(socket) return noack end)
ns:on("failing", function(socket) fail("full", "no seat left", { seats = 0 }) end)
`;
const PRIVATE = `local ns = namespace "/private"
ns:use(function(socket)
  if socket.handshake.auth.token ~= "good" then fail("forbidden", "wrong token", { hint = "try another" }) end
end)
ns:on("ping", function(socket) return "pong" end)
`;
const SCRIPTS = { "main.lua": MAIN, "private.lua": PRIVATE };
const ways = process.env.MOONWIRE_TEST_WAYS ? process.env.MOONWIRE_TEST_WAYS.split(",") : ["--websocket", "--polling"];

const running = new Set();

/// Starts a command that others are to meet: {stdout, stderr, exited, child}.
function start(args, { env, input } = {}) {
  const child = spawn(BINARY, args, { env: environment(env) });
  const run = { child, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (run.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (run.stderr += text));
  child.stdin.on("error", () => {}).end(input ?? "");
  run.exited = new Promise((resolve) => child.once("close", (status, signal) => {
    running.delete(child);
    resolve({ status, signal, stdout: run.stdout, stderr: run.stderr });
  }));
  run.lines = (count) => until(
    () => run.stdout.split("\n").length > count && run.stdout.split("\n").slice(0, count), `${count} lines`);
  run.noted = (pattern) => until(() => pattern.test(run.stderr), `${pattern} in ${run.stderr}`);
  running.add(child);
  return run;
}

/// Runs a command to its end, while this process serves: {status, stdout, stderr}.
async function run(...args) {
  const options = typeof args.at(-1) === "object" ? args.pop() : {};
  const ended = await within(start(args, options).exited, args.join(" "));
  assert.doesNotMatch(ended.stderr, SANITIZER);
  assert.strictEqual(ended.signal, null);
  return ended;
}

/// What an --ack gave.
async function acknowledged(...args) {
  const { status, stdout, stderr } = await run("emit", ...args, "--ack");
  assert.deepStrictEqual([status, stderr], [0, ""]);
  return JSON.parse(stdout);
}

async function refusal(...args) {
  const { status, stdout, stderr } = await run(...args);
  assert.deepStrictEqual([status, stdout], [1, ""]);
  assert.match(stderr, /^moonwire: [^\n]*\n$/);
  return stderr.slice("moonwire: ".length, -1);
}

after(() => { for (const child of running) child.kill("SIGKILL"); });

for (const way of ways) {
  describe(`moonwire emit ${way}`, () => {
    let broker;
    before(async () => { broker = await Broker.start({ scripts: SCRIPTS }); });
    after(() => broker.stop());

    it("prints the acknowledgement's values", async () => {
      assert.deepStrictEqual(await acknowledged(way, broker.url, "/", "echo"), []);
      const values = [-5, [1, [2]], "text \u00e4\u{1f600}", 1.5, null, { a: [true, { b: [] }] }];
      assert.deepStrictEqual(
        await acknowledged(way, broker.url, "/", "echo", ...values.map((value) => JSON.stringify(value))), values);
    });

    it("takes ws URLs, an argument from standard input, and bytes", async () => {
      const { stdout } = await run(
        "emit", way, broker.wsUrl, "/", "echo", "1", "-", "--ack", { input: '{"from":\n "stdin"}' });
      assert.deepStrictEqual(JSON.parse(stdout), [1, { from: "stdin" }]);
      const bytes = { _bytes: Buffer.from([0, 1, 254, 255]).toString("base64") };
      const nested = { deep: [bytes, { other: { _bytes: "" } }] };
      assert.deepStrictEqual(
        await acknowledged(way, broker.url, "/", "echo", JSON.stringify(bytes), JSON.stringify(nested)),
        [bytes, nested]);
    });

    it("shows auth, query and headers", async () => {
      const file = path.join(broker.folder, "auth.json");
      fs.writeFileSync(file, '{"token": "from a file"}');
      const [shown] = await acknowledged(
        way, broker.url + "?who=a%20b", "/", "handshake", "--auth", `@${file}`, "--header", "X-Who: me");
      assert.deepStrictEqual(shown, {
        auth: { token: "from a file" }, query: "a b", header: "me", secure: false, transport: way.slice(2),
      });
      const [again] = await acknowledged(way, broker.url, "/", "handshake", "--query", "who=a&b=c");
      assert.deepStrictEqual([again.query, again.auth], ["a&b=c", {}]);
    });

    it("delivers without --ack, too, and says nothing", async () => {
      const clients = new Clients();
      const client = await clients.open(broker);
      const told = event(client, "news");
      assert.deepStrictEqual(
        await run("emit", way, broker.url, "/", "tell", '"news"', '{"a":1}'),
        { status: 0, signal: null, stdout: "", stderr: "" });
      assert.deepStrictEqual(await told, [{ a: 1 }]);
      clients.closeAll();
    });

    it("enters a namespace with what it asks for, or tells its refusal", async () => {
      assert.deepStrictEqual(
        await acknowledged(way, broker.url, "/private", "ping", "--auth", '{"token":"good"}'), ["pong"]);
      assert.strictEqual(
        await refusal("emit", way, broker.url, "/private", "ping", "--auth", '{"token":"bad"}'),
        '/private refused the connection: wrong token {"code":"forbidden","hint":"try another"}');
      assert.strictEqual(
        await refusal("emit", way, broker.url, "/none", "ping"), "/none refused the connection: Invalid namespace");
    });

    it("fails when the handler fails, answers nothing or ends the connection", async () => {
      const failed = await run("emit", way, broker.url, "/", "failing", "--ack");
      assert.deepStrictEqual([failed.status, JSON.parse(failed.stdout)], [1, [
        { error: { code: "full", message: "no seat left", data: { seats: 0 } } }]]);
      assert.strictEqual(
        await refusal("emit", way, broker.url, "/", "mute", "--ack", "--timeout", "0.3"),
        "no acknowledgement within 0.3 s");
      assert.match(await refusal("emit", way, broker.url, "/", "kick", "--ack"), /disconnected|lost/);
      assert.strictEqual(
        await refusal("emit", way, broker.url, "/", "out", "--ack"), "the server disconnected this client");
    });

    it("explains why it can't connect", async () => {
      assert.strictEqual(
        await refusal("emit", way, "http://127.0.0.1:1", "/", "x"),
        "cannot connect to http://127.0.0.1:1: connection refused");
      assert.match(
        await refusal("emit", way, broker.url, "/", "x", "--path", "/elsewhere/"),
        /^cannot connect to http:\S+: the server refused: HTTP 404: Not Found$/);
      assert.match(
        await refusal("emit", way, "http://no-such-host.invalid", "/", "x"), /host not found|name server/);
      const silent = http.createServer(() => {}).on("upgrade", () => {}).listen(0, "127.0.0.1");
      await event(silent, "listening");
      assert.match(
        await refusal("emit", way, `http://127.0.0.1:${silent.address().port}`, "/", "x", "--timeout", "0.2"),
        /^cannot connect to http:\S+: timed out$/);
      silent.closeAllConnections();
      silent.close();
    });
  });

  describe(`moonwire listen ${way}`, () => {
    let broker;
    before(async () => { broker = await Broker.start({ scripts: SCRIPTS }); });
    after(() => broker.stop());

    it("prints every event until it has enough", async () => {
      const listener = start(["listen", way, broker.url, "/", "--count", "3"]);
      await listener.noted(/connected to \/ as \S+\n/);
      const bytes = '{"_bytes":"AQID"}';
      for (const args of [['"plain"'], ['"two words"', "1", "[2]"], ['"binary"', bytes]])
        await run("emit", way, broker.url, "/", "tell", ...args);
      const { status, stdout } = await within(listener.exited, "its end");
      assert.deepStrictEqual([status, stdout], [0, `plain []\n"two words" [1,[2]]\nbinary [${bytes}]\n`]);
    });

    it("prints JSON, and only the events asked for", async () => {
      const listener = start(["listen", way, broker.url, "/", "b", "c", "--json"]);
      await listener.noted(/connected/);
      for (const name of ["a", "b", "c"]) await run("emit", way, broker.url, "/", "tell", `"${name}"`, `"\\n${name}"`);
      const lines = await listener.lines(2);
      assert.deepStrictEqual(lines.map(JSON.parse), [
        { event: "b", args: ["\nb"] }, { event: "c", args: ["\nc"] }]);
      listener.child.kill("SIGINT");
      const { status, stdout } = await within(listener.exited, "its end");
      assert.deepStrictEqual([status, stdout.split("\n").length], [0, 3]);
      await until(async () => (await broker.stats()).connections.total === 0, "its goodbye");
    });

    it("ends when its time is over, which is a failure if it was to hear more", async () => {
      assert.strictEqual((await run("listen", way, broker.url, "/", "--timeout", "0.2")).status, 0);
      const late = await run("listen", way, broker.url, "/", "--timeout", "0.2", "--count", "2");
      assert.strictEqual(late.status, 1);
      assert.match(late.stderr, /\nmoonwire: timed out after 0 of 2 events\n$/);
    });

    it("ends when it is refused or put out", async () => {
      assert.match(await refusal("listen", way, broker.url, "/private"), /^\/private refused/);
      const listener = start(["listen", way, broker.url, "/"]);
      await listener.noted(/connected/);
      await run("emit", way, broker.url, "/", "out");
      const { status, stderr } = await within(listener.exited, "its end");
      assert.strictEqual(status, 1);
      assert.match(stderr, /\nmoonwire: the server disconnected this client\n$/);
    });
  });

  describe(`moonwire listen ${way}, when the broker goes`, () => {
    it("comes back, or ends with --no-reconnect", async () => {
      const first = await Broker.start({ scripts: SCRIPTS });
      const { port, url } = first;
      const patient = start(["listen", way, url, "/"]);
      const impatient = start(["listen", way, url, "/", "--no-reconnect"]);
      await patient.noted(/connected/);
      await impatient.noted(/connected/);
      await first.stop();
      const { status, stderr } = await within(impatient.exited, "its end");
      assert.strictEqual(status, 1);
      assert.match(stderr, /\nmoonwire: connection lost: [^\n]+\n$/);
      await patient.noted(/connection lost: [^\n]+; trying again in 1 s\n/);
      const second = await Broker.start({ scripts: SCRIPTS, port });
      await patient.noted(/connected[^]*connected/);
      await run("emit", way, url, "/", "tell", '"back"');
      assert.deepStrictEqual(await patient.lines(1), ["back []"]);
      patient.child.kill("SIGTERM");
      assert.strictEqual((await within(patient.exited, "its end")).status, 0);
      await second.stop();
    });
  });

  describe(`moonwire emit and listen ${way} over TLS`, () => {
    it("believe the system's authorities, or anybody with --insecure", async () => {
      const authority = new Authority();
      const files = authority.issue("server", "/CN=localhost", "DNS:localhost,IP:127.0.0.1");
      const broker = await Broker.start({
        scripts: SCRIPTS,
        settings: {
          "server.tls.port": 0, "server.tls.certificate": files.certificate, "server.tls.key": files.key,
        },
      });
      const [, port] = await broker.listening(/https:\/\/\S+:(\d+)/);
      const url = `https://localhost:${port}`;
      assert.match(await refusal("emit", way, url, "/", "echo"), /certificate/);
      assert.strictEqual((await acknowledged(way, url, "/", "handshake", "--insecure"))[0].secure, true);
      const env = { SSL_CERT_FILE: authority.file };
      for (const good of [url, `wss://127.0.0.1:${port}`]) {
        const { status, stdout } = await run("emit", way, good, "/", "echo", "1", "--ack", { env });
        assert.deepStrictEqual([status, stdout], [0, "[1]\n"]);
      }
      const other = authority.issue("other", "/CN=other", "DNS:other.example");
      fs.copyFileSync(other.certificate, files.certificate);
      fs.copyFileSync(other.key, files.key);
      broker.signal("SIGHUP");
      await until(async () => {
        const { stderr } = await run("emit", way, url, "/", "echo", { env });
        return /certificate/.test(stderr);
      }, "the name to be checked");
      await broker.stop();
      authority.discard();
    });
  });

  describe(`moonwire emit and listen ${way} with the Node server`, () => {
    let io;
    let url;
    before(async () => {
      io = new Server(0, { pingInterval: 100, pingTimeout: 2000 });
      io.on("connection", (socket) => {
        socket.join("all");
        socket.on("echo", (...args) => args.pop()(...args));
        socket.on("tell", (name, ...args) => io.to("all").emit(name, ...args));
        socket.on("kick", () => socket.disconnect(true));
      });
      io.of("/private").use((socket, next) => {
        const refused = new Error("not you");
        refused.data = { auth: socket.handshake.auth };
        next(refused);
      });
      url = `http://127.0.0.1:${io.httpServer.address().port}`;
    });
    after(() => io.close());

    it("speak its protocol", async () => {
      const values = [1, { _bytes: "AAEC/w==" }, { a: [{ _bytes: "" }] }];
      assert.deepStrictEqual(
        await acknowledged(way, url, "/", "echo", ...values.map((value) => JSON.stringify(value))), values);
      assert.strictEqual(
        await refusal("emit", way, url, "/private", "x", "--auth", '{"token":1}'),
        '/private refused the connection: not you {"auth":{"token":1}}');
      assert.strictEqual(await refusal("emit", way, url, "/none", "x"), "/none refused the connection: Invalid namespace");
      assert.match(await refusal("emit", way, url, "/", "kick", "--ack"), /disconnected|lost/);
    });

    it("stay through its heartbeat", async () => {
      const listener = start(["listen", way, url, "/", "--count", "2"]);
      await listener.noted(/connected/);
      const [socket] = await io.fetchSockets();
      let pongs = 0;
      for (const each of io.sockets.sockets.values()) each.conn.on("heartbeat", () => (pongs += 1));
      await until(() => pongs >= 3, "three heartbeats");
      assert.ok(socket);
      io.emit("first", Buffer.from([1, 2, 3]), "x");
      await run("emit", way, url, "/", "tell", '"second"');
      const { status, stdout } = await within(listener.exited, "its end");
      assert.deepStrictEqual([status, stdout], [0, 'first [{"_bytes":"AQID"},"x"]\nsecond []\n']);
    });
  });
}

describe("moonwire emit's arguments", () => {
  it("are told apart when they are wrong", async () => {
    const url = "http://127.0.0.1:1";
    const wrong = [
      [[url, "/", "x", "1", '{"a":}'], /^argument 2 \(\{"a":\}\): not JSON at column 6: Invalid value$/],
      [[url, "/", "x", "hello"], /^argument 1 \(hello\): not JSON at column 1: /],
      [[url, "/", "x", "1 2"], /^argument 1 \(1 2\): not JSON at column 3: /],
      [[url, "/", "x", '{"_bytes":"*"}'], /_bytes is not base64$/],
      [[url, "/", "x", "[".repeat(2000)], /nested deeper than 1000$/],
      [[url, "/", "connect"], /^"connect" is an event that Socket\.IO keeps for itself$/],
      [[url, "private", "x"], /^"private": a namespace begins with \//],
      [[url, "/", "x", "--auth", "[1]"], /^--auth: expected a JSON object$/],
      [[url, "/", "x", "--auth", "{"], /^--auth: not JSON at column 2: /],
      [[url, "/", "x", "--auth", "@/no/such/file"], /^--auth: \/no\/such\/file: cannot be read$/],
      [[url, "/", "x", "--header", "nonsense"], /^--header takes NAME:VALUE, got "nonsense"$/],
      [[url, "/", "x", "--query", "nonsense"], /^--query takes NAME=VALUE, got "nonsense"$/],
      [["localhost:3000", "/", "x"], /^bad URL "localhost:3000": it must begin with http:\/\//],
      [["http://localhost/chat", "/", "x"], /no path, please/],
      [["http://localhost:99999", "/", "x"], /its port is no number from 1 to 65535$/],
      [["http://:80", "/", "x"], /it has no host$/],
    ];
    for (const [args, pattern] of wrong) assert.match(await refusal("emit", ...args), pattern);
    const { status, stderr } = await run("emit", url, "/", "x", "-", { input: '[1,\n 2,\n  x]' });
    assert.deepStrictEqual(
      [status, stderr], [1, "moonwire: standard input: not JSON at line 3, column 3: Invalid value\n"]);
  });

  it("may be large, and may be refused by the server for it", async () => {
    const broker = await Broker.start({ scripts: SCRIPTS });
    const file = path.join(os.tmpdir(), `moonwire-cli-${process.pid}.json`);
    fs.writeFileSync(file, JSON.stringify("x".repeat(900_000)));
    const input = fs.readFileSync(file, "utf8");
    fs.rmSync(file);
    const { status, stdout } = await run("emit", broker.url, "/", "echo", "-", "--ack", { input });
    assert.deepStrictEqual([status, stdout.length], [0, 900_000 + 5]);
    const huge = await run("emit", broker.url, "/", "echo", "-", "--ack", { input: JSON.stringify("x".repeat(1_100_000)) });
    assert.strictEqual(huge.status, 1);
    assert.match(huge.stderr, /^moonwire: connection lost: /);
    await broker.stop();
  });
});
