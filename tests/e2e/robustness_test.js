"use strict";
// Whatever a peer sends, it harms nobody but itself: a witness keeps getting its echoes.

const assert = require("node:assert");
const crypto = require("node:crypto");
const { describe, it, before, after, afterEach } = require("node:test");
const { Broker, SANITIZED } = require("./lib/broker");
const { request, Polling, Ws, Tcp, PATH } = require("./lib/engine");
const { until, within } = require("./lib/wait");

/// Pseudo-random numbers from a seed, so that a failure repeats.
function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const bytes = (next, length) => Buffer.from(Array.from({ length }, () => next(256)));

/// A client of "/" that proves that the broker serves on.
class Witness {
  static async open(broker) {
    const witness = new Witness();
    witness.ws = await Ws.client(broker);
    await witness.ws.next();
    witness.count = 0;
    return witness;
  }

  async check() {
    const text = `witness ${++this.count}`;
    this.ws.send(`42["message","${text}"]`);
    assert.strictEqual(await this.ws.next(), `42["message-back","${text}"]`);
  }
}

describe("garbage", () => {
  let broker, witness;
  before(async () => {
    broker = await Broker.start({
      settings: { "server.header_timeout_ms": 500, "server.body_timeout_ms": 500 },
    });
    witness = await Witness.open(broker);
  });
  after(() => broker.stop());
  afterEach(() => witness.check());

  it("at the port: random bytes", async () => {
    const next = random(1);
    for (let round = 0; round < 20; round++) {
      const peers = await Promise.all(Array.from({ length: 10 }, () => Tcp.open(broker)));
      for (const peer of peers) peer.send(bytes(next, 1 + next(3000)));
      await Promise.all(peers.map((peer) => peer.end()));
    }
  });

  const head = `${PATH}&transport=polling HTTP/1.1\r\nHost: x\r\n`;
  for (const [what, text] of [
    ["no HTTP at all", "hello\r\n\r\n"], ["HTTP/0.9", "GET /\r\n\r\n"],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["a method with control characters", `G\x01T ${head}\r\n`],
    ["a header without a name", `GET ${head}: x\r\n\r\n`],
    ["a header with a NUL", `GET ${head}X: a\x00b\r\n\r\n`],
    ["a negative length", `POST ${head}Content-Length: -1\r\n\r\n`],
    ["a length beyond all bounds", `POST ${head}Content-Length: 99999999999999999999999\r\n\r\n`],
    ["two lengths", `POST ${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`],
    ["a length and chunks", `POST ${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["a chunk of no size", `POST ${head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
    ["a chunk of too great a size", `POST ${head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n`],
    ["a header that is too long", `GET ${head}X: ${"x".repeat(100000)}\r\n\r\n`],
    ["too many headers", `GET ${head}${"X: y\r\n".repeat(20000)}\r\n`],
    ["an address that is too long", `GET /${"x".repeat(100000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ]) {
    it(`in HTTP: ${what}`, async () => {
      const peer = await Tcp.open(broker);
      peer.send(Buffer.from(text, "latin1"));
      await until(() => peer.data || peer.socket.destroyed, "a refusal or the end");
      if (peer.data) assert.match(peer.data, /^HTTP\/1\.\d (4\d\d|505) /);
      peer.socket.destroy();
    });
  }

  const upgrade = (extra) =>
    `GET ${PATH}&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${extra}\r\n\r\n`;
  for (const [what, text] of [
    ["without a key", upgrade("Sec-WebSocket-Version: 13")],
    ["with a short key", upgrade("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc")],
    ["of another version", upgrade("Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")],
    ["of another protocol", `GET ${PATH}&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: smoke\r\n\r\n`],
  ]) {
    it(`in an upgrade ${what}`, async () => {
      const peer = await Tcp.open(broker);
      peer.send(text);
      await until(() => peer.data.includes("\r\n\r\n"), "an answer");
      assert.match(peer.data, /^HTTP\/1\.1 4\d\d /);
      peer.socket.destroy();
    });
  }

  const frame = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
  const MASK = [1, 2, 3, 4];
  for (const [what, ...frames] of [
    ["a frame that is not masked", frame([0x81, 0x01], "4")],
    ["reserved bits", frame([0xf1, 0x81], MASK, "4")],
    ["an unknown opcode", frame([0x83, 0x81], MASK, "4")],
    ["a continuation of nothing", frame([0x80, 0x81], MASK, "4")],
    ["a new message within a message", frame([0x01, 0x81], MASK, "4"), frame([0x01, 0x81], MASK, "4")],
    ["a fragmented ping", frame([0x09, 0x80], MASK)],
    ["a ping that is too long", frame([0x89, 0xfe, 0x00, 0xff], MASK, "x".repeat(255))],
    ["a length of 2^63", frame([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], MASK)],
    ["a length of 2^62", frame([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0], MASK)],
    ["a close with half a code", frame([0x88, 0x81], MASK, "x")],
    ["a close with a code of nobody", frame([0x88, 0x82], [0, 0, 0, 0], [0x00, 0x01])],
    ["text that is not UTF-8", frame([0x81, 0x82], [0, 0, 0, 0], [0xc3, 0x28])],
  ]) {
    it(`in WebSocket frames: ${what}`, async () => {
      const peer = await Tcp.open(broker);
      peer.send(upgrade("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="));
      await until(() => peer.data.includes("\r\n\r\n"), "the handshake");
      assert.match(peer.data, /^HTTP\/1\.1 101 /);
      for (const each of frames) peer.send(each);
      await peer.end();
    });
  }

  it("in WebSocket frames: random ones", async () => {
    const next = random(2);
    for (let round = 0; round < 100; round++) {
      const peer = await Tcp.open(broker);
      peer.send(upgrade("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="));
      await until(() => peer.data.includes("\r\n\r\n"), "the handshake");
      peer.send(bytes(next, 1 + next(500)));
      peer.socket.end();
      await peer.end();
    }
  });

  it("in Engine.IO packets, over both transports", async () => {
    const next = random(3);
    for (let round = 0; round < 100; round++) {
      const ws = await Ws.session(broker);
      const text = bytes(next, next(50)).toString("latin1");
      ws.send(next(2) ? text : `${next(8)}${text}`, bytes(next, next(50)));
      await ws.terminate();
      const session = await Polling.open(broker);
      await session.post(bytes(next, next(200))).catch(() => {});
      await session.post("1").catch(() => {});
    }
  });

  it("in Socket.IO packets: mutations of good ones", async () => {
    const next = random(4);
    const good = [
      '42["message",1,{"a":[1,2,{"b":null}]}]', '421["message-with-ack","ü"]', "40/custom,{}",
      '451-["message",{"_placeholder":true,"num":0}]', '461-1[{"_placeholder":true,"num":0}]',
      "41/custom,", '44{"message":"x"}', '43/custom,12["x"]', '42/tenant/a,3["who"]',
    ];
    for (let round = 0; round < 300; round++) {
      const ws = await Ws.client(broker);
      const packet = Buffer.from(good[next(good.length)]);
      for (let i = next(4); i >= 0; i--) packet[1 + next(packet.length - 1)] = 0x20 + next(0x5f);
      ws.send(packet.toString("latin1"), bytes(next, next(20)));
      await ws.terminate();
    }
  });

  it("in JSON: deep, wide and broken", async () => {
    for (const text of [
      "[".repeat(400000), `${"[".repeat(400000)}${"]".repeat(400000)}`, '{"a":'.repeat(150000),
      `[${"0,".repeat(400000)}0]`, `"${"\\u0000".repeat(150000)}"`, '"\\ud800"', "1e999999", "-", "nul",
      `{${Array.from({ length: 50000 }, (_, i) => `"${i}":0`)}}`, '{"__proto__":{"a":1}}',
    ]) {
      const ws = await Ws.client(broker);
      ws.send(`42["message",${text}]`);
      ws.send('42["message","after"]');
      // Either it is an event, or it ends the connection: never silence.
      await Promise.race([ws.end(), until(() => ws.inbox.some((m) => m.includes("after")), "an echo")]);
      ws.socket.terminate();
    }
  });

  it("in identifiers: names that mean something elsewhere", async () => {
    const ws = await Ws.client(broker);
    for (const name of ["__index", "__gc", "_G", "nil", "toString", "constructor", "", " ", "\u0000", "ü".repeat(1000)]) {
      ws.send(`42["message-with-ack",${JSON.stringify({ [name]: name })}]`, `42[${JSON.stringify(name)},1]`);
    }
    await ws.terminate();
  });

  it("in great numbers: connections that say nothing, and half a request", async () => {
    const peers = await Promise.all(Array.from({ length: 300 }, () => Tcp.open(broker)));
    for (const peer of peers.slice(0, 100)) peer.send("GET /socket.io/?EIO=4 HT");
    for (const peer of peers.slice(100, 200)) peer.send(`POST ${head}Content-Length: 50\r\n\r\n4`);
    await witness.check();
    await Promise.all(peers.map((peer) => peer.end())); // the broker's own time limits
  });
});

describe("a runaway script", () => {
  it("is stopped at its memory limit, and its neighbours never notice", async () => {
    const broker = await Broker.start({
      settings: { "limits.namespace_memory_mb": 16 },
      scripts: {
        "hog.lua": `local ns = namespace "/hog"
ns:on("eat", function() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end end)
ns:on("alive", function() return true end)
`,
        "main.lua": 'local ns = namespace "/"\nns:on("message", function(s, ...) s:emit("message-back", ...) end)\nns:on_connect(function(s) s:emit("auth") end)\n',
      },
    });
    const witness = await Witness.open(broker);
    const hog = await Ws.client(broker, "/hog,");
    hog.send('42/hog,1["eat"]');
    assert.strictEqual(JSON.parse((await hog.next()).slice("43/hog,1".length))[0].error.code, "internal");
    await broker.logged(/ error .*memory.* event=eat/);
    hog.send('42/hog,2["alive"]');
    assert.strictEqual(await hog.next(), "43/hog,2[true]");
    await witness.check();
    await broker.stop({ expected: /memory/ });
  });
});

describe("a slow peer", () => {
  it("may send a byte at a time, over HTTP and WebSocket", async () => {
    const broker = await Broker.start();
    const peer = await Tcp.open(broker);
    peer.socket.setNoDelay();
    for (const byte of `GET ${PATH}&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n`) {
      peer.send(byte);
      await new Promise(setImmediate);
    }
    await until(() => /"sid"/.test(peer.data), "the handshake");
    const sid = /"sid":"([^"]+)"/.exec(peer.data)[1];
    const key = crypto.randomBytes(16).toString("base64");
    const ws = await Tcp.open(broker);
    ws.socket.setNoDelay();
    const frame = (text) =>
      Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
    const stream = Buffer.concat([
      Buffer.from(`GET ${PATH}&transport=websocket&sid=${sid} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
                  `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`),
      frame("2probe"), frame("5"), frame("40"), frame('42["message","slow"]'),
    ]);
    for (const byte of stream) {
      ws.send(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    await until(() => ws.data.includes('42["message-back","slow"]'), "the echo");
    ws.socket.destroy();
    peer.socket.destroy();
    await broker.stop();
  });

  it("that does not finish its headers or its body is cut, whatever trickles in", async () => {
    const broker = await Broker.start({
      settings: { "server.header_timeout_ms": 200, "server.body_timeout_ms": 200 },
    });
    const head = await Tcp.open(broker);
    const body = await Tcp.open(broker);
    const trickle = setInterval(() => {
      head.send("GET / HTTP/1.1\r\nX: ".charAt(head.sent++) || "x");
      body.send("x");
    }, 20);
    head.sent = 0;
    body.send(`POST ${PATH}&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n`);
    await Promise.all([head.end(), body.end()]);
    clearInterval(trickle);
    await broker.stop();
  });

  it("that stays silent between requests is let go", async () => {
    const broker = await Broker.start({ settings: { "server.idle_timeout_ms": 200 } });
    const peer = await Tcp.open(broker);
    peer.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await until(() => peer.data.includes("ok"), "the answer");
    await peer.end();
    await broker.stop();
  });

  for (const transport of ["websocket", "polling"]) {
    it(`that does not read is cut over ${transport}, and nobody waits for it`, async () => {
      const broker = await Broker.start({
        settings: { "limits.send_queue_bytes": 200000, "engine.ping_timeout_ms": 600000 },
      });
      const witness = await Witness.open(broker);
      witness.ws.send('421["watch"]');
      await witness.ws.next();
      if (transport === "websocket") {
        const deaf = await Ws.client(broker, "/custom,");
        deaf.socket._socket.pause();
      } else {
        await (await Polling.open(broker)).join("/custom,");
      }
      const speaker = await Ws.client(broker, "/custom,");
      await speaker.next();
      const text = "x".repeat(20000);
      await until(async () => {
        speaker.send(`42/custom,["all","${text}"]`);
        await speaker.next();
        const { namespaces } = await broker.stats();
        return namespaces.find((nsp) => nsp.name === "/custom").sockets === 1;
      }, "the end of the deaf");
      await witness.check();
      await broker.logged(/ warn .*slow consumer/i);
      await broker.stop();
    });
  }
});

describe("a crowd over the limit", () => {
  it("is refused at the door, and those inside stay", async () => {
    const broker = await Broker.start({ settings: { "limits.connections": 20 } });
    const witness = await Witness.open(broker);
    const guests = await Promise.all(
      Array.from({ length: 40 }, () => Ws.client(broker).catch(() => null)));
    const inside = guests.filter(Boolean);
    assert.ok(inside.length >= 10 && inside.length < 20, `${inside.length} inside`);
    await witness.check();
    await Promise.all(inside.map((ws) => ws.close()));
    await until(() => Ws.client(broker), "room again");
    await broker.stop();
  });
});

describe("many threads", () => {
  it("serve namespaces on several reactors, whichever a connection lives on", async () => {
    const broker = await Broker.start({ settings: { "server.threads": 4 } });
    const count = SANITIZED ? 20 : 60;
    const clients = await Promise.all(Array.from({ length: count }, async (_, i) => {
      const ws = await Ws.client(broker, i % 2 ? "/custom," : "");
      await ws.next();
      return { ws, nsp: i % 2 ? "/custom," : "" };
    }));
    await Promise.all(clients.map(async ({ ws, nsp }, i) => {
      for (let n = 0; n < 20; n++) {
        ws.send(`42${nsp}${n}["message-with-ack",${i}]`);
        assert.strictEqual(await ws.next(), `43${nsp}${n}[${i}]`);
      }
    }));
    const session = await Polling.open(broker);
    await session.join("/custom,");
    await session.next();
    clients[1].ws.send('42/custom,["others","across"]');
    assert.strictEqual(await session.next(), '42/custom,["said","across"]');
    await within(Promise.all(clients.map(({ ws }) => ws.close())), "the end");
    await broker.stop();
  });

  it("do not lose a polling session whose requests arrive on any of them", async () => {
    const broker = await Broker.start({ settings: { "server.threads": 4 } });
    const session = await Polling.open(broker);
    for (let i = 0; i < 40; i++) {
      assert.strictEqual((await request(broker.url, session.path, { method: "POST", body: "6" })).body, "ok");
    }
    await session.post("1");
    await broker.stop();
  });
});
