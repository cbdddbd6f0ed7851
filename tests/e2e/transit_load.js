"use strict";
// Load on scripts/transit: so many vehicles, each with two queries a second over so many waiting
// commuters; every answer is checked against a search of everyone. Speaks the protocol itself, so that
// the generator is no bottleneck. By hand:
//   node transit_load.js [--vehicles 1200] [--commuters 10000] [--seconds 60] [--rate 2]

const assert = require("node:assert");
const fs = require("node:fs");
const WebSocket = require("ws");
const { Broker } = require("./lib/broker");
const { until } = require("./lib/wait");

const NSP = "/route-reservoir";
const CITY = { lat: 13.1, lon: -59.6, spread: 0.15 };  // degrees either way: some 33 km square
const EARTH_RADIUS = 6371008.8;
const TICKS_A_SECOND = 100;  // of /proc/<pid>/stat

/// The same numbers every run.
function randomizer(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const radians = (degrees) => (degrees * Math.PI) / 180;

function haversine(lat1, lon1, lat2, lon2) {
  const a = Math.sin(radians(lat2 - lat1) / 2) ** 2 +
    Math.cos(radians(lat1)) * Math.cos(radians(lat2)) * Math.sin(radians(lon2 - lon1) / 2) ** 2;
  return 2 * EARTH_RADIUS * Math.asin(Math.min(1, Math.sqrt(a)));
}

/// A socket in NSP: `onEvent(name, text of the packet's JSON)` hears what arrives.
class Client {
  constructor(url, auth) {
    this.acks = new Map();
    this.lastAck = 0;
    this.ready = new Promise((resolve, reject) => {
      this.socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`,
                                  { perMessageDeflate: false });
      this.socket.on("error", reject);
      this.socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
      this.socket.on("message", (data) => {
        const text = data.toString();
        if (text === "2") this.socket.send("3");
        else if (text[0] === "0") this.socket.send(`40${NSP},${JSON.stringify(auth)}`);
        else if (text.startsWith(`40${NSP},`)) resolve(this);
        else if (text.startsWith(`42${NSP},`)) this.onEvent(text.slice(3 + NSP.length));
        else if (text.startsWith(`43${NSP},`)) this.acknowledged(text.slice(3 + NSP.length));
        else reject(new Error(`unexpected ${text.slice(0, 200)}`));
      });
    });
  }

  onEvent() {}

  acknowledged(text) {
    const [, id, reply] = /^(\d+)([^]*)$/.exec(text);
    this.acks.get(Number(id))(JSON.parse(reply)[0]);
    this.acks.delete(Number(id));
  }

  emit(event, message) {
    this.socket.send(`42${NSP},${JSON.stringify([event, message])}`);
  }

  call(event, message) {
    const id = ++this.lastAck;
    return new Promise((resolve) => {
      this.acks.set(id, resolve);
      this.socket.send(`42${NSP},${id}${JSON.stringify([event, message])}`);
    });
  }

  close() {
    this.socket.removeAllListeners("close");
    this.socket.terminate();
  }
}

function envelope(type, id, data) {
  return { id, type, timestamp: new Date().toISOString(), source: "transit-load", data };
}

function makeCommuters(count, random) {
  return Array.from({ length: count }, (_, number) => ({
    commuter_id: `C${String(number).padStart(6, "0")}`,
    current_location: {
      lat: CITY.lat + (random() * 2 - 1) * CITY.spread, lon: CITY.lon + (random() * 2 - 1) * CITY.spread,
    },
    destination: { lat: CITY.lat, lon: CITY.lon },
    direction: random() < 0.5 ? "inbound" : "outbound",
    route_id: `R${Math.floor(random() * 20)}`,
    priority: 3,
    max_walking_distance: Math.floor(200 + random() * 1300),
  }));
}

async function spawnAll(url, commuters) {
  const service = await new Client(url, { service_type: "commuter-service" }).ready;
  for (let from = 0; from < commuters.length; from += 200) {
    const answers = await Promise.all(commuters.slice(from, from + 200).map(
      (commuter) => service.call("commuter:spawned",
                                 envelope("commuter:spawned", commuter.commuter_id, commuter))));
    for (const answer of answers) assert.strictEqual(answer.ok, true, JSON.stringify(answer));
  }
  service.close();
}

async function connectAll(url, count) {
  const clients = [];
  for (let from = 0; from < count; from += 50) {  // ramped
    const some = Array.from({ length: Math.min(50, count - from) }, (_, i) => new Client(url, {
      service_type: "vehicle-conductor", service_id: `V${from + i}` }).ready);
    clients.push(...await Promise.all(some));
  }
  return clients;
}

/// What the broker should have answered: everyone is looked at. A degree of latitude is at least so
/// many metres, which spares most of the trigonometry and nothing else.
function expected(query, commuters) {
  const { lat, lon } = query.position;
  const found = [];
  for (const commuter of commuters) {
    const there = commuter.current_location;
    if (radians(Math.abs(there.lat - lat)) * EARTH_RADIUS > query.radius) continue;
    if (query.direction && commuter.direction !== query.direction) continue;
    if (query.route_id && commuter.route_id !== query.route_id) continue;
    const metres = haversine(lat, lon, there.lat, there.lon);
    if (metres > Math.min(query.radius, commuter.max_walking_distance)) continue;
    found.push({ id: commuter.commuter_id, metres });
  }
  found.sort((a, b) => a.metres - b.metres || (a.id < b.id ? -1 : 1));
  return found.slice(0, query.seats);
}

function check(asked, text, commuters) {
  const [event, message] = JSON.parse(text);
  assert.strictEqual(event, "vehicle:commuters_found", text);
  assert.strictEqual(message.correlationId, asked.id);
  assert.strictEqual(message.data.vehicle_id, asked.query.vehicle_id);
  const wanted = expected(asked.query, commuters);
  assert.deepStrictEqual(message.data.commuters.map((each) => each.commuter_id),
                         wanted.map((each) => each.id), JSON.stringify(asked.query));
  message.data.commuters.forEach((each, i) => {
    assert.ok(Math.abs(each.distance - wanted[i].metres) < 0.06, `${each.distance} ${wanted[i].metres}`);
  });
  return wanted.length;
}

function cpuSeconds(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];

/// Runs the load on a broker; resolves to the figures. Throws if an answer is missing or wrong.
async function run(broker, { vehicles = 1200, commuters: waiting = 10000, seconds = 10, rate = 2 } = {}) {
  const random = randomizer(1);
  const commuters = makeCommuters(waiting, random);
  await spawnAll(broker.url, commuters);
  const clients = await connectAll(broker.url, vehicles);

  const asked = [];  // {id, query, sent, text}
  const open = clients.map(() => []);  // by vehicle: answers come in the order of the questions
  const latencies = [];
  clients.forEach((client, i) => {
    client.onEvent = (text) => {
      const question = open[i].shift();
      question.text = text;
      latencies.push(performance.now() - question.sent);
    };
  });
  const ask = (i) => {
    const query = {
      vehicle_id: `V${i}`, seats: 16, radius: 1000,
      position: { lat: CITY.lat + (random() * 2 - 1) * CITY.spread,
                  lon: CITY.lon + (random() * 2 - 1) * CITY.spread },
    };
    if (random() < 0.3) query.direction = random() < 0.5 ? "inbound" : "outbound";
    if (random() < 0.2) query.route_id = `R${Math.floor(random() * 20)}`;
    const question = { id: `q${asked.length}`, query, sent: performance.now(), text: null };
    asked.push(question);
    open[i].push(question);
    clients[i].emit("vehicle:query_commuters", envelope("vehicle:query_commuters", question.id, query));
  };

  // Every vehicle in turn, evenly over time.
  const cpuBefore = cpuSeconds(broker.child.pid);
  const ownBefore = process.cpuUsage();
  const start = performance.now();
  const total = Math.round(vehicles * rate * seconds);
  while (asked.length < total) {
    const due = Math.min(total, Math.floor((performance.now() - start) / 1000 * vehicles * rate));
    while (asked.length < due) ask(asked.length % vehicles);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(() => latencies.length === total, `${total} answers`);
  const elapsed = (performance.now() - start) / 1000;
  const cpu = cpuSeconds(broker.child.pid) - cpuBefore;
  const own = process.cpuUsage(ownBefore);
  for (const client of clients) client.close();

  const sizes = asked.map((question) => check(question, question.text, commuters));
  latencies.sort((a, b) => a - b);
  return {
    vehicles, commuters: waiting, queries: total, answers_per_second: Math.round(total / elapsed),
    commuters_an_answer: Number((sizes.reduce((sum, size) => sum + size, 0) / total).toFixed(1)),
    broker_cpu_percent: Number((cpu / elapsed * 100).toFixed(1)),
    broker_us_a_query: Math.round(cpu / total * 1e6),
    generator_cpu_percent: Number(((own.user + own.system) / 1e4 / elapsed).toFixed(1)),
    p50_ms: Number(percentile(latencies, 0.5).toFixed(2)),
    p99_ms: Number(percentile(latencies, 0.99).toFixed(2)),
    max_ms: Number(latencies[latencies.length - 1].toFixed(2)),
  };
}

/// A broker on one reactor for it.
async function startBroker() {
  return Broker.start({ app: "transit", args: ["--threads", "1"], settings: { "log.level": "warn" } });
}

module.exports = { run, startBroker };

if (require.main === module) {
  const { values } = require("node:util").parseArgs({ options: {
    vehicles: { type: "string" }, commuters: { type: "string" }, seconds: { type: "string" },
    rate: { type: "string" } } });
  const options = Object.fromEntries(Object.entries(values).map(([key, text]) => [key, Number(text)]));
  startBroker().then(async (broker) => {
    try {
      console.log(await run(broker, { seconds: 60, ...options }));
    } finally {
      await broker.stop();
    }
  });
}
