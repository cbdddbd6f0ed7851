"use strict";
// The figures of dispatch's document, by hand: `node dispatch_load.js [--seconds 10] [--units 20] [--rate 60]`.
// Units report their positions, each `rate` times a second, and another client hears them all.

const { parseArgs } = require("node:util");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { until } = require("./lib/wait");

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" }, units: { type: "string", default: "20" },
    rate: { type: "string", default: "60" },
  },
});
const SECONDS = Number(values.seconds), UNITS = Number(values.units), RATE = Number(values.rate);
const TOKEN = "a-token-of-thirty-two-characters";

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(1);
const figures = (name, times) => {
  times.sort((a, b) => a - b);
  console.log(`${name}: p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms, most ${at(times, 1)} ms`);
};

async function main() {
  const broker = await Broker.start({ app: "dispatch", env: { CAD_BACKEND_AUTH_TOKEN: TOKEN } });
  const clients = new Clients();
  const connects = [], acknowledged = [], heard = [];
  const open = async () => {
    const began = performance.now();
    const socket = await clients.open(broker, "/dispatch", { auth: { token: TOKEN }, transports: ["websocket"] });
    connects.push(performance.now() - began);
    return socket;
  };
  const sent = new Map(); // by id: when
  (await open()).on("unit:location:updated", ({ id }) => heard.push(performance.now() - sent.get(id)));
  const units = [];
  for (let i = 0; i < UNITS; i++) units.push(await open());
  const begin = performance.now();
  await Promise.all(units.map(async (socket, unit) => {
    for (let n = 0; n < RATE * SECONDS; n++) {
      const wait = begin + (n * 1000) / RATE - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const id = `${unit}-${n}`, now = performance.now();
      sent.set(id, now);
      socket.emit("unit:location", { id, unitId: `UNIT-${unit}`, location: { lat: 40.7, lng: -74 + n * 1e-5 } },
        () => acknowledged.push(performance.now() - now));
    }
  }));
  await until(() => acknowledged.length === sent.size && heard.length === sent.size, "all of it", 60000);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`${sent.size} events in ${seconds.toFixed(1)} s: ${Math.round(sent.size / seconds)} a second`);
  figures("connect", connects);
  figures("acknowledged", acknowledged);
  figures("heard by another client", heard);
  clients.closeAll();
  await broker.stop();
}

main();
