"use strict";
// The plugin amqp, against a real RabbitMQ server: what scripts consume and publish, what survives the server's end
// and the broker's, and that nobody else waits meanwhile.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { after, before, beforeEach, describe, it } = require("node:test");
const { io } = require("socket.io-client");
const { Broker, moonwire, ROOT } = require("./lib/broker");
const { Authority } = require("./lib/certificates");
const { freePort } = require("./lib/ports");
const { RabbitMQ } = require("./lib/rabbitmq");
const { until, within } = require("./lib/wait");

const TOML = (more = "") => `[plugins]\nload = ["amqp"]\n[plugins.amqp]\n${more}\n`;

/// A script with a connection "mq" and what follows.
const script = (url, body, options = "") => `
local ns = namespace "/"
local amqp = require "plugin.amqp"
local mq = amqp.connect { name = "mq", url = "${url}", reconnection_delay = 0.1, reconnection_delay_max = 0.5,
  ${options} }
ns:on("publish", function(socket, ...) return mq:publish(...) end)
ns:on("status", function(socket) return mq:status() end)
ns:on("echo", function(socket, value) return value end)
local got, changes = {}, json.array {}
local function keep(message) table.insert(got, message) end
ns:on("got", function(socket) return json.array(got) end)
ns:on("changes", function(socket) return changes end)
mq:on_status(function(state, detail) table.insert(changes, { state = state, detail = detail }) end)
${body}
`;

const ask = (socket, ...args) => within(
  new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer))), `answer to ${args[0]}`, 60000);

describe("amqp", { skip: RabbitMQ.installed ? false : "rabbitmq-server is not installed" }, () => {
  let rabbit, authority, admin;

  before(async () => {
    authority = new Authority();
    const server = authority.issue("server", "/CN=localhost", "DNS:localhost,IP:127.0.0.1");
    rabbit = await RabbitMQ.start({
      config: ({ tlsPort }) => `listeners.ssl.1 = 127.0.0.1:${tlsPort}
ssl_options.cacertfile = ${authority.file}
ssl_options.certfile = ${server.certificate}
ssl_options.keyfile = ${server.key}
ssl_options.verify = verify_none`,
    });
  });
  // What a failed test left behind must not be the next one's affair.
  beforeEach(async () => {
    if (admin) await admin.close();
    admin = await rabbit.client();
  });
  after(async () => {
    if (admin) await admin.close();
    if (rabbit) await rabbit.stop();
    if (authority) authority.discard();
  });

  /// A broker over the script, with a client: `ask(event, …)` gives the acknowledgement's values.
  const start = async (t, body, { url = rabbit.url(), options, toml, ...rest } = {}) => {
    const broker = await Broker.start({
      scripts: { "main.lua": script(url, body, options) }, toml: TOML(toml), ...rest,
    });
    t.after(() => broker.discard());
    const client = io(broker.url, { transports: ["websocket"], forceNew: true });
    t.after(() => client.close());
    broker.ask = (...args) => ask(client, ...args);
    broker.status = async () => (await broker.ask("status"))[0];
    broker.got = async () => (await broker.ask("got"))[0];
    /// Waits until the status satisfies this.
    broker.reaches = (check, what) => until(async () => check(await broker.status()), what, 60000);
    broker.consumes = () => broker.reaches(
      ({ consumers }) => consumers.length > 0 && consumers.every(({ state }) => state === "consuming"), "consumers");
    return broker;
  };
  const send = (queue, body, options) => new Promise((resolve, reject) => {
    admin.channel.sendToQueue(queue, Buffer.from(body), options, (error) => (error ? reject(error) : resolve()));
  });
  /// The next message of the queue.
  const take = (queue) => until(() => admin.channel.get(queue, { noAck: true }), `a message in ${queue}`);
  /// Messages that are there and given to nobody.
  const ready = async (queue) => (await admin.channel.checkQueue(queue)).messageCount;

  it("consumes a topic and acknowledges after the handler succeeded", async (t) => {
    const broker = await start(t, `
      mq:consume("topics", { exchange = "orders", bind = { "order.*", "user.new" }, prefetch = 1 }, function(message)
        while ns.state.hold do sleep(0.01) end
        keep { key = message.routing_key, exchange = message.exchange, json = message.json, body = message.body,
          id = message.message_id, correlation = message.correlation_id, reply_to = message.reply_to,
          headers = message.headers, redelivered = message.redelivered }
      end)
      ns:on("hold", function(socket, on) ns.state.hold = on end)`);
    await broker.consumes();
    await broker.ask("hold", true);
    assert.deepStrictEqual(
      await broker.ask("publish", "orders", "order.new", { n: 1 }, {
        headers: { tenant: "a", n: 2 }, message_id: "m1", correlation_id: "c1", reply_to: "answers",
      }), [true]);
    assert.deepStrictEqual(await broker.ask("publish", "orders", "user.new", "no json"), [true]);
    // One is in hand, which is what the prefetch allows; the other waits.
    await broker.reaches(({ consumers }) => consumers[0].in_hand === 1, "a message in hand");
    assert.strictEqual((await broker.status()).acknowledged, 0);
    await until(async () => (await ready("topics")) === 1, "the other to wait");
    await broker.ask("hold", false);
    await broker.reaches(({ acknowledged }) => acknowledged === 2, "acknowledgements");
    const [first, second] = await broker.got();
    assert.deepStrictEqual(first, {
      key: "order.new", exchange: "orders", json: { n: 1 }, body: '{"n":1}', id: "m1", correlation: "c1",
      reply_to: "answers", headers: { tenant: "a", n: 2 }, redelivered: false,
    });
    assert.strictEqual(second.body, "no json");
    assert.strictEqual(second.json, undefined);
    assert.match(second.id, /^[0-9a-f-]{36}$/);
    const status = await broker.status();
    assert.strictEqual(status.state, "connected");
    assert.strictEqual(status.url, `amqp://127.0.0.1:${rabbit.port}/`);
    assert.strictEqual(status.sent, 2);
    assert.strictEqual(status.queued, 0);
    assert.strictEqual(status.uptime_percent, 100);
    await broker.stop();
    assert.strictEqual(await ready("topics"), 0);
  });

  it("publishes tables, texts and bytes, persistent unless asked otherwise", async (t) => {
    await admin.channel.assertQueue("plain", { durable: true });
    const broker = await start(t, `
      ns:on("bytes", function() return mq:publish("", "plain", bytes("\\0\\255"), { persistent = false, priority = 3 }) end)
      ns:on("bad", function(socket, options)
        local ok, why = pcall(mq.publish, mq, "", "plain", "x", options)
        return why
      end)`);
    assert.deepStrictEqual(await broker.ask("publish", "", "plain", { a: [1, null], b: {} }), [true]);
    assert.deepStrictEqual(await broker.ask("publish", "", "plain", "text", { expires: 60 }), [true]);
    assert.deepStrictEqual(await broker.ask("bytes"), [true]);
    const [table, text, binary] = [await take("plain"), await take("plain"), await take("plain")];
    assert.deepStrictEqual(JSON.parse(table.content), { a: [1, null], b: {} });
    assert.strictEqual(table.properties.contentType, "application/json");
    assert.strictEqual(table.properties.deliveryMode, 2);
    assert.strictEqual(text.content.toString(), "text");
    assert.strictEqual(text.properties.expiration, "60000");
    assert.deepStrictEqual([...binary.content], [0, 255]);
    assert.strictEqual(binary.properties.deliveryMode, 1);
    assert.strictEqual(binary.properties.priority, 3);
    assert.match((await broker.ask("bad", { prioritty: 1 }))[0], /amqp\.publish: prioritty: is no option here/);
    await broker.stop();
  });

  it("tries again later, then gives to the dead letters with the reason", async (t) => {
    const broker = await start(t, `
      mq:consume("work", { retries = 2, retry_delay = 0.05, dead_letter = "work.dead" }, function(message)
        keep { retries = message.retries, key = message.routing_key, n = message.json.n }
        if message.json.n == 1 then fail("no_luck", "not today") end
        if message.json.n == 2 and message.retries < 1 then error("a bug") end
      end)`);
    await broker.consumes();
    await broker.ask("publish", "", "work", { n: 1 }, { message_id: "m1", headers: { own: true } });
    await broker.ask("publish", "", "work", { n: 2 });
    const dead = await take("work.dead");
    assert.strictEqual(dead.content.toString(), '{"n":1}');
    assert.strictEqual(dead.properties.messageId, "m1");
    const { headers } = dead.properties;
    assert.strictEqual(headers.own, true);
    assert.strictEqual(headers["x-moonwire-error"], "no_luck: not today");
    assert.strictEqual(headers["x-moonwire-tries"], 3);
    assert.strictEqual(headers["x-moonwire-queue"], "work");
    assert.strictEqual(headers["x-moonwire-routing-key"], "work");
    await broker.reaches(
      ({ acknowledged, dead_lettered: dead }) => acknowledged === 1 && dead === 1, "what becomes of both");
    const tries = (await broker.got()).filter(({ n }) => n === 1);
    assert.deepStrictEqual(tries.map(({ retries, key }) => [retries, key]), [[0, "work"], [1, "work"], [2, "work"]]);
    const status = await broker.status();
    assert.deepStrictEqual([status.retried, status.dead_lettered, status.rejected], [3, 1, 0]);
    await broker.stop({ expected: /a bug/ });
    for (const queue of ["work", "work.dead", "work.retry.50"]) assert.strictEqual(await ready(queue), 0, queue);
  });

  it("says what can't be routed, and only that fails", async (t) => {
    await admin.channel.assertQueue("routed", { durable: true });
    const broker = await start(t, `
      ns:on("many", function(socket)
        local calls = {}
        for i = 1, 20 do
          calls[i] = function()
            local ok, why = mq:publish(i == 10 and "nowhere" or "", i == 15 and "nobody" or "routed", { i = i })
            return ok or why
          end
        end
        return { gather(unpack(calls)) }
      end)`);
    const [answers] = await broker.ask("many");
    assert.match(answers[9], /NOT_FOUND - no exchange 'nowhere'/);
    assert.match(answers[14], /^unroutable: NO_ROUTE/);
    assert.strictEqual(answers.filter((each) => each === true).length, 18);
    const there = new Set();
    for (let message; (message = await admin.channel.get("routed", { noAck: true }));) {
      there.add(JSON.parse(message.content).i);
    }
    assert.strictEqual(there.size, 18);
    assert.strictEqual((await broker.status()).failed, 2);
    await broker.stop();
  });

  it("refuses beyond its buffer, and gives up in time, while the server is away", async (t) => {
    const broker = await start(t, "", {
      url: `amqp://guest:hidden@127.0.0.1:${await freePort()}`, options: "buffer = 3, buffer_bytes = 100",
    });
    assert.deepStrictEqual(await broker.ask("publish", "", "q", "x".repeat(101)), [null, "buffer full"]);
    const waiting = [1, 2, 3].map(() => broker.ask("publish", "", "q", "x", { timeout: 1 }));
    await broker.reaches(({ queued }) => queued === 3, "a full buffer");
    assert.deepStrictEqual(await broker.ask("publish", "", "q", "x"), [null, "buffer full"]);
    for (const each of waiting) assert.deepStrictEqual(await each, [null, "timeout"]);
    const status = await broker.status();
    assert.deepStrictEqual([status.state, status.connected, status.queued], ["disconnected", false, 0]);
    assert.deepStrictEqual([status.dropped, status.failed], [2, 3]);
    assert.match(status.last_error, /^connect: /);
    assert.strictEqual(status.uptime_percent, 0);
    await broker.stop();
    assert.doesNotMatch(broker.stderr, /hidden/);
  });

  it("tells a refused login from an absent server, and shows no password", async (t) => {
    const broker = await start(t, "", { url: `amqp://guest:hidden@127.0.0.1:${rabbit.port}` });
    await broker.reaches(({ state }) => state === "refused", "refusal");
    const { last_error: error } = await broker.status();
    assert.match(error, /ACCESS_REFUSED/);
    assert.strictEqual((await broker.ask("changes"))[0].at(-1).state, "refused");
    await broker.stop();
    assert.match(broker.stderr, /refused/);
    assert.doesNotMatch(broker.stderr + JSON.stringify(error), /hidden/);
  });

  it("goes on after the server's end under load: all confirmed arrives in order, and nobody waits", async (t) => {
    const broker = await start(t, `
      mq:consume("load", { prefetch = 50 }, function(message) keep(message.json.i) end)`);
    await broker.consumes();
    let sent = 0;
    let loading = true;
    const confirmed = [];
    const load = (async () => {
      const under = [];
      while (loading) {
        // A socket may have so many events in flight, and no more.
        if (sent - confirmed.length < 900) {
          const i = sent++;
          under.push(broker.ask("publish", "", "load", { i }).then(([ok]) => ok === true && confirmed.push(i)));
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await Promise.all(under);
    })();
    const enough = (count) => until(() => confirmed.length >= count, `${count} confirmed`);
    await enough(100);
    await rabbit.halt("SIGTERM");
    await broker.reaches(({ state }) => state === "disconnected", "its end to be noticed");
    // The broker's other work goes on: an echo a time, as before.
    for (let i = 0; i < 50; ++i) assert.deepStrictEqual(await broker.ask("echo", i), [i]);
    await broker.reaches(({ queued }) => queued >= 100, "a queue");
    await rabbit.resume();
    await broker.reaches(({ state }) => state === "connected", "its return");
    await broker.consumes();
    await enough(sent);
    loading = false;
    await load;
    await broker.reaches(({ received, acknowledged }) => received === acknowledged, "acknowledgements");
    const got = await until(async () => {
      const all = await broker.got();
      return new Set(all).size === sent && all;
    }, "all messages");
    assert.strictEqual(confirmed.length, sent);
    // What the server had not confirmed came twice, at most; the first time each came in order.
    assert.deepStrictEqual([...new Set(got)], [...Array(sent).keys()]);
    const status = await broker.status();
    assert.deepStrictEqual([status.reconnections, status.queued, status.dropped], [1, 0, 0]);
    assert.ok(status.uptime_percent < 100);
    const changes = (await broker.ask("changes"))[0].map(({ state }) => state);
    assert.deepStrictEqual(changes, ["connected", "disconnected", "connected"]);
    await broker.stop();
  });

  it("a server that hangs, or takes no messages, is away, and nobody waits", async (t) => {
    const broker = await start(t, `mq:consume("hung", {}, keep)`, { toml: "heartbeat_seconds = 2" });
    await broker.consumes();
    rabbit.child.kill("SIGSTOP");
    const away = broker.ask("publish", "", "hung", { n: 1 });
    try {
      await broker.reaches(({ state }) => state === "disconnected", "its silence to be noticed");
      assert.match((await broker.status()).last_error, /heartbeat/i);
      assert.deepStrictEqual(await broker.ask("echo", 1), [1]);
    } finally {
      rabbit.child.kill("SIGCONT");
    }
    assert.deepStrictEqual(await away, [true]);
    await rabbit.control("set_vm_memory_high_watermark", "0");
    const blocked = broker.ask("publish", "", "hung", { n: 2 });
    await broker.reaches(({ state }) => state === "blocked", "the alarm");
    assert.match((await broker.ask("changes"))[0].at(-1).detail, /memory/);
    assert.deepStrictEqual(await broker.ask("echo", 2), [2]);
    await rabbit.control("set_vm_memory_high_watermark", "0.6");
    assert.deepStrictEqual(await blocked, [true]);
    await broker.reaches(({ state, queued }) => state === "connected" && queued === 0, "its end");
    await broker.stop();
  });

  it("a killed server's durable queues and retries are there again", async (t) => {
    const broker = await start(t, `
      mq:consume("durable", { retries = 5, retry_delay = 3 }, function(message)
        keep(message.retries)
        if message.retries == 0 then fail("first", "time") end
      end)`);
    await broker.consumes();
    await broker.ask("publish", "", "durable", { n: 1 });
    await broker.reaches(({ retried }) => retried === 1, "a retry");
    await rabbit.halt("SIGKILL");
    await rabbit.resume();
    // The first try may come again, too, if the server died before it wrote down that it was over.
    await until(async () => (await broker.got()).at(-1) === 1, "the second try");
    await broker.stop();
  });

  it("what a killed broker had in hand comes again", async (t) => {
    const body = (hold) => `
      mq:consume("killed", { prefetch = 10 }, function(message)
        keep { n = message.json.n, redelivered = message.redelivered }
        ${hold ? "sleep(3600)" : ""}
      end)`;
    const first = await start(t, body(true));
    await first.consumes();
    for (let n = 0; n < 10; ++n) await send("killed", JSON.stringify({ n }));
    await until(async () => (await first.got()).length === 10, "all in hand");
    first.signal("SIGKILL");
    await first.exited;
    const second = await start(t, body(false));
    await second.reaches(({ acknowledged }) => acknowledged === 10, "all again");
    assert.deepStrictEqual(
      await second.got(), [...Array(10).keys()].map((n) => ({ n, redelivered: true })));
    await second.stop();
  });

  it("a broker that ends gives back what it has in hand, uncounted", async (t) => {
    const broker = await start(t, `
      mq:consume("ended", { prefetch = 1, retries = 0 }, function(message)
        keep(message.body)
        if message.body ~= "done" then sleep(3600) end
      end)`);
    await broker.consumes();
    for (const body of ["done", "in hand", "waiting"]) await send("ended", body);
    await until(async () => (await broker.got()).includes("in hand"), "a message in hand");
    await broker.stop();
    assert.strictEqual(await ready("ended"), 2);
    assert.strictEqual((await take("ended")).content.toString(), "in hand");
  });

  it("a reload keeps the connection, takes the new handler, and lets go of what is not wanted", async (t) => {
    const handler = (text) => `mq:consume("reloaded", {}, function(message) keep("${text}") end)`;
    const broker = await start(t, handler("old"), { args: ["--watch=false"] });
    await broker.consumes();
    const since = (await broker.status()).attempts;
    const reload = async (body, options) => {
      const before = broker.stderr.split("scripts reloaded").length;
      broker.write("main.lua", script(rabbit.url(), body, options));
      broker.signal("SIGHUP");
      await until(() => broker.stderr.split("scripts reloaded").length > before, "a reload");
    };
    await reload(handler("new"));
    await send("reloaded", "x");
    await until(async () => (await broker.got()).length === 1, "a message");
    assert.deepStrictEqual(await broker.got(), ["new"]);
    await reload("");
    await until(async () => (await admin.channel.checkQueue("reloaded")).consumerCount === 0, "no consumer");
    assert.deepStrictEqual((await broker.status()).consumers, []);
    assert.strictEqual((await broker.status()).attempts, since);
    // Another address, another connection.
    await reload(handler("newest"), "buffer = 5");
    await broker.consumes();
    await broker.stop();
  });

  it("a consumer whose queue was deleted declares it again; one that may not says why", async (t) => {
    const broker = await start(t, `
      mq:consume("deleted", {}, function(message) keep(message.body) end)
      mq:consume("", { exchange = "amq.topic", bind = { "news" }, retries = 1, retry_delay = 0 }, function(message)
        keep("topic " .. message.body)
        if message.retries == 0 then fail("again") end
      end)
      mq:consume("wrong", { dead_letter = { exchange = "missing" } }, keep)`);
    const state = async (queue) => (await broker.status()).consumers.find((each) => each.queue === queue);
    await until(async () => (await state("deleted")).state === "consuming", "the queue");
    await until(async () => /no exchange 'missing'/.test((await state("wrong")).error), "the reason");
    await admin.channel.deleteQueue("deleted");
    await until(async () => (await state("deleted")).error === "the queue was deleted", "the loss");
    await until(async () => (await state("deleted")).state === "consuming", "the queue again");
    await send("deleted", "back");
    await until(async () => (await broker.got()).includes("back"), "a message");
    admin.channel.publish("amq.topic", "news", Buffer.from("one"));
    await until(async () => (await broker.got()).filter((each) => each === "topic one").length === 2, "a retry");
    await broker.stop();
    assert.match(broker.stderr, /consumer failed.*no exchange 'missing'/);
  });

  it("speaks TLS to a server that it has reason to trust, and to no other", async (t) => {
    const url = `amqps://guest:guest@localhost:${rabbit.tlsPort}`;
    await admin.channel.assertQueue("tls", { durable: true });
    const trusting = await start(t, "", { url, toml: `ca_file = "${authority.file}"` });
    assert.deepStrictEqual(await trusting.ask("publish", "", "tls", "secret"), [true]);
    assert.strictEqual((await take("tls")).content.toString(), "secret");
    await trusting.stop();
    const wary = await start(t, "", { url });
    await wary.reaches(({ state, last_error: why }) => state === "disconnected" && /SSL/.test(why), "distrust");
    await wary.stop();
    const careless = await start(t, "", { url, toml: "insecure = true" });
    assert.deepStrictEqual(await careless.ask("publish", "", "tls", "x"), [true]);
    await careless.stop();
  });

  it("options that are wrong end the load with their line; a check connects to nothing", async (t) => {
    const cases = [
      ['local mq = amqp.connect { name = "a" }', /main\.lua:3: .*amqp\.connect: url: expected amqp:/],
      ['amqp.connect { name = "a", url = "amqp://h", bufer = 1 }', /main\.lua:3: .*bufer: is no option here/],
      ['mq:consume("q", { prefetch = 0 }, function() end)', /main\.lua:3: .*amqp\.consume: prefetch: expected a whole number/],
      ['mq:consume("q", {})', /main\.lua:3: .*amqp\.consume: expected a function, got nil/],
      ['mq:consume("q", function() end) mq:consume("q", function() end)', /main\.lua:3: .*'q' is consumed already/],
      ['amqp.connect { name = "mq", url = "amqp://h" }', /main\.lua:3: .*there is a connection 'mq' already/],
      ['mq:publish("", "q", "x")', /main\.lua:3: .*publish.*load/],
    ];
    for (const [line, pattern] of cases) {
      const folder = fs.mkdtempSync(path.join(authority.folder, "check-"));
      fs.writeFileSync(path.join(folder, "moonwire.toml"), TOML());
      fs.writeFileSync(path.join(folder, "main.lua"), `local ns, amqp = namespace "/", require "plugin.amqp"
local mq = amqp.connect { name = "mq", url = "${rabbit.url()}" }
${line}\n`);
      const check = moonwire(["check", folder]);
      assert.strictEqual(check.status, 1, line);
      assert.match(check.stdout, pattern);
    }
    const folder = fs.mkdtempSync(path.join(authority.folder, "check-"));
    for (const [toml, pattern] of [
      ["heartbeat_seconds = 1", /moonwire\.toml:4: plugins\.amqp\.heartbeat_seconds: expected/],
      ['key = "x.pem"', /plugins\.amqp: expected both certificate and key/],
      ["urll = 1", /plugins\.amqp\.urll: unknown setting/],
    ]) {
      fs.writeFileSync(path.join(folder, "moonwire.toml"), TOML(toml));
      fs.writeFileSync(path.join(folder, "main.lua"), 'local ns = namespace "/"\n');
      assert.match(moonwire(["check", folder]).stdout, pattern);
    }
  });

  it("what the document shows works", async (t) => {
    const text = fs.readFileSync(path.join(ROOT, "plugins/README.md"), "utf8");
    const [, example] = /^## amqp$[^]*?^```lua\n([^]*?)^```$/m.exec(text);
    const broker = await Broker.start({
      scripts: { "orders.lua": example },
      toml: `${TOML()}[settings.amqp]\nurl = "${rabbit.url()}"\n`,
    });
    t.after(() => broker.discard());
    await admin.channel.assertExchange("billing", "topic", { durable: true });
    await admin.channel.assertQueue("completed", { durable: true });
    await admin.channel.bindQueue("completed", "billing", "order.*");
    const client = io(`${broker.url}/orders`, { transports: ["websocket"], forceNew: true });
    t.after(() => client.close());
    assert.deepStrictEqual(await ask(client, "order:complete", { id: 1 }), [{ success: true }]);
    assert.deepStrictEqual(JSON.parse((await take("completed")).content), { id: 1 });
    await until(async () => (await ask(client, "billing:health"))[0].consumers[0].state === "consuming", "a consumer");
    admin.channel.publish("billing", "invoice.new", Buffer.from('{"orderId":7}'));
    await until(async () => (await ask(client, "billing:health"))[0].acknowledged === 1, "an invoice");
    await broker.stop();
  });

  it("has no more connections than it may", async (t) => {
    const broker = await start(t, `
      local more = amqp.connect { name = "other", url = "${rabbit.url()}" }
      ns:on("more", function()
        local sent, why = more:publish("", "x", "x")
        return more:status().state, sent or null, why
      end)`, { toml: "connections = 1" });
    await broker.reaches(({ state }) => state === "connected", "the first");
    assert.deepStrictEqual(await broker.ask("more"), ["closed", null, "closed"]);
    await broker.stop({ expected: /too many connections/ });
    assert.match(broker.stderr, /too many connections \(plugins\.amqp\.connections\)/);
  });
});
