"use strict";
// What an event costs the broker that is relayed, beside a handler that does the same: CPU of its
// whole process an event, one sender to one receiver over WebSocket. By hand:
//   node relay_load.js [--events 100000] [--bytes 300]

const fs = require("node:fs");
const { parseArgs } = require("node:util");
const { Broker } = require("./lib/broker");
const { until } = require("./lib/wait");
const WebSocket = require("ws");

const SHAPE = `schema.object {
  lat = schema.number { min = -90, max = 90 }, lng = schema.number(), orderId = schema.string(),
}`;
const SCRIPT = `
local ns, schema = namespace "/", require "schema"
ns:relay("relay", { as = "out" })
ns:on("raw", schema.raw(), function(socket, at) socket:broadcast():emit("out", at) end)
ns:on("handler", function(socket, at) socket:broadcast():emit("out", at) end)
ns:relay("relay, schema", { as = "out", schema = ${SHAPE} })
ns:on("handler, schema", ${SHAPE}, function(socket, at) socket:broadcast():emit("out", at) end)
`;
const TICKS_A_SECOND = 100;  // of /proc/<pid>/stat
const BURST = 500;           // events between two looks at what came through

async function join(url) {
  const socket = new WebSocket(`${url}/socket.io/?EIO=4&transport=websocket`);
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data) => {
      const text = data.toString();
      if (text[0] === "0") socket.send("40");
      if (text[0] === "2") socket.send("3");
      if (text.startsWith("40")) resolve();
    });
  });
  return socket;
}

/// Seconds of CPU that the process used so far.
function cpu(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

async function main() {
  const { values } = parseArgs({ options: {
    events: { type: "string", default: "100000" }, bytes: { type: "string", default: "300" } } });
  const count = Number(values.events);
  const broker = await Broker.start({ scripts: { "main.lua": SCRIPT }, settings: { "server.threads": 1 } });
  const sender = await join(broker.wsUrl), receiver = await join(broker.wsUrl);
  let heard = 0;
  receiver.on("message", () => heard++);
  const argument = { lat: 40.7128, lng: -74.006, orderId: "o-17", speed: 31.5, trail: [] };
  while (JSON.stringify(argument).length < Number(values.bytes)) argument.trail.push({ x: 1.25, y: "abc" });

  const costs = {};
  for (const event of ["relay", "relay", "raw", "handler", "relay, schema", "handler, schema"]) {
    const packet = `42${JSON.stringify([event, argument])}`;
    const before = cpu(broker.child.pid), started = performance.now();
    heard = 0;
    for (let sent = 0; sent < count;) {
      for (let i = 0; i < BURST; i++, sent++) sender.send(packet);
      await until(() => heard >= sent - BURST, "what was sent");
    }
    await until(() => heard >= count, "all that was sent");
    const seconds = (performance.now() - started) / 1000;
    costs[event] = ((cpu(broker.child.pid) - before) / count) * 1e6;  // the first run warms up
    costs[`${event} a second`] = count / seconds;
  }
  for (const event of ["relay", "raw", "handler", "relay, schema", "handler, schema"]) {
    const than = costs[event.includes("schema") ? "handler, schema" : "handler"];
    console.log(`${event.padEnd(16)} ${costs[event].toFixed(2)} µs of CPU an event, ` +
      `a handler ${(than / costs[event]).toFixed(2)} times as much; ${Math.round(costs[`${event} a second`])} a second here`);
  }
  sender.terminate();
  receiver.terminate();
  await broker.stop();
}

main();
