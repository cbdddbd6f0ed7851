"use strict";
// Events that are passed on without being looked at: ns:relay, and handlers with schema.raw().

const assert = require("node:assert");
const { after, before, describe, it } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients, MODES } = require("./lib/clients");
const { within } = require("./lib/wait");

const SCRIPT = `
local ns, schema = namespace "/", require "schema"
ns:use(function(socket) socket.data.user = { type = socket.handshake.auth.type } end)
ns:on_connect(function(socket) socket:join("order:7") end)
ns:relay("position", {
  to = "order:{orderId}", as = "moved", role = "driver",
  schema = schema.object { orderId = schema.integer(), lat = schema.number { max = 90 } },
})
ns:relay("photo")
ns:relay("typing", { volatile = true, rate = { 2, 60 } })
ns:relay("alarm", { to_namespace = "/ops" })
ns:on("note", { schema.string(), schema.raw() }, function(socket, room, note)
  socket:to(room):emit("noted", note)
  return note
end)
`;

const next = (socket, event) =>
  within(new Promise((resolve) => socket.once(event, (...args) => resolve(args))), event);

describe("relayed events", () => {
  let broker;
  const clients = new Clients();
  before(async () => {
    broker = await Broker.start({ scripts: {
      "main.lua": SCRIPT, "ops.lua": 'namespace "/ops"', "tenant.lua": 'namespace("/tenant/:name"):relay("say")',
    } });
  });
  after(async () => {
    clients.closeAll();
    await broker.stop();
  });

  for (const [mode, options] of Object.entries(MODES)) {
    it(`reach who they are for, checked and renamed, by ${mode}`, async () => {
      const driver = await clients.open(broker, "/", { ...options, auth: { type: "driver" } });
      const rider = await clients.open(broker, "/", { ...options, auth: { type: "rider" } });
      const moved = next(rider, "moved");
      assert.strictEqual(await driver.emitWithAck("position", { orderId: 7, lat: 13.5 }), undefined);
      assert.deepStrictEqual(await moved, [{ orderId: 7, lat: 13.5 }]);
      const invalid = await driver.emitWithAck("position", { orderId: 7, lat: 91 });
      assert.strictEqual(invalid.error.code, "invalid");
      assert.match(invalid.error.message, /^lat: must be at most 90/);
      const forbidden = await rider.emitWithAck("position", { orderId: 7, lat: 1 });
      assert.strictEqual(forbidden.error.code, "forbidden");

      const photo = next(rider, "photo");
      driver.emit("photo", { name: "x", data: Buffer.from([1, 2, 255]) });
      assert.deepStrictEqual(await photo, [{ name: "x", data: Buffer.from([1, 2, 255]) }]);

      const noted = next(rider, "noted");
      assert.deepStrictEqual(await driver.emitWithAck("note", "order:7", { a: [1.5, "é"] }), { a: [1.5, "é"] });
      assert.deepStrictEqual(await noted, [{ a: [1.5, "é"] }]);
      clients.closeAll();
    });
  }

  it("are limited by their rate, and counted", async () => {
    const socket = await clients.open(broker);
    for (let i = 0; i < 2; i++) assert.strictEqual(await socket.emitWithAck("typing"), undefined);
    assert.strictEqual((await socket.emitWithAck("typing")).error.code, "rate_limited");
    const own = (await broker.stats()).scripts.find((each) => each.namespace === "/");
    assert.ok(own.relayed >= 2, JSON.stringify(own));
    assert.strictEqual(own.relays_limited, 1);
    clients.closeAll();
  });

  it("go to other namespaces, and stay within a family's member", async () => {
    const sender = await clients.open(broker);
    const ops = await clients.open(broker, "/ops");
    const alarm = next(ops, "alarm");
    sender.emit("alarm", { what: "fire" });
    assert.deepStrictEqual(await alarm, [{ what: "fire" }]);

    const a = await clients.open(broker, "/tenant/a"), b = await clients.open(broker, "/tenant/b");
    const also = await clients.open(broker, "/tenant/a");
    b.once("say", () => assert.fail("another tenant heard it"));
    const said = next(also, "say");
    await a.emitWithAck("say", 1);
    assert.deepStrictEqual(await said, [1]);
    await b.emitWithAck("say", 2);  // its own answer comes after anything sent to it before
    clients.closeAll();
  });
});
