"use strict";
// Engine.IO v4 on the wire, as the reference server speaks it.

const assert = require("node:assert");
const http = require("node:http");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { request, refusedUpgrade, Polling, Ws, Tcp, PATH, SEPARATOR } = require("./lib/engine");
const { until, event, within } = require("./lib/wait");

const ERRORS = {
  0: "Transport unknown", 1: "Session ID unknown", 2: "Bad handshake method", 3: "Bad request",
  5: "Unsupported protocol version",
};

function assertError(response, code) {
  assert.deepStrictEqual(
    [response.status, JSON.parse(response.body)], [400, { code, message: ERRORS[code] }]);
  assert.match(response.headers["content-type"], /^application\/json/);
}

/// Sees who leaves the namespace / and why.
async function watcher(broker) {
  const ws = await Ws.client(broker);
  await ws.next(); // auth
  ws.send('421["watch"]');
  assert.strictEqual(await ws.next(), "431[true]");
  return ws;
}

async function gone(session) {
  await until(async () => (await session.get()).status === 400, "end of the session");
}

describe("Engine.IO", () => {
  let broker;
  before(async () => { broker = await Broker.start(); });
  after(() => broker.stop());

  describe("handshake", () => {
    it("answers a GET with the session's parameters", async () => {
      const response = await request(broker.url, `${PATH}&transport=polling`);
      assert.strictEqual(response.status, 200);
      assert.strictEqual(response.headers["content-type"], "text/plain; charset=UTF-8");
      assert.strictEqual(response.headers["cache-control"], "no-store");
      assert.strictEqual(response.body[0], "0");
      const { sid, ...rest } = JSON.parse(response.body.slice(1));
      assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
      assert.deepStrictEqual(rest, {
        upgrades: ["websocket"], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000,
      });
    });

    it("opens over WebSocket with nothing left to upgrade to", async () => {
      const ws = await Ws.session(broker);
      assert.match(ws.handshake.sid, /^[A-Za-z0-9_-]{20}$/);
      assert.deepStrictEqual(ws.handshake.upgrades, []);
      await ws.close();
    });

    it("gives every session an id of its own", async () => {
      const sessions = await Promise.all(Array.from({ length: 50 }, () => Polling.open(broker)));
      assert.strictEqual(new Set(sessions.map((session) => session.sid)).size, 50);
      await Promise.all(sessions.map((session) => session.post("1")));
    });

    it("takes parameters in any order and ignores those it does not know", async () => {
      const response = await request(broker.url, "/socket.io/?t=abc&transport=polling&x=%20&EIO=4");
      assert.strictEqual(response.status, 200);
    });

    it("answers paths of nobody with 404", async () => {
      for (const path of ["/", "/socket.iox/?EIO=4&transport=polling", "/engine.io/?EIO=4"]) {
        assert.strictEqual((await request(broker.url, path)).status, 404, path);
      }
    });

    it("serves anything below its path", async () => {
      const response = await request(broker.url, "/socket.io/v1/?EIO=4&transport=polling");
      assert.strictEqual(response.status, 200);
    });
  });

  describe("errors", () => {
    it("0: refuses an unknown transport", async () => {
      for (const transport of ["", "&transport=abc", "&transport=webtransport", "&transport="]) {
        assertError(await request(broker.url, PATH + transport), 0);
      }
    });

    it("1: refuses an unknown session", async () => {
      for (const sid of ["abc", "A".repeat(20), "%00", "é", "x".repeat(5000)]) {
        const path = `${PATH}&transport=polling&sid=${encodeURIComponent(sid)}`;
        assertError(await request(broker.url, path), 1);
        assertError(await request(broker.url, path, { method: "POST", body: "4x" }), 1);
      }
    });

    it("2: refuses a handshake that is no GET", async () => {
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
        assertError(await request(broker.url, `${PATH}&transport=polling`, { method }), 2);
      }
    });

    it("3: refuses a WebSocket handshake without an upgrade", async () => {
      assertError(await request(broker.url, `${PATH}&transport=websocket`), 3);
    });

    it("3: refuses a request over another transport than the session's", async () => {
      const session = await Polling.open(broker);
      const path = `${PATH}&transport=websocket&sid=${session.sid}`;
      assertError(await request(broker.url, path), 3);
      await session.post("1");
    });

    it("3: refuses an Origin with characters that no header may have", async () => {
      const tcp = await Tcp.open(broker);
      tcp.send(`GET ${PATH}&transport=polling HTTP/1.1\r\nHost: x\r\nOrigin: http://a\x01b\r\n\r\n`);
      await until(() => tcp.data.includes("\r\n\r\n"), "response");
      assert.match(tcp.data, /^HTTP\/1\.1 400 /);
      tcp.socket.destroy();
    });

    it("5: refuses other protocol versions", async () => {
      for (const version of ["", "EIO=3&", "EIO=5&", "EIO=abc&", "EIO=&", "EIO=40&"]) {
        assertError(await request(broker.url, `/socket.io/?${version}transport=polling`), 5);
      }
    });

    it("checks in the reference's order: transport, session, method, version", async () => {
      assertError(await request(broker.url, "/socket.io/?sid=abc", { method: "POST" }), 0);
      const post = { method: "POST" };
      assertError(await request(broker.url, "/socket.io/?transport=polling&sid=abc", post), 1);
      assertError(await request(broker.url, "/socket.io/?transport=polling", post), 2);
    });

    it("refuses an upgrade with the plain message and the end of the connection", async () => {
      for (const [query, code] of [
        ["?EIO=4&transport=abc", 0], ["?EIO=4&transport=websocket&sid=abc", 1],
        ["?EIO=3&transport=websocket", 5], ["?transport=websocket", 5],
      ]) {
        const refused = await refusedUpgrade(broker, `/socket.io/${query}`);
        assert.deepStrictEqual(
          [refused.status, refused.body, refused.headers.connection], [400, ERRORS[code], "close"]);
      }
    });
  });

  describe("polling", () => {
    it("carries packets both ways, joined by the record separator", async () => {
      const session = await Polling.open(broker);
      assert.match(await session.join(), /^40\{"sid":"/);
      assert.strictEqual(await session.next(), '42["auth",{}]');
      const posted = await session.post(
        ['42["message","a"]', '42["message","ü€😀"]', '421["message-with-ack"]'].join(SEPARATOR));
      assert.deepStrictEqual([posted.status, posted.body], [200, "ok"]);
      assert.match(posted.headers["content-type"], /^text\/html/);
      assert.strictEqual(posted.headers["cache-control"], "no-store");
      const packets = [await session.next(), await session.next(), await session.next()];
      assert.deepStrictEqual(
        packets, ['42["message-back","a"]', '42["message-back","ü€😀"]', "431[]"]);
      await session.post("1");
    });

    it("carries binary as base64", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await session.send('451-["message",{"_placeholder":true,"num":0}]', `b${bytes.toString("base64")}`);
      assert.strictEqual(await session.next(), '451-["message-back",{"_placeholder":true,"num":0}]');
      assert.strictEqual(await session.next(), `b${bytes.toString("base64")}`);
      await session.post("1");
    });

    it("answers a waiting GET as soon as there is something", async () => {
      const session = await Polling.open(broker);
      const waiting = session.get();
      await session.send("40");
      assert.match((await waiting).body, /^40\{"sid"/);
      await session.post("1");
    });

    it("takes a session's requests from any connection", async () => {
      const session = await Polling.open(broker);
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const other = await Polling.open(broker);
      for (const each of [session, other, session, other]) {
        assert.strictEqual((await each.post("6", { agent })).body, "ok");
      }
      agent.destroy();
      await Promise.all([session.post("1"), other.post("1")]);
    });

    it("takes a body in chunks that cut characters in two", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const body = Buffer.from('42["message","ü😀"]');
      const posted = await session.post((outgoing) => {
        for (const byte of body) outgoing.write(Buffer.from([byte]));
        outgoing.end();
      });
      assert.strictEqual(posted.body, "ok");
      assert.strictEqual(await session.next(), '42["message-back","ü😀"]');
      await session.post("1");
    });

    it("closes the session at a second GET while one waits", async () => {
      const watch = await watcher(broker);
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const answers = await Promise.all([session.get(), session.get()]);
      assert.deepStrictEqual(
        answers.map(({ status, body }) => `${status} ${body}`).sort(), ["200 1", "400 "]);
      assertError(await session.get(), 1);
      assert.match(await watch.next(), /^42\["left","[^"]+","transport error"\]$/);
      await watch.close();
    });

    it("does not mind a POST that never comes to its end", async () => {
      const session = await Polling.open(broker);
      let slow;
      const first = session.post((outgoing) => {
        slow = outgoing;
        outgoing.setHeader("content-length", 100);
        outgoing.write("4");
      }).catch((error) => error);
      await event(slow, "socket");
      assert.strictEqual((await session.post("6")).body, "ok");
      slow.destroy();
      await first;
      assert.strictEqual((await session.post("6")).body, "ok");
      await session.post("1");
    });

    it("refuses a body over maxPayload with 413, declared or not", async () => {
      const session = await Polling.open(broker);
      const declared = await session.post("4" + "x".repeat(1000000)).catch((error) => error);
      assert.ok(declared.status === 413 || declared.code === "EPIPE" || declared.code === "ECONNRESET");
      const other = await Polling.open(broker);
      const tcp = await Tcp.open(broker);
      tcp.send(`POST ${other.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
      for (let i = 0; i < 11; i++) tcp.send(`186a0\r\n${"x".repeat(100000)}\r\n`);
      await until(() => /^HTTP\/1\.1 413 /.test(tcp.data), "413");
      tcp.socket.destroy();
    });

    it("takes a body of exactly maxPayload", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const text = "x".repeat(1000000 - '42["message",""]'.length);
      await session.send(`42["message","${text}"]`);
      assert.strictEqual(await session.next(), `42["message-back","${text}"]`);
      await session.post("1");
    });

    it("answers other methods with 400", async () => {
      const session = await Polling.open(broker);
      for (const method of ["PUT", "DELETE", "PATCH"]) {
        assert.strictEqual((await session.get({ method })).status, 400);
      }
      await session.post("1");
    });

    for (const [what, payload] of [
      ["an unknown packet type", "abc"], ["an empty payload", ""], ["an empty packet", "4a\x1e\x1e4b"],
      ["a broken base64", "b!!!!"], ["a client's ping", "2"],
      ["a type beyond the known", "7"], ["invalid UTF-8", Buffer.from([0x34, 0xff, 0xfe])],
    ]) {
      it(`closes the session at ${what}`, async () => {
        const session = await Polling.open(broker);
        await session.join();
        await session.post(payload).catch(() => {});
        await gone(session);
      });
    }

    it("names a payload that can't be parsed as the reason", async () => {
      const watch = await watcher(broker);
      const session = await Polling.open(broker);
      await session.join();
      await session.post("abc").catch(() => {});
      assert.match(await watch.next(), /^42\["left","[^"]+","parse error"\]$/);
      await watch.close();
    });

    it("ends with a client's close: the waiting GET gets a noop", async () => {
      const watch = await watcher(broker);
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const waiting = session.get();
      await session.send("1");
      assert.strictEqual((await waiting).body, "6");
      assertError(await session.get(), 1);
      assert.match(await watch.next(), /^42\["left","[^"]+","transport close"\]$/);
      await watch.close();
    });

    it("keeps a close by the server until the next poll", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const watch = await watcher(broker);
      await session.send('42["kick",true]');
      assert.match(await watch.next(), /^42\["left","[^"]+","(forced server close|server namespace disconnect)"\]$/);
      const packets = [];
      while (!packets.includes("1")) packets.push(await session.next());
      assert.ok(packets.every((packet) => ["41", "6", "1"].includes(packet)), packets.join());
      assertError(await session.get(), 1);
      await watch.close();
    });

    it("outlives a client that gives up a waiting GET", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const abandoned = http.get(broker.url + session.path);
      abandoned.on("error", () => {});
      await event(abandoned, "socket");
      await until(async () => (await broker.stats()).connections.polling >= 1, "the session");
      abandoned.destroy();
      await event(abandoned, "close");
      // The reference takes an aborted poll for a lost transport; either way nothing hangs.
      await within(session.post("1").catch(() => {}), "end");
    });
  });

  describe("WebSocket", () => {
    it("carries one packet a frame", async () => {
      const ws = await Ws.client(broker);
      assert.match(ws.joined, /^40\{"sid":"/);
      assert.strictEqual(await ws.next(), '42["auth",{}]');
      ws.send('42["message","ü€😀"]');
      assert.strictEqual(await ws.next(), '42["message-back","ü€😀"]');
      await ws.close();
    });

    it("carries binary as binary frames", async () => {
      const ws = await Ws.client(broker);
      await ws.next();
      ws.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
              Buffer.from([1, 2, 3]), Buffer.alloc(0));
      assert.strictEqual(
        await ws.next(),
        '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
      assert.deepStrictEqual(await ws.next(), Buffer.from([1, 2, 3]));
      assert.deepStrictEqual(await ws.next(), Buffer.alloc(0));
      await ws.close();
    });

    it("puts fragmented messages together", async () => {
      const ws = await Ws.client(broker);
      await ws.next();
      const text = '42["message","fragments"]';
      for (let i = 0; i < text.length; i++) {
        ws.socket.send(text[i], { fin: i === text.length - 1, binary: false });
      }
      assert.strictEqual(await ws.next(), '42["message-back","fragments"]');
      await ws.close();
    });

    it("answers a control ping", async () => {
      const ws = await Ws.session(broker);
      ws.socket.ping("hello");
      assert.deepStrictEqual((await event(ws.socket, "pong"))[0].toString(), "hello");
      await ws.close();
    });

    it("takes a message of maxPayload and closes at a larger one with 1009", async () => {
      const ws = await Ws.client(broker);
      await ws.next();
      const text = "x".repeat(1000000 - '42["message",""]'.length);
      ws.send(`42["message","${text}"]`);
      assert.strictEqual((await ws.next()).length, 1000000 + "-back".length);
      ws.send("4" + "x".repeat(1000000));
      assert.strictEqual((await ws.end()).code, 1009);
    });

    for (const [what, frame] of [
      ["an unknown packet type", "abc"], ["an empty frame", ""], ["a client's ping", "2"],
      ["a type beyond the known", "7"],
    ]) {
      it(`closes the session at ${what}`, async () => {
        const ws = await Ws.session(broker);
        ws.send(frame);
        await ws.end();
      });
    }

    it("closes at a frame of text that is not UTF-8", async () => {
      const ws = await Ws.client(broker);
      ws.socket.send(Buffer.from([0x34, 0x32, 0xff, 0xfe]), { binary: false });
      await ws.end();
    });

    it("ends with a client's close packet, and with a closing handshake", async () => {
      const watch = await watcher(broker);
      const polite = await Ws.client(broker);
      polite.send("1");
      await polite.end();
      assert.match(await watch.next(), /"transport close"\]$/);
      const bare = await Ws.client(broker);
      await bare.close();
      assert.match(await watch.next(), /"transport close"\]$/);
      await watch.close();
    });

    it("notices a connection that breaks", async () => {
      const watch = await watcher(broker);
      const ws = await Ws.client(broker);
      await ws.terminate();
      assert.match(await watch.next(), /"transport (close|error)"\]$/);
      await watch.close();
    });
  });

  describe("upgrade", () => {
    const upgradeTo = (session, options) =>
      Ws.open(broker, { query: `&transport=websocket&sid=${session.sid}`, ...options });

    it("probes, flushes the waiting GET with a noop, and switches", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const waiting = session.get();
      const ws = await upgradeTo(session);
      ws.send("2probe");
      assert.strictEqual(await ws.next(), "3probe");
      assert.strictEqual((await waiting).body, "6");
      ws.send("5", '421["transport"]');
      assert.strictEqual(await ws.next(), '431["websocket"]');
      assertError(await session.get(), 3);
      await ws.close();
    });

    it("answers a GET that comes after the probe at once", async () => {
      const session = await Polling.open(broker);
      const ws = await upgradeTo(session);
      ws.send("2probe");
      assert.strictEqual(await ws.next(), "3probe");
      assert.strictEqual((await session.get()).body, "6");
      await ws.close();
      await session.post("1");
    });

    it("loses nothing and keeps the order across the switch", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const received = [];
      const ws = await upgradeTo(session);
      ws.send("2probe");
      assert.strictEqual(await ws.next(), "3probe");
      await session.send('42["count",50]');
      for (const packet of (await session.get()).body.split(SEPARATOR)) received.push(packet);
      ws.send("5", '42["message","end"]');
      while (received[received.length - 1] !== '42["message-back","end"]') received.push(await ws.next());
      const numbers = received.filter((packet) => packet !== "6").slice(0, -1);
      assert.deepStrictEqual(
        numbers, Array.from({ length: 50 }, (_, i) => `42["number",${i + 1}]`));
      await ws.close();
    });

    it("closes only the new transport when it says anything but the probe", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      for (const packet of ["4hello", "2", "abc", "3probe"]) {
        const ws = await upgradeTo(session);
        ws.send(packet);
        await ws.end();
      }
      await session.send('42["message","alive"]');
      assert.strictEqual(await session.next(), '42["message-back","alive"]');
      await session.post("1");
    });

    it("goes on polling when the new transport goes away after its probe", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.next();
      const ws = await upgradeTo(session);
      ws.send("2probe");
      await ws.next();
      await ws.terminate();
      await session.send('42["message","alive"]');
      await until(async () => (await session.next()) === '42["message-back","alive"]', "echo");
      await session.post("1");
    });

    it("closes a second WebSocket while one upgrades, and after", async () => {
      const session = await Polling.open(broker);
      const ws = await upgradeTo(session);
      ws.send("2probe");
      await ws.next();
      await (await upgradeTo(session)).end();
      ws.send("5", "40");
      assert.match(await ws.next(), /^40/);
      await (await upgradeTo(session)).end();
      await ws.next();
      ws.send('42["message","alive"]');
      assert.strictEqual(await ws.next(), '42["message-back","alive"]');
      await ws.close();
    });

    it("ignores polling with the same session afterwards", async () => {
      const session = await Polling.open(broker);
      const ws = await upgradeTo(session);
      ws.send("2probe", "5", "40");
      assert.strictEqual(await ws.next(), "3probe");
      assert.match(await ws.next(), /^40/);
      assertError(await session.get(), 3);
      assertError(await session.post("4x"), 3);
      ws.send('42["message","alive"]');
      await ws.next();
      assert.strictEqual(await ws.next(), '42["message-back","alive"]');
      await ws.close();
    });
  });
});

describe("Engine.IO's clocks", () => {
  let broker;
  before(async () => {
    broker = await Broker.start({
      settings: {
        "engine.ping_interval_ms": 150, "engine.ping_timeout_ms": 200,
        "engine.upgrade_timeout_ms": 200, "engine.connect_timeout_ms": 400,
        "engine.max_payload_bytes": 5000,
      },
    });
  });
  after(() => broker.stop());

  it("tells clients what was set", async () => {
    const { handshake } = await Polling.open(broker);
    assert.deepStrictEqual(
      [handshake.pingInterval, handshake.pingTimeout, handshake.maxPayload], [150, 200, 5000]);
  });

  it("pings over polling, and lives as long as it is answered", async () => {
    const session = await Polling.open(broker);
    await session.join();
    await session.next();
    for (let i = 0; i < 4; i++) {
      assert.strictEqual((await session.get()).body, "2");
      await session.send("3");
    }
    await session.post("1");
  });

  it("pings over WebSocket, and lives as long as it is answered", async () => {
    const ws = await Ws.client(broker);
    await ws.next();
    ws.answersPings = false;
    for (let i = 0; i < 4; i++) {
      assert.strictEqual(await ws.next(), "2");
      ws.send("3");
    }
    await ws.close();
  });

  it("ends who does not answer, for a ping timeout", async () => {
    const watch = await watcher(broker);
    const ws = await Ws.client(broker);
    ws.answersPings = false;
    await ws.end();
    assert.match(await watch.next(), /"ping timeout"\]$/);
    const session = await Polling.open(broker);
    await session.send("40");
    assert.match(await watch.next(), /"ping timeout"\]$/);
    assert.strictEqual((await until(async () => {
      const response = await session.get();
      return response.status === 400 && response;
    }, "end")).status, 400);
    await watch.close();
  });

  it("ends only the new transport when an upgrade is not finished in time", async () => {
    const session = await Polling.open(broker);
    await session.join();
    await session.next();
    const ws = await Ws.open(broker, { query: `&transport=websocket&sid=${session.sid}` });
    ws.send("2probe");
    let ended = false;
    ws.closed.then(() => { ended = true; });
    while (!ended) {
      for (const packet of (await session.get()).body.split(SEPARATOR)) {
        if (packet === "2") await session.send("3");
      }
    }
    await session.send('42["message","alive"]');
    await until(async () => (await session.next()) === '42["message-back","alive"]', "echo");
    await session.post("1");
  });

  it("ends a connection that joins no namespace in time", async () => {
    const ws = await Ws.session(broker);
    await ws.end();
    const session = await Polling.open(broker);
    await until(async () => {
      const response = await session.get();
      if (response.body === "2") await session.send("3").catch(() => {});
      return response.status === 400;
    }, "end of the session");
  });

  it("holds the payload limit that was set", async () => {
    const session = await Polling.open(broker);
    const refused = await session.post("4" + "x".repeat(5000)).catch((error) => error);
    assert.strictEqual(refused.status, 413);
    const ws = await Ws.session(broker);
    ws.send("4" + "x".repeat(5000));
    assert.strictEqual((await ws.end()).code, 1009);
  });
});

describe("Engine.IO's transports", () => {
  it("offers no upgrade to what is switched off, and refuses it", async () => {
    const broker = await Broker.start({ settings: { "engine.transports": "polling" } });
    const session = await Polling.open(broker);
    assert.deepStrictEqual(session.handshake.upgrades, []);
    const refused = await refusedUpgrade(broker, `${PATH}&transport=websocket`);
    assert.deepStrictEqual([refused.status, refused.body], [400, ERRORS[0]]);
    await broker.stop();
  });

  it("serves WebSocket alone", async () => {
    const broker = await Broker.start({ settings: { "engine.transports": "websocket" } });
    assertError(await request(broker.url, `${PATH}&transport=polling`), 0);
    const ws = await Ws.session(broker);
    await ws.close();
    await broker.stop();
  });
});

describe("CORS", () => {
  const ask = (broker, origin, options) =>
    request(broker.url, `${PATH}&transport=polling`, { headers: { origin }, ...options });
  const preflight = (broker, origin) => request(broker.url, `${PATH}&transport=polling`, {
    method: "OPTIONS",
    headers: {
      origin, "access-control-request-method": "POST",
      "access-control-request-headers": "content-type,x-token",
    },
  });

  it("permits the origins of the list, with credentials, and no others", async () => {
    const broker = await Broker.start({
      toml: '[engine]\ncors_origins = ["http://a.example", "https://b.example:8443"]\ncors_credentials = true\n',
    });
    for (const origin of ["http://a.example", "https://b.example:8443"]) {
      const response = await ask(broker, origin);
      assert.strictEqual(response.headers["access-control-allow-origin"], origin);
      assert.strictEqual(response.headers["access-control-allow-credentials"], "true");
      assert.match(response.headers.vary || "", /origin/i);
      const asked = await preflight(broker, origin);
      assert.strictEqual(asked.status, 204);
      assert.strictEqual(asked.headers["access-control-allow-origin"], origin);
      assert.match(asked.headers["access-control-allow-methods"], /POST/);
      assert.match(asked.headers["access-control-allow-headers"], /x-token/);
    }
    for (const origin of ["http://c.example", "http://a.example.evil", "http://A.example:80", "null"]) {
      const response = await ask(broker, origin);
      assert.strictEqual(response.status, 200);
      assert.strictEqual(response.headers["access-control-allow-origin"], undefined, origin);
      assert.strictEqual((await preflight(broker, origin)).headers["access-control-allow-origin"], undefined);
    }
    await broker.stop();
  });

  it("permits everyone under a star", async () => {
    const broker = await Broker.start({ settings: { "engine.cors_origins": "*" } });
    const response = await ask(broker, "http://anyone.example");
    assert.strictEqual(response.headers["access-control-allow-origin"], "*");
    await broker.stop();
  });

  it("covers errors and POSTs too", async () => {
    const broker = await Broker.start({ settings: { "engine.cors_origins": "http://a.example" } });
    const headers = { origin: "http://a.example" };
    const session = await Polling.open(broker, { headers });
    const posted = await session.post("6");
    assert.strictEqual(posted.headers["access-control-allow-origin"], "http://a.example");
    const error = await request(broker.url, PATH, { headers });
    assert.strictEqual(error.status, 400);
    assert.strictEqual(error.headers["access-control-allow-origin"], "http://a.example");
    await broker.stop();
  });

  it("says nothing when it is not configured", async () => {
    const broker = await Broker.start();
    const response = await ask(broker, "http://a.example");
    assert.deepStrictEqual(
      Object.keys(response.headers).filter((name) => name.startsWith("access-control")), []);
    assertError(await preflight(broker, "http://a.example"), 2);
    await broker.stop();
  });
});
