"use strict";
// What a handler costs under the watchdog, beside no limit at all (limits.handler_ms = 0), and
// beside the JIT that the limit rules out: seconds inside handlers, from /stats, in turns. By hand:
//   node watchdog_cost.js [--rounds 5]

const { parseArgs } = require("node:util");
const { Broker } = require("./lib/broker");
const { Ws } = require("./lib/engine");

const SCRIPT = `
local ns = namespace "/"
ns:on("ordinary", function(socket, order)
  local seen = socket.data.seen or 0
  socket.data.seen = seen + 1
  local total = 0
  for i, line in ipairs(order.lines) do total = total + line.price * line.count end
  return { ok = true, total = total, name = order.name:upper(), seen = seen }
end)
ns:on("hot", function(socket) local x = 0 for i = 1, 200000 do x = (x + i * 31) % 65521 end return x end)
`;
const ORDER = { name: "moon", lines: Array.from({ length: 5 }, (_, i) => ({ price: i * 1.5, count: i })) };
const EVENTS = { ordinary: [["ordinary", ORDER], 40000], hot: [["hot"], 300] };
const BURST = 100;

async function main() {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
  const kinds = {
    "no limit": { "limits.handler_ms": 0 },
    "watchdog": { "limits.handler_ms": 100 },
    "JIT": { "namespaces./.jit": true },
  };
  const brokers = {};
  for (const [kind, settings] of Object.entries(kinds)) {
    const broker = await Broker.start({ scripts: { "main.lua": SCRIPT }, settings: { "server.threads": 1, ...settings } });
    brokers[kind] = { broker, ws: await Ws.client(broker), costs: { ordinary: [], hot: [] } };
  }
  for (let round = 0; round <= Number(values.rounds); ++round) {
    for (const [event, [packet, count]] of Object.entries(EVENTS)) {
      for (const { broker, ws, costs } of Object.values(brokers)) {
        const spent = async () => (await broker.stats()).scripts[0].handler_seconds;
        const before = await spent();
        for (let sent = 0; sent < count; sent += BURST) {
          for (let i = 0; i < BURST; ++i) ws.send(`421${JSON.stringify(packet)}`);
          for (let i = 0; i < BURST; ++i) await ws.next();
        }
        if (round > 0) costs[event].push((await spent()) - before);  // the first warms up
      }
    }
  }
  const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
  for (const event of Object.keys(EVENTS)) {
    const base = median(brokers["no limit"].costs[event]);
    for (const [kind, { costs }] of Object.entries(brokers)) {
      console.log(`${event.padEnd(9)} ${kind.padEnd(9)} ${(median(costs[event]) / base).toFixed(2)} x`);
    }
  }
  for (const { broker, ws } of Object.values(brokers)) {
    ws.terminate();
    await broker.stop();
  }
}

main();
