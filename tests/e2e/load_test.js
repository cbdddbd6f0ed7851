"use strict";
// Crowds come, talk and go; afterwards nothing of them is left, neither connections nor memory.
// MOONWIRE_LOAD_CONNECTIONS (10000) come in waves of MOONWIRE_LOAD_WAVE (1000).

const assert = require("node:assert");
const http = require("node:http");
const { it } = require("node:test");
const { Broker, SANITIZED } = require("./lib/broker");
const { Polling, Ws } = require("./lib/engine");
const { until } = require("./lib/wait");

const TOTAL = Number(process.env.MOONWIRE_LOAD_CONNECTIONS || 10000);
const WAVE = Number(process.env.MOONWIRE_LOAD_WAVE || 1000);
const AT_ONCE = 50; // connections being made at a time: the listen queue is no part of this test

/// Talks over anything with send and next: echoes, an acknowledgement, binary, a room.
async function talk(peer, i) {
  const text = `message ${i}`;
  await peer.send(`42["message","${text}"]`);
  assert.strictEqual(await peer.next(), `42["message-back","${text}"]`);
  await peer.send(`42${i}["join","room ${i % 10}"]`);
  assert.strictEqual(await peer.next(), `43${i}[true]`);
  await peer.send(`42${i}["big",${i % 5000}]`);
  assert.strictEqual((await peer.next()).length, `43${i}[""]`.length + (i % 5000));
}

async function polling(broker, i) {
  const agent = new http.Agent({ keepAlive: true });
  const session = await Polling.open(broker, { agent });
  await session.join();
  await session.next();
  await talk(session, i);
  return async () => {
    if (i % 2) await session.send("1");
    else await session.send("41", "1");
    agent.destroy();
  };
}

async function websocket(broker, i) {
  const ws = await Ws.client(broker);
  await ws.next();
  await talk(ws, i);
  ws.send('451-["message",{"_placeholder":true,"num":0}]', Buffer.from([i & 255]));
  await ws.next();
  await ws.next();
  return i % 2 ? () => ws.close() : () => ws.terminate();
}

async function upgrade(broker, i) {
  const agent = new http.Agent({ keepAlive: true });
  const session = await Polling.open(broker, { agent });
  await session.join();
  await session.next();
  const ws = await Ws.open(broker, { query: `&transport=websocket&sid=${session.sid}` });
  ws.send("2probe");
  assert.strictEqual(await ws.next(), "3probe");
  ws.send("5");
  agent.destroy();
  await talk(ws, i);
  return () => ws.close();
}

async function wave(broker, count) {
  const leave = [];
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < count) {
      const i = next++;
      leave.push(await [polling, websocket, upgrade][i % 3](broker, i));
    }
  }));
  const stats = await broker.stats();
  assert.strictEqual(stats.connections.total, count);
  assert.strictEqual(stats.namespaces.find((nsp) => nsp.name === "/").rooms >= 10, true);
  await Promise.all(leave.map((go) => go()));
  return until(async () => {
    const { connections, namespaces, resident_bytes } = await broker.stats();
    // The connection that asks is the one that may be left.
    const empty = connections.total === 0 && connections.polling === 0 &&
      connections.websocket === 0 && connections.tcp <= 1 &&
      namespaces.every((nsp) => nsp.sockets === 0 && nsp.rooms === 0);
    return empty && resident_bytes;
  }, "an empty broker");
}

it(`${TOTAL} connections in waves of ${WAVE} leave nothing behind`, async () => {
  const broker = await Broker.start();
  const sizes = [];
  for (let done = 0; done < TOTAL; done += WAVE) sizes.push(await wave(broker, Math.min(WAVE, TOTAL - done)));
  const stats = await broker.stats();
  assert.strictEqual(stats.connections.opened, TOTAL);
  assert.strictEqual(stats.connections.closed, TOTAL);
  // The first waves warm allocator and pools up; a sanitizer's quarantine grows by design.
  const warm = Math.max(...sizes.slice(0, Math.max(1, Math.floor(sizes.length / 4))));
  const last = sizes[sizes.length - 1];
  if (!SANITIZED) {
    assert.ok(last < warm * 1.2 + 8e6, `resident bytes after each wave: ${sizes.join(", ")}`);
  }
  await broker.stop();
});
