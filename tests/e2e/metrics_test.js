"use strict";
// Metrics, by the plugin metrics: what official clients' traffic makes of /metrics, in both of its forms, and what a
// real Prometheus, promtool and a browser make of that.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const { io } = require("socket.io-client");
const { chromium } = require("playwright-core");
const { Broker, ROOT, moonwire, scriptsFolder } = require("./lib/broker");
const { parse, names, value } = require("./lib/exposition");
const { Prometheus, promtool } = require("./lib/prometheus");
const { event, until, within } = require("./lib/wait");

const SCRIPT = `
local ns = namespace "/"
local orders = metrics.counter("orders_total", "Orders taken.", { "status" })
local took = metrics.histogram("order_seconds", "What an order takes.", {}, { 0.1, 1 })
local open = metrics.gauge("open_orders", "Orders that are open.")
ns:use(function(socket)
  if socket.handshake.auth.token == "bad" then fail("unauthorized", "no") end
end)
ns:on_connect(function(socket) socket:join("room") end)
ns:on("order", function(socket, status)
  orders:inc { status = status }
  open:inc()
  took:observe(0.5)
  ns.store:set("last", status)
  return ns.store:get("last")
end)
ns:on("refused", function() fail("no", "no") end)
ns:on("ask me", function(socket) return (socket:timeout(10):call("question")) end)
`;
const FAMILY = `
local ns = namespace "/tenant/:name"
ns:on("hello", function() return 1 end)
`;

const OPEN_METRICS = { accept: "application/openmetrics-text; version=1.0.0" };

const start = (options = {}) => Broker.start({
  scripts: { "app/main.lua": SCRIPT, "app/family.lua": FAMILY },
  ...options, settings: { "plugins.load": "metrics", ...options.settings },
});
async function scrape(broker, headers = {}) {
  const response = await fetch(`${broker.url}/metrics`, { headers });
  assert.strictEqual(response.status, 200);
  return { text: await response.text(), type: response.headers.get("content-type") };
}
const figures = async (broker) => parse((await scrape(broker)).text, false);
/// Waits until a series has this value: what is counted elsewhere may come a moment later.
const becomes = (broker, name, labels, wanted) => until(
  async () => value(await figures(broker), name, labels) === wanted, `${name} ${JSON.stringify(labels)} = ${wanted}`);

async function connect(t, broker, nsp = "/", options = {}) {
  const socket = io(broker.url + nsp, { forceNew: true, reconnection: false, transports: ["websocket"], ...options });
  t.after(() => socket.close());
  await event(socket, "connect");
  return socket;
}

test("traffic is counted, in both forms", async (t) => {
  const broker = await start({ settings: { "engine.allowed_origins": "http://good.example" } });
  const socket = await connect(t, broker);
  await connect(t, broker, "/", { transports: ["polling"] });
  await connect(t, broker, "/tenant/acme");
  socket.on("question", (answer) => answer("answer"));
  for (const status of ["new", "new", "paid"])
    assert.strictEqual(await within(socket.emitWithAck("order", status), "order"), status);
  assert.strictEqual(await within(socket.emitWithAck("ask me"), "ask"), "answer");
  assert.ok((await within(socket.emitWithAck("refused"), "refused")).error);
  socket.emit("nobody knows");
  const bad = io(broker.url, { forceNew: true, reconnection: false, auth: { token: "bad" } });
  t.after(() => bad.close());
  await event(bad, "connect_error");
  await fetch(`${broker.url}/socket.io/?EIO=4&transport=smoke`);
  await fetch(`${broker.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: "http://bad.example" } });
  await becomes(broker, "moonwire_received_events_total", { event: "other", namespace: "/" }, 1);
  await until(async () => value(await figures(broker), "moonwire_reactor_lag_seconds_count") > 0, "a look at the lag");

  const { text, type } = await scrape(broker);
  assert.strictEqual(type, "text/plain; version=0.0.4; charset=utf-8");
  const checked = promtool(["check", "metrics"], text);
  assert.deepStrictEqual([checked.status, checked.stdout + checked.stderr], [0, ""]);
  const open = await scrape(broker, OPEN_METRICS);
  assert.strictEqual(open.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");

  for (const [form, all] of [["text", parse(text, false)], ["OpenMetrics", parse(open.text, true)]]) {
    const is = (wanted, name, labels) =>
      assert.strictEqual(value(all, name, labels), wanted, `${form}: ${name} ${JSON.stringify(labels)}`);
    const some = (name, labels) => assert.ok(value(all, name, labels) > 0, `${form}: ${name}`);
    is(1, "moonwire_build_info");
    is(2, "moonwire_sessions", { transport: "websocket" });
    is(1, "moonwire_sessions", { transport: "polling" });
    is(1, "moonwire_refused_requests_total", { reason: "transport" });
    is(1, "moonwire_refused_requests_total", { reason: "origin" });
    is(1, "moonwire_sockets", { namespace: "/", transport: "websocket" });
    is(1, "moonwire_sockets", { namespace: "/", transport: "polling" });
    is(1, "moonwire_sockets", { namespace: "/tenant/:name", transport: "websocket" });
    is(0, "moonwire_sockets", { namespace: "/tenant/:name", transport: "polling" });
    some("moonwire_rooms", { namespace: "/" });
    is(1, "moonwire_connects_refused_total", { namespace: "/" });
    is(1, "moonwire_incidents_total", { kind: "auth_failed" });
    is(3, "moonwire_received_events_total", { namespace: "/", event: "order" });
    is(1, "moonwire_failed_events_total", { namespace: "/", event: "refused" });
    is(3, "moonwire_acknowledgement_seconds_count", { namespace: "/", event: "order" });
    is(3, "moonwire_handler_seconds_count", { namespace: "/", event: "order" });
    is(1, "moonwire_client_acknowledgement_seconds_count", { namespace: "/" });
    is(3, "moonwire_store_requests_total", { kind: "write" });
    is(3, "moonwire_store_request_seconds_count", { kind: "read" });
    is(0, "moonwire_store_errors_total");
    is(1, "moonwire_script_generation", { namespace: "/" });
    is(2, "orders_total", { namespace: "/", status: "new" });
    is(3, "open_orders");
    is(1.5, "order_seconds_sum");
    for (const name of ["moonwire_received_bytes_total", "moonwire_sent_bytes_total", "moonwire_lua_memory_bytes",
      "moonwire_reactor_lag_seconds_count", "moonwire_store_bytes_total", "process_resident_memory_bytes",
      "process_cpu_seconds_total", "process_open_fds", "process_start_time_seconds", "metrics_scrapes_total"]) some(name);
  }
  // One source of figures.
  const stats = await broker.stats();
  assert.strictEqual(stats.connections.refused, value(await figures(broker), "moonwire_refused_requests_total"));
  await broker.stop();
});

test("sockets are counted by namespace and transport, over upgrades, losses and recoveries", async (t) => {
  // With two reactors, one of the namespaces is at home where the connection is not.
  const broker = await start({
    scripts: {
      "app/main.lua": 'local ns = namespace "/"\nns:on("hello", function() return 1 end)',
      "app/other.lua": 'local ns = namespace "/other"\nns:on("hello", function() return 1 end)',
    },
    settings: { "server.threads": 2, "recovery.enabled": true },
  });
  const counts = async () => {
    const all = await figures(broker);
    return ["/", "/other"].map((namespace) => ["polling", "websocket"].map((transport) =>
      value(all, "moonwire_sockets", { namespace, transport })));
  };
  const are = async (what, main, other) => {
    let last;
    await until(async () => (last = JSON.stringify(await counts())) === JSON.stringify([main, other]), what)
      .catch((error) => { throw new Error(`${error.message}; they are ${last}`); });
  };
  const join = async (manager, nsp) => {
    const socket = manager.socket(nsp);
    t.after(() => socket.close());
    await event(socket, "connect");
    return socket;
  };
  const open = async (transports) => {
    const first = await connect(t, broker, "/", { transports });
    return [first, await join(first.io, "/other")];
  };
  await are("nobody", [0, 0], [0, 0]);
  const [polling] = await open(["polling"]);
  await open(["websocket"]);
  await are("one by each", [1, 1], [1, 1]);

  const crowd = await Promise.all(Array.from({ length: 10 }, () => open(["polling", "websocket"])));
  await until(() => crowd.every(([main]) => main.io.engine.transport.name === "websocket"), "the upgrades");
  await are("ten that went over", [1, 11], [1, 11]);
  for (const [, other] of crowd.slice(0, 5)) other.disconnect();
  await are("five that left one of theirs", [1, 11], [1, 6]);

  // The network goes away without a word, and who comes back does so by polling.
  const [main] = crowd[0];
  main.io.engine.close();
  await are("one that is away", [1, 10], [1, 6]);
  main.io.opts.transports = ["polling"];
  main.connect();
  await event(main, "connect");
  assert.strictEqual(main.recovered, true);
  await are("one that came back", [2, 10], [1, 6]);
  polling.io.engine.close();
  await are("one fewer", [1, 10], [0, 6]);
  await broker.stop();
});

test("names that peers make up cost no series, and label values have a limit", async (t) => {
  const broker = await start({ settings: { "metrics.max_series": 5, "metrics.max_events": 1 } });
  const socket = await connect(t, broker);
  const before = (await figures(broker)).size;
  for (let i = 0; i < 500; ++i) socket.emit(`made-up-${i}`, i);
  for (let i = 0; i < 50; ++i) await within(socket.emitWithAck("order", `status-${i}`), "order");
  // Of "ask me", "order" and "refused" one has figures of its own.
  await becomes(broker, "moonwire_received_events_total", { namespace: "/", event: "other" }, 550);
  const all = await figures(broker);
  assert.strictEqual(all.size, before);
  const events = all.get("moonwire_received_events_total").samples.filter((each) => each.labels.namespace === "/");
  assert.deepStrictEqual(events.map((each) => each.labels.event).sort(), ["ask me", "other"]);
  const orders = all.get("orders_total").samples;
  assert.strictEqual(orders.length, 6);
  assert.strictEqual(value(all, "orders_total", { status: "other" }), 45);
  assert.strictEqual(value(all, "orders_total"), 50);
  assert.strictEqual(broker.lines("warn").filter((line) => /too many series/.test(line)).length, 1);
  await broker.stop();
});

test("a family's counters never go back, and a reload keeps all", async (t) => {
  const broker = await start();
  const hello = async (name) => {
    const socket = await connect(t, broker, `/tenant/${name}`);
    assert.strictEqual(await within(socket.emitWithAck("hello"), "hello"), 1);
    socket.disconnect();
  };
  await hello("a");
  await hello("b");
  const family = { namespace: "/tenant/:name" };
  await becomes(broker, "moonwire_namespace_members", family, 0);
  await becomes(broker, "moonwire_disconnects_total", family, 2);
  await hello("a");
  await becomes(broker, "moonwire_disconnects_total", family, 3);
  await becomes(broker, "moonwire_sent_acks_total", family, 3);

  const socket = await connect(t, broker);
  await within(socket.emitWithAck("order", "new"), "order");
  broker.write("app/main.lua", `${SCRIPT}ns:on("later", function() return 1 end)\n`);
  await becomes(broker, "moonwire_script_generation", { namespace: "/" }, 2);
  await within(socket.emitWithAck("order", "new"), "order");
  await becomes(broker, "orders_total", { status: "new" }, 2);
  await becomes(broker, "moonwire_received_events_total", { namespace: "/", event: "order" }, 2);

  broker.write("app/main.lua", SCRIPT.replace('{ "status" }', '{ "status", "kind" }'));
  await broker.logged(/main\.lua:3: metric 'orders_total': has the labels \{status\}, not \{status, kind\}/);
  await becomes(broker, "moonwire_script_load_error", { namespace: "/" }, 1);
  await becomes(broker, "moonwire_script_load_failures_total", {}, 1);
  await within(socket.emitWithAck("order", "new"), "order");
  await becomes(broker, "orders_total", { status: "new" }, 3);
  await broker.stop({ expected: /not loaded: / });
});

test("a token keeps others out, and the path is a setting", async () => {
  const broker = await start({
    settings: { "plugins.metrics.path": "/internal/figures", "plugins.metrics.token": "s3cret" },
  });
  const ask = (authorization) =>
    fetch(`${broker.url}/internal/figures`, { headers: authorization ? { authorization } : {} });
  const refused = await ask();
  assert.strictEqual(refused.status, 401);
  assert.strictEqual(refused.headers.get("www-authenticate"), "Bearer");
  assert.strictEqual((await ask("Bearer wrong")).status, 401);
  assert.strictEqual((await ask("Bearer s3cret")).status, 200);
  assert.strictEqual((await fetch(`${broker.url}/metrics`)).status, 404);
  assert.strictEqual((await fetch(`${broker.url}/internal/figures`, { method: "POST" })).status, 405);
  await broker.stop();
});

test("wrong settings are told before the start", (t) => {
  const folder = scriptsFolder({ "main.lua": 'local ns = namespace "/"' });
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const says = (toml, wanted) => {
    fs.writeFileSync(path.join(folder, "moonwire.toml"), `[plugins]\nload = ["metrics"]\n[plugins.metrics]\n${toml}\n`);
    const { status, stdout, stderr } = moonwire(["check", folder]);
    assert.strictEqual(status, 1);
    assert.match(stdout + stderr, wanted);
  };
  says('token = "${NOBODY_SETS_THIS:-}"', /moonwire\.toml:4: plugins\.metrics\.token: is empty/);
  says('path = "metrics"', /moonwire\.toml:4: plugins\.metrics\.path: expected as in "\/metrics"/);
  says("tokn = 1", /moonwire\.toml:4: plugins\.metrics\.tokn: unknown setting/);
});

const FILES = path.join(ROOT, "plugins/metrics");
const RULES = path.join(FILES, "alerts.yml");

test("the alert rules are right, and fire when they should", () => {
  for (const args of [["check", "rules", RULES], ["test", "rules", path.join(__dirname, "metrics/alerts_test.yml")]]) {
    const done = promtool(args);
    assert.strictEqual(done.status, 0, done.stdout + done.stderr);
  }
});

/// Every expression of the dashboard, its variables' included.
function expressions(dashboard) {
  const found = dashboard.templating.list.flatMap((each) => (each.query?.query ? [each.query.query] : []));
  for (const panel of dashboard.panels) for (const each of panel.targets || []) found.push(each.expr);
  return found;
}
const series = (text) => text.match(/\b(?:moonwire|process)_[a-z_]+/g) || [];

test("the dashboard and the rules use series that there are", async () => {
  const broker = await start();
  const there = names(await figures(broker));
  const dashboard = JSON.parse(fs.readFileSync(path.join(FILES, "grafana.json"), "utf8"));
  const rules = fs.readFileSync(RULES, "utf8").split("\n").filter((line) => !/^ *(#|description|summary)/.test(line));
  const used = [...expressions(dashboard), ...rules].flatMap(series);
  assert.ok(used.length > 60, `${used.length} uses`);
  assert.deepStrictEqual([...new Set(used)].filter((name) => !there.has(name)), []);
  const ids = dashboard.panels.map((panel) => panel.id);
  assert.strictEqual(new Set(ids).size, ids.length);
  await broker.stop();
});

test("a real Prometheus scrapes it, and its dashboard's expressions have values", async (t) => {
  const broker = await start({ settings: { "plugins.metrics.token": "s3cret" } });
  const prometheus = await Prometheus.start({
    target: `127.0.0.1:${broker.port}`, rules: RULES, scrape: "authorization: {credentials: s3cret}",
  });
  t.after(prometheus.kill);
  const socket = await connect(t, broker);
  await until(async () => await prometheus.value('up{job="moonwire"}') === 1, "a scrape");
  for (let i = 0; i < 20; ++i) await within(socket.emitWithAck("order", "new"), "order");
  await until(async () => await prometheus.value("sum(orders_total)") === 20, "the orders");
  assert.strictEqual(await prometheus.value('moonwire_received_events_total{namespace="/", event="order"}'), 20);
  assert.strictEqual(await prometheus.value("sum(moonwire_sockets)"), 1);
  const types = await prometheus.api("metadata", { metric: "moonwire_handler_seconds" });
  assert.strictEqual(types.moonwire_handler_seconds[0].type, "histogram");
  const target = (await prometheus.api("targets")).activeTargets[0];
  assert.deepStrictEqual([target.health, target.lastError], ["up", ""]);

  const { groups } = await prometheus.api("rules");
  assert.ok(groups[0].rules.length > 10);
  await until(async () => (await prometheus.api("rules")).groups[0].rules.every((rule) => rule.health === "ok"), "rules");
  const dashboard = JSON.parse(fs.readFileSync(path.join(FILES, "grafana.json"), "utf8"));
  for (const panel of dashboard.panels)
    for (const { expr } of panel.targets || [])
      await prometheus.api("query", { query: expr.replaceAll("$__rate_interval", "1m").replace(/\$\w+/g, ".*") });
  await prometheus.stop();
  await broker.stop();
});

test("plugins show what they do", async (t) => {
  const other = await Broker.start({ scripts: { "app/main.lua": 'local ns = namespace "/"' } });
  t.after(() => other.stop());
  const broker = await start({
    scripts: {
      "app/main.lua": `
        local ns = namespace "/"
        local jwt = require "plugin.jwt"
        local link = require("plugin.upstream").connect { name = "other", url = "${other.url}" }
        require("plugin.amqp").connect { name = "mq", url = "amqp://127.0.0.1:1" }
        ns:on("token", function() return jwt.sign({ sub = "u" }, 60) end)
        ns:on("verify", function(socket, token) return (pcall(jwt.verify, token)) end)
        ns:on("send", function(socket, what) return (link:emit("sent", what)) end)`,
    },
    settings: { "plugins.load": "metrics,jwt,upstream,amqp" },
  });
  const socket = await connect(t, broker);
  const ask = (...what) => within(socket.emitWithAck(...what), what[0]);
  assert.strictEqual(await ask("verify", await ask("token")), true);
  assert.strictEqual(await ask("verify", "no token at all"), false);
  const link = { namespace: "/", connection: "other" };
  await becomes(broker, "upstream_up", link, 1);
  assert.strictEqual(await ask("send", 1), true);

  const { text } = await scrape(broker);
  const checked = promtool(["check", "metrics"], text);
  assert.deepStrictEqual([checked.status, checked.stdout + checked.stderr], [0, ""]);
  const all = parse(text, false);
  assert.strictEqual(value(all, "jwt_tokens_total", { verdict: "accepted" }), 1);
  assert.strictEqual(value(all, "jwt_tokens_total", { verdict: "unauthorized" }), 1);
  assert.strictEqual(value(all, "upstream_emitted_total", link), 1);
  assert.strictEqual(value(all, "upstream_connects_total", link), 1);
  assert.strictEqual(value(all, "amqp_up", { namespace: "/", connection: "mq" }), 0);
  await broker.stop();
});

test("a browser shows the page as text", async (t) => {
  const broker = await start();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium", chromiumSandbox: false,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${broker.url}/metrics`);
  assert.match(await page.textContent("body"), /^# HELP moonwire_build_info/);
  await broker.stop();
});
