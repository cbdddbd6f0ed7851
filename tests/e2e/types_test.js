"use strict";
// `moonwire types`: what it writes compiles, refuses a wrong payload, and speaks to a live broker.

const { test, describe, before, after } = require("node:test");
const assert = require("node:assert");
const { execFile, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { promisify } = require("node:util");
const Ajv = require("ajv");
const yaml = require("js-yaml");
const { Broker, moonwire, scriptsFolder, ROOT } = require("./lib/broker");
const { DEADLINE_MS } = require("./lib/wait");

const run = promisify(execFile);

const SHOP = {
  "shop/main.lua": `
local ns, schema = namespace "/shop", require "schema"
local Item = schema.named("Item", schema.object {
  id = schema.string { min = 1, max = 20, description = "on its label" },
  price = schema.optional(schema.number { min = 0 }),
})
local Order = schema.object { item = Item, count = schema.default(schema.integer { min = 1 }, 1) }
ns:emits("sold-out", Item)
ns:emits("price?", { schema.string(), returns = schema.number() })
ns:on("buy:item", { Order, returns = schema.object { ok = schema.boolean(), count = schema.integer() } },
  function(socket, order)
    if order.item.id == "moon" then fail("sold_out", "no moons left", { item = order.item }) end
    ns:emit("sold-out", order.item)
    return { ok = true, count = order.count }
  end)
ns:on("appraise", { schema.string(), returns = schema.number() }, function(socket, id)
  return (socket:timeout(10):call("price?", id)) * 2
end)
ns:on("note", schema.string(), function() end)
`,
};

const TENANTS = {
  "a/main.lua": `
local ns, schema = namespace "/tenant/:name", require "schema"
ns:on("ride:start", { schema.object { lat = schema.number { max = 90 }, additional = false },
  returns = schema.nullable(schema.any()), description = "Begins: \\"now\\"." }, function() return null end)
ns:on("raw", function() end)
ns:emits("two", { schema.binary { max = 9 }, schema.default(schema.map(schema.enum { 1, "a", true }), {}) })
`,
};

const USES = `
import { io } from "socket.io-client";
import type { Failure, Item, Shop } from "./shop";

const item: Item = { id: "sun", price: 5 };
const socket: Shop.ClientSocket = io(process.argv[2] + "/shop", { transports: ["websocket"] });
const isFailure = (answer: object): answer is Failure => "error" in answer;

async function main(): Promise<void> {
  const soldOut = new Promise<Item>((resolve) => socket.on("sold-out", resolve));
  socket.on("price?", (id, ack) => ack(id.length));
  const bought = await socket.emitWithAck("buy:item", { item, count: 2 });
  if (isFailure(bought)) throw new Error(bought.error.message);
  const refused = await socket.emitWithAck("buy:item", { item: { id: "moon" } });
  if (!isFailure(refused)) throw new Error("sold a moon");
  const invalid = await socket.emitWithAck("buy:item", { item: { id: "" } });
  if (!isFailure(invalid)) throw new Error("sold nothing");
  const price = await socket.emitWithAck("appraise", "four");
  socket.emit("note", "done");
  console.log(JSON.stringify({ bought: bought.count, soldOut: (await soldOut).id,
    refused: refused.error.code, invalid: invalid.error.message, price }));
  socket.close();
}
main().catch((error) => { console.error(error); process.exit(1); });
`;

/// Each must be refused, by this code of TypeScript's.
const WRONG = {
  "a number for a string": ['socket.emit("note", 5);', "TS2345"],
  "a misspelt field": ['socket.emit("buy:item", { item: { id: "x" }, cuont: 2 }, () => {});', "TS2561"],
  "a missing field": ['socket.emit("buy:item", { count: 2 }, () => {});', "TS2345"],
  "an unknown event": ['socket.emit("by:item", 5);', "TS2345"],
  "an unknown event to listen to": ['socket.on("soldout", () => {});', "TS2345"],
  "the failure forgotten": ['socket.emitWithAck("buy:item", { item: { id: "x" } }).then((a) => a.ok);', "TS2339"],
  "a wrong answer": ['socket.on("price?", (id, ack) => ack("5"));', "TS2345"],
};

describe("moonwire types", () => {
  let folder, tenants, work;
  before(() => {
    folder = scriptsFolder(SHOP);
    tenants = scriptsFolder(TENANTS);
    work = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-types-"));
    fs.symlinkSync(path.join(__dirname, "node_modules"), path.join(work, "node_modules"));
    const made = moonwire(["types", folder, "--format", "typescript", "--output", path.join(work, "shop.ts")]);
    assert.deepStrictEqual([made.status, made.stdout, made.stderr], [0, "", ""]);
  });
  after(() => {
    for (const each of [folder, tenants, work]) fs.rmSync(each, { recursive: true, force: true });
  });

  function compile(name, text) {
    fs.writeFileSync(path.join(work, `${name}.ts`), text);
    const result = spawnSync(process.execPath, [
      require.resolve("typescript/bin/tsc"), "--strict", "--exactOptionalPropertyTypes", "--target", "es2022",
      "--module", "commonjs", "--skipLibCheck", "--types", "node", path.join(work, `${name}.ts`),
    ], { encoding: "utf8", cwd: work });
    return { status: result.status, output: result.stdout + result.stderr };
  }

  test("TypeScript: a program compiles and speaks to the broker", async () => {
    const compiled = compile("uses", USES);
    assert.strictEqual(compiled.output, "");
    assert.strictEqual(compiled.status, 0);
    const broker = await Broker.start({ scripts: SHOP, settings: { "scripts.check_emits": true } });
    const { stdout, stderr } = await run(process.execPath, [path.join(work, "uses.js"), broker.url],
                                         { timeout: DEADLINE_MS });
    assert.strictEqual(stderr, "");
    assert.deepStrictEqual(JSON.parse(stdout), {
      bought: 2, soldOut: "sun", refused: "sold_out", price: 8,
      invalid: "item.id: must have at least 1 character (min), got string '' of 0 characters",
    });
    assert.doesNotMatch(broker.stderr, / (warn|error) /);
    await broker.stop();
  });

  test("TypeScript: wrong programs do not compile", () => {
    const head = 'import type { Shop } from "./shop";\ndeclare const socket: Shop.ClientSocket;\n';
    const texts = Object.values(WRONG).map(([line]) => line);
    const { status, output } = compile("wrong", `${head}${texts.join("\n")}\n`);
    assert.notStrictEqual(status, 0);
    Object.entries(WRONG).forEach(([name, [, code]], i) => {
      assert.match(output, new RegExp(`wrong\\.ts\\(${i + 3},\\d+\\): error ${code}:`), `${name}:\n${output}`);
    });
  });

  test("TypeScript: the transit app's types compile", () => {
    const made = moonwire(["types", path.join(ROOT, "scripts/transit"), "--format", "typescript"]);
    assert.strictEqual(made.status, 0, made.stderr);
    for (const name of ["DepotReservoir", "RouteReservoir", "VehicleEvents", "SystemEvents"])
      assert.match(made.stdout, new RegExp(`export namespace ${name} \\{`));
    const compiled = compile("transit", made.stdout);
    assert.strictEqual(compiled.output, "");
  });

  test("AsyncAPI: valid by the official schema, in JSON and as the same in YAML", () => {
    const schema = require("@asyncapi/specs/schemas/3.0.0-without-$id.json");
    const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
    for (const scripts of [path.join(ROOT, "scripts/transit"), folder, tenants]) {
      const made = moonwire(["types", scripts, "--format", "asyncapi"]);
      assert.strictEqual(made.status, 0, made.stderr);
      const document = JSON.parse(made.stdout);
      assert.ok(validate(document), JSON.stringify(validate.errors, null, 1));
      for (const [, to] of made.stdout.matchAll(/"\$ref": "#\/([^"]+)"/g))
        assert.ok(to.split("/").reduce((at, key) => at && at[key], document), `nothing at ${to}`);
      const file = path.join(work, "api.yaml");
      assert.strictEqual(moonwire(["types", scripts, "--format", "asyncapi", "--output", file]).status, 0);
      assert.deepStrictEqual(yaml.load(fs.readFileSync(file, "utf8")), document);
    }
    const { channels, operations, components } =
      JSON.parse(moonwire(["types", tenants, "--format", "asyncapi"]).stdout);
    assert.deepStrictEqual([channels.TenantName.address, channels.TenantName.parameters], ["/tenant/{name}", { name: {} }]);
    assert.strictEqual(operations["TenantName.receive_ride_start"].action, "receive");
    assert.strictEqual(components.messages["TenantName.receive_ride_start"].name, "ride:start");
    // What the broker refuses, the document's schema refuses.
    const at = new Ajv({ strict: false }).compile(components.messages["TenantName.receive_ride_start"].payload);
    assert.ok(at({ lat: 90 }) && !at({ lat: 91 }) && !at({}) && !at({ lat: 1, lng: 2 }));
  });

  test("--namespace leaves one, or says which there are", () => {
    const transit = path.join(ROOT, "scripts/transit");
    const one = moonwire(["types", transit, "--format", "typescript", "--namespace", "/vehicle-events"]);
    assert.strictEqual(one.status, 0, one.stderr);
    assert.match(one.stdout, /export namespace VehicleEvents/);
    assert.doesNotMatch(one.stdout, /DepotReservoir/);
    const none = moonwire(["types", transit, "--format", "typescript", "--namespace", "/vehicles"]);
    assert.strictEqual(none.status, 1);
    assert.match(none.stderr, /no script serves namespace "\/vehicles"; there are: \/depot-reservoir, /);
  });

  test("what can't be loaded or written is an error that says where", () => {
    const broken = scriptsFolder({ "a/main.lua": 'local ns = namespace "/a"\nns:emits("e", 5)\n' });
    const made = moonwire(["types", broken, "--format", "typescript"]);
    fs.rmSync(broken, { recursive: true });
    assert.deepStrictEqual([made.status, made.stdout], [1, ""]);
    assert.match(made.stderr, /^a\/main\.lua:2: /);
    const unwritable = moonwire(["types", folder, "--format", "typescript", "--output", "/nonexistent/x.ts"]);
    assert.strictEqual(unwritable.status, 1);
    assert.match(unwritable.stderr, /can't write \/nonexistent\/x\.ts/);
  });
});
