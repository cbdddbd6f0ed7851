"use strict";
// TLS and Unix-domain listeners, with the official client and with peers that misbehave.

const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { Duplex } = require("node:stream");
const tls = require("node:tls");
const { describe, it, before, after, afterEach } = require("node:test");
const { Broker, moonwire, scriptsFolder } = require("./lib/broker");
const { Authority } = require("./lib/certificates");
const { Clients, MODES } = require("./lib/clients");
const { Ws, PATH } = require("./lib/engine");
const { event, until, within } = require("./lib/wait");

const SCRIPT = `local ns = namespace "/"
ns:on("echo", function(_, value) return value end)
ns:on("who", function(socket)
  local handshake = socket.handshake
  return { secure = handshake.secure, address = handshake.address,
           certificate = handshake.client_certificate }
end)
`;
const LOCAL = "DNS:localhost,IP:127.0.0.1";

describe("TLS", () => {
  let authority;
  let files;
  let broker;
  const clients = new Clients();

  /// A broker with a TLS port beside the plain one; `url` and `port` are TLS's.
  async function start({ settings = {}, toml } = {}) {
    const started = await Broker.start({
      scripts: { "main.lua": SCRIPT }, toml,
      settings: {
        "server.tls.port": 0, "server.tls.certificate": files.certificate,
        "server.tls.key": files.key, ...settings,
      },
    });
    const [url, port] = await started.listening(/https:\/\/127\.0\.0\.1:(\d+)/);
    started.plainUrl = started.url;
    started.url = url;
    started.port = Number(port);
    return started;
  }

  const trust = () => ({ ca: authority.certificate });

  /// The end of a TLS handshake: the socket.
  async function handshake(options) {
    const socket = tls.connect({
      port: broker.port, host: "127.0.0.1", ca: authority.certificate, servername: "localhost",
      ...options,
    });
    socket.unref();
    socket.once("session", (session) => (socket.ticket = session));
    await within(new Promise((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    }), "the handshake");
    return socket;
  }

  /// GET /healthz over an open TLS socket: the status line and more.
  async function health(socket) {
    let text = "";
    socket.setEncoding("latin1").on("data", (data) => (text += data));
    socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await until(() => text.endsWith("\r\n\r\nok\n"), "an answer");
    socket.destroy();
    return text;
  }

  before(async () => {
    authority = new Authority();
    files = authority.issue("server", "/CN=first", LOCAL);
    broker = await start();
  });
  afterEach(() => clients.closeAll());
  after(async () => {
    await broker.stop();
    authority.discard();
  });

  for (const [mode, transports] of Object.entries(MODES)) {
    it(`carries the official client over ${mode}`, async () => {
      const socket = await clients.open(broker, "/", { ...transports, ...trust() });
      assert.deepStrictEqual(await socket.emitWithAck("who"),
        { secure: true, address: "127.0.0.1" });
      const large = Buffer.alloc(700_000, "moonwire");
      assert.ok(large.equals(await socket.timeout(20000).emitWithAck("echo", large)));
      assert.strictEqual(await socket.emitWithAck("echo", "ü€😀"), "ü€😀");
    });
  }

  it("serves plain clients beside", async () => {
    const socket = await clients.open({ url: broker.plainUrl });
    assert.deepStrictEqual(await socket.emitWithAck("who"), { secure: false, address: "127.0.0.1" });
  });

  it("is refused by a client that does not know the authority, and taken by one that does not ask",
    async () => {
      const socket = clients.make(broker, "/", { reconnection: false });
      await event(socket, "connect_error");
      await clients.open(broker, "/", { rejectUnauthorized: false });
    });

  it("speaks HTTP/1.1 over TLS 1.2 and 1.3, and refuses TLS 1.1", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"]) {
      const socket = await handshake({
        minVersion: version, maxVersion: version, ALPNProtocols: ["h2", "http/1.1"],
      });
      assert.deepStrictEqual([socket.getProtocol(), socket.alpnProtocol], [version, "http/1.1"]);
      assert.match(await health(socket), /^HTTP\/1\.1 200 /);
    }
    await assert.rejects(handshake({
      minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0",
    }));
  });

  it("resumes sessions", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"]) {
      const how = { minVersion: version, maxVersion: version };
      const first = await handshake(how);
      const session = await until(() => first.ticket, "a ticket");
      await health(first);
      const again = await handshake({ ...how, session });
      assert.strictEqual(again.isSessionReused(), true);
      assert.match(await health(again), /^HTTP\/1\.1 200 /);
    }
  });

  it("does not care how finely a handshake is cut", async () => {
    const plain = net.connect(broker.port, "127.0.0.1").setNoDelay();
    plain.unref();
    await event(plain, "connect");
    const dribble = new Duplex({
      read() {},
      write(chunk, _, done) {
        const next = (i) => {
          if (i === chunk.length) return done();
          plain.write(chunk.subarray(i, i + 1), () => setImmediate(next, i + 1));
        };
        next(0);
      },
      final(done) { plain.end(done); },
    });
    plain.on("data", (data) => dribble.push(data)).on("end", () => dribble.push(null));
    const socket = await handshake({ socket: dribble });
    assert.match(await health(socket), /^HTTP\/1\.1 200 /);
  });

  it("lets nobody else feel plain HTTP, garbage and broken handshakes", async () => {
    const socket = await clients.open(broker, "/", trust());
    for (const bytes of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\xff".repeat(100_000), "\x16\x03\x01"]) {
      const peer = net.connect(broker.port, "127.0.0.1");
      peer.on("error", () => {});
      let answer = "";
      peer.setEncoding("latin1").on("data", (text) => (answer += text));
      const closed = event(peer, "close");
      peer.end(bytes, "latin1");
      await closed;
      assert.doesNotMatch(answer, /HTTP/);
    }
    const half = net.connect(broker.port, "127.0.0.1");
    half.on("error", () => {});
    await event(half, "connect");
    half.write("\x16\x03\x01\x02\x00\x01", "latin1");
    half.resetAndDestroy();
    assert.strictEqual(await socket.emitWithAck("echo", 1), 1);
    assert.strictEqual(socket.connected, true);
  });

  it("shows each name its own certificate", async () => {
    const other = authority.issue("other", "/CN=other", "DNS:other.test,DNS:*.wild.test");
    const first = broker;
    broker = await start({
      toml: `[[server.tls.certificates]]\ncertificate = "${other.certificate}"\nkey = "${other.key}"\n`,
    });
    try {
      for (const [servername, expected] of [["localhost", "first"], ["other.test", "other"],
        ["a.wild.test", "other"], ["elsewhere.test", "first"]]) {
        const socket = await handshake({ servername, checkServerIdentity: () => undefined });
        assert.strictEqual(socket.getPeerCertificate().subject.CN, expected, servername);
        socket.destroy();
      }
    } finally {
      await broker.stop();
      broker = first;
    }
  });

  it("names the client's certificate in the handshake, and refuses clients without", async () => {
    const alice = authority.issue("alice", "/O=Example/CN=alice");
    const strict = await start({
      settings: {
        "server.plain": "false", "server.tls.client_ca": authority.file,
        "server.tls.client_certificate": "required",
      },
    });
    try {
      assert.doesNotMatch(strict.stdout, /http:/);
      const certificate = {
        cert: fs.readFileSync(alice.certificate), key: fs.readFileSync(alice.key), ...trust(),
      };
      for (const transports of Object.values(MODES)) {
        const socket = await clients.open(strict, "/", { ...transports, ...certificate });
        assert.deepStrictEqual(await socket.emitWithAck("who"),
          { secure: true, address: "127.0.0.1", certificate: "CN=alice,O=Example" });
      }
      const nobody = clients.make(strict, "/", { reconnection: false, ...trust() });
      await event(nobody, "connect_error");
      clients.closeAll();
    } finally {
      await strict.stop();
    }
  });

  it("takes renewed certificates at HUP without dropping anyone, and keeps them if the next are bad",
    async () => {
      const mine = authority.issue("renewed", "/CN=before", LOCAL);
      const first = broker;
      broker = await start({
        settings: { "server.tls.certificate": mine.certificate, "server.tls.key": mine.key },
      });
      try {
        const name = async () => {
          const socket = await handshake();
          const { CN } = socket.getPeerCertificate().subject;
          socket.destroy();
          return CN;
        };
        const sockets = await Promise.all(
          Object.values(MODES).map((mode) => clients.open(broker, "/", { ...mode, ...trust() })));
        const ids = sockets.map((socket) => socket.id);
        assert.strictEqual(await name(), "before");
        authority.issue("renewed", "/CN=after", LOCAL);
        broker.signal("SIGHUP");
        await until(async () => (await name()) === "after", "the new certificate");
        fs.writeFileSync(mine.certificate, "garbage");
        broker.signal("SIGHUP");
        await broker.logged(/error .*certificates not renewed.*renewed\.pem/);
        assert.strictEqual(await name(), "after");
        for (const [i, socket] of sockets.entries()) {
          assert.strictEqual(await socket.emitWithAck("echo", i), i);
          assert.strictEqual(socket.id, ids[i]);
        }
        clients.closeAll();
      } finally {
        await broker.stop({ expected: /certificates not renewed/ });
        broker = first;
      }
    });

  it("is configured from the file, by paths that start where it lies", async () => {
    const folder = scriptsFolder({
      "main.lua": SCRIPT,
      "moonwire.toml": `[server.tls]\nport = 0\ncertificate = "tls/server.pem"\nkey = "tls/server.key"\n`,
    });
    try {
      fs.cpSync(authority.folder, path.join(folder, "tls"), { recursive: true });
      assert.strictEqual(moonwire(["check", folder]).status, 0);
      fs.writeFileSync(path.join(folder, "tls/server.key"),
        fs.readFileSync(path.join(folder, "tls/ca.key")));
      const mismatch = moonwire(["check", folder]);
      assert.strictEqual(mismatch.status, 1);
      assert.match(mismatch.stdout, /tls\/server\.key: not the key of the certificate .*server\.pem/);
      fs.rmSync(path.join(folder, "tls/server.key"));
      for (const command of ["check", "run"]) {
        const missing = moonwire([command, folder, "--set", "server.port=0"]);
        assert.strictEqual(missing.status, 1);
        assert.match(missing.stdout + missing.stderr, /tls\/server\.key: No such file or directory/);
      }
      const elsewhere = moonwire(["check", folder], {
        env: { MOONWIRE_SERVER_TLS_CERTIFICATE: files.certificate, MOONWIRE_SERVER_TLS_KEY: files.key },
      });
      assert.strictEqual(elsewhere.status, 0);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("a Unix-domain socket", () => {
  it("carries real clients, and its file goes with the broker", async () => {
    const clients = new Clients();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-unix-"));
    const socketPath = path.join(folder, "run.sock");
    const broker = await Broker.start({
      scripts: { "main.lua": SCRIPT }, settings: { "server.unix": socketPath },
    });
    try {
      await broker.listening(/unix:.*run\.sock/);
      const agent = new http.Agent({ socketPath });
      const response = await within(new Promise((resolve, reject) => {
        http.get({ socketPath, path: "/healthz" }, resolve).on("error", reject);
      }), "an answer");
      assert.strictEqual(response.statusCode, 200);
      response.resume();
      for (const mode of Object.values(MODES)) {
        const socket = await clients.open(broker, "/", { ...mode, agent });
        assert.deepStrictEqual(await socket.emitWithAck("who"), { secure: false, address: "unix:" });
      }
      const ws = await Ws.client({ wsUrl: `ws+unix:${socketPath}:` }, "", "", { path: PATH });
      assert.match(ws.joined, /^40/);
      await ws.close();
      clients.closeAll();
      assert.ok(fs.statSync(socketPath).isSocket());

      const second = moonwire(
        ["run", broker.folder, "--port", "0", "--set", `server.unix=${socketPath}`]);
      assert.strictEqual(second.status, 1);
      assert.match(second.stderr, /run\.sock: another process listens there/);
    } finally {
      await broker.stop();
      assert.deepStrictEqual(fs.readdirSync(folder), []);
      fs.rmSync(folder, { recursive: true });
    }
  });
});
