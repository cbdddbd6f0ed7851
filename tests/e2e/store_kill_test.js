"use strict";
// A broker that is killed in the middle of load, again and again over one store: what it acknowledged
// is there afterwards, and what is to happen together has. MOONWIRE_STORE_KILLS says how often.

const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { after, before, describe, it } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { until, within } = require("./lib/wait");

const KILLS = Number(process.env.MOONWIRE_STORE_KILLS || 10);
const LOADERS = 4, AT_ONCE = 16;
const SCRIPT = `
local ns = namespace "/"
local store = ns.store
ns:on("append", function(_, n) return store:append("numbers", n) ~= nil end)
ns:on("queue", function(_, n) return store:enqueue("queue", "e", n) ~= nil end)
ns:on("count", function(_, n)
  return store:transaction(function()
    store:set("count", (store:get("count") or 0) + 1)
    store:append("counted", n)
    return true
  end) == true
end)
ns:on("page", function(_, stream, after) return store:history(stream, { after = after, limit = 1000 }) end)
ns:on("get", function(_, key) return store:get(key) end)
ns:on("queued", function() return store:queued("queue") end)
`;

const ask = (socket, name, ...args) => within(socket.emitWithAck(name, ...args), `answer to ${name}`);

async function whole(socket, stream) {
  const values = [];
  for (let after = 0; ;) {
    const page = await ask(socket, "page", stream, after);
    if (page.length === 0) return values;
    values.push(...page.map((each) => each.value));
    after = page.at(-1).id;
  }
}

describe("a broker that is killed", () => {
  const clients = new Clients();
  let folder;
  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-kill-"))));
  after(() => {
    clients.closeAll();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const start = () => Broker.start({
    scripts: { "main.lua": SCRIPT },
    settings: {
      "store.path": path.join(folder, "store.db"), "store.queue_items": 1000000, "store.stream_items": 1000000,
    },
  });

  it(`loses nothing that it acknowledged, ${KILLS} times`, async () => {
    const acknowledged = { append: new Set(), queue: new Set(), count: new Set() };
    let next = 0;
    for (let round = 0; round < KILLS; round++) {
      const broker = await start();
      try {
        let killed = false, done = 0;
        const load = async (socket) => {
          while (!killed) {
            const event = ["append", "queue", "count"][next % 3], n = next++;
            // Unanswered for ever if the broker dies first.
            await new Promise((resolve) => {
              socket.once("disconnect", resolve);
              socket.emit(event, n, (ok) => {
                socket.off("disconnect", resolve);
                if (ok === true) acknowledged[event].add(n), done++;
                resolve();
              });
            });
          }
        };
        const loads = [];
        for (let i = 0; i < LOADERS; i++) {
          const socket = await clients.open(broker, "/", { transports: ["websocket"], reconnection: false });
          for (let j = 0; j < AT_ONCE; j++) loads.push(load(socket));
        }
        // Anywhere in the middle of it: after some number of acknowledgements.
        const enough = 1 + Math.floor(Math.random() * 400);
        await until(() => done >= enough, "load");
        killed = true;
        broker.signal("SIGKILL");
        await within(broker.exited, "exit");
        await within(Promise.all(loads), "the end of the load");
      } finally {
        clients.closeAll();
        broker.discard();
      }
    }

    const broker = await start();
    const socket = await clients.open(broker);
    const numbers = await whole(socket, "numbers"), counted = await whole(socket, "counted");
    const missing = (set, found) => [...set].filter((n) => !found.has(n));
    assert.deepStrictEqual(missing(acknowledged.append, new Set(numbers)), []);
    assert.deepStrictEqual(missing(acknowledged.count, new Set(counted)), []);
    assert.strictEqual(new Set(numbers).size, numbers.length, "nothing is there twice");
    assert.strictEqual(await ask(socket, "get", "count"), counted.length, "both or neither");
    assert.ok(await ask(socket, "queued") >= acknowledged.queue.size);
    assert.ok(acknowledged.append.size > 0 && acknowledged.count.size > 0 && acknowledged.queue.size > 0);
    console.log(`${KILLS} kills: ${acknowledged.append.size + acknowledged.count.size + acknowledged.queue.size} ` +
      "acknowledged writes, all there");
    clients.closeAll();
    await broker.stop();
  });
});
