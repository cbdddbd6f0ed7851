"use strict";
// One client that does too much of something until it is told to stop; a process of its own, so that
// what it costs is not measured as the others' latency. Its parent gets {done, codes}: how much it
// did, and how often it was refused with what.
//
// usage: fork(flooder.js, [URL, KIND])

const http = require("node:http");
const { setTimeout } = require("node:timers/promises");
const WebSocket = require("ws");

const [url, kind] = process.argv.slice(2);
const result = { done: 0, codes: {} };
let stopped = false;

function refused(code) {
  result.codes[code] = (result.codes[code] ?? 0) + 1;
}

/// A raw client in "/"; events and acknowledgements are looked at for what they refuse.
function connect() {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/socket.io/?EIO=4&transport=websocket`);
  socket.on("message", (data) => {
    const text = data.toString();
    if (text === "2") return socket.send("3");
    if (text.startsWith("0")) return socket.send("40");
    if (text.startsWith("40")) return socket.emit("in");
    const code = /"code":"(\w+)"/.exec(text);
    if (code) refused(code[1]);
  });
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("in", () => resolve(socket)));
}

/// Sends what `make` makes as fast as the broker takes it. Trying all the time would take a core from
/// the broker and the others, which a flooder elsewhere can't.
async function flood(make) {
  const socket = await connect();
  while (!stopped) {
    for (let i = 0; i < 100 && socket.bufferedAmount < 1e6; ++i) socket.send(make(result.done++));
    await (socket.bufferedAmount < 1e6 ? new Promise(setImmediate) : setTimeout(1));
  }
  socket.terminate();
}

async function handshakes() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const one = () => new Promise((resolve) => {
    http.get(`${url}/socket.io/?EIO=4&transport=polling`,
             { agent, headers: { "x-forwarded-for": "192.0.2.66" } }, (response) => {
      response.resume();
      if (response.statusCode !== 200) refused(response.statusCode);
      response.on("end", resolve);
    }).on("error", resolve);
  });
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (; !stopped; ++result.done) await one();
  }));
  agent.destroy();
}

/// The same by polling: POSTs of a thousand each, one after the other, while a GET hears the answers.
async function floodByPolling(make) {
  const base = `${url}/socket.io/?EIO=4&transport=polling`;
  const opened = JSON.parse((await (await fetch(base)).text()).slice(1));
  const post = (body) => fetch(`${base}&sid=${opened.sid}`, { method: "POST", body });
  await post("40");
  const polls = (async () => {
    while (!stopped) {
      const response = await fetch(`${base}&sid=${opened.sid}`);
      if (response.status !== 200) return;
      const text = await response.text();
      if (text === "2") await post("3");
      for (const [, code] of text.matchAll(/"code":"(\w+)"/g)) refused(code);
    }
  })();
  while (!stopped) await post(Array.from({ length: 1000 }, () => make(result.done++)).join("\x1e"));
  await post("1");
  await polls;
}

const large = "x".repeat(100000);
const KINDS = {
  events: () => flood((i) => `42${i}["echo",${i}]`),
  "events by polling": () => floodByPolling((i) => `42${i}["echo",${i}]`),
  "events without acknowledgements": () => flood((i) => `42["echo",${i}]`),
  bytes: () => flood((i) => `42${i}["length","${large}"]`),
  handshakes,
  rooms: () => flood((i) => `42${i}["join",${i}]`),
  acknowledgements: () => flood((i) => `43${i}[]`),
  calls: () => flood((i) => `42${i}["owe"]`),
  connects: () => flood((i) => (i % 2 ? "41/other," : "40/other,")),
};

process.on("message", () => (stopped = true));
process.on("disconnect", () => process.exit());
KINDS[kind]().then(() => process.send(result, () => process.disconnect()));
