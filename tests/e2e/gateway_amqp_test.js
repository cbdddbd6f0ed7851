"use strict";
// The gateway with workers behind RabbitMQ: a real server, and consumers as anybody would write them.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { after, before, describe, it } = require("node:test");
const jwt = require("jsonwebtoken");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");
const { RabbitMQ } = require("./lib/rabbitmq");
const { until } = require("./lib/wait");

const SECRET = "a secret of more than thirty-two bytes";

describe("the gateway over RabbitMQ", { skip: RabbitMQ.installed ? false : "rabbitmq-server is not installed" }, () => {
  let rabbit, admin, broker, socket;
  const clients = new Clients(), responses = [], updates = [];
  const answer = (requestId) => until(
    () => responses.find((each) => each.requestId === requestId), `answer to ${requestId}`);
  const ask = (requestId, toolId, message) => socket.emitWithAck("ai_request", { requestId, toolId, message });
  const reply = (job, type, fields) => admin.channel.sendToQueue("gateway.replies",
    Buffer.from(JSON.stringify({ jobId: job.jobId, type, ...fields })));

  before(async () => {
    rabbit = await RabbitMQ.start();
    admin = await rabbit.client();
    broker = await Broker.start({
      app: "gateway", env: { GATEWAY_AMQP_URL: rabbit.url(), JWT_SECRET: SECRET },
      settings: { "plugins.load": "jwt,amqp", "settings.workers.sweep_seconds": 0.1 },
      before: (folder) => fs.appendFileSync(path.join(folder, "gateway/moonwire.toml"),
        "\n[settings.requests.timeouts]\nslow = 1\n"),
    });
    socket = await clients.open(broker, "/", { auth: { userId: "u1", sessionId: "s1" } });
    socket.on("ai_response", (each) => responses.push(each)).on("status_update", (each) => updates.push(each));
  });
  after(async () => {
    clients.closeAll();
    await broker?.stop();
    await admin?.close();
    await rabbit?.stop();
  });

  it("asks consumers, and passes on what they say", async () => {
    await admin.channel.assertQueue("gateway.shout");
    let seen;
    await admin.channel.consume("gateway.shout", (delivery) => {
      const job = JSON.parse(delivery.content);
      seen = { ...job, correlation: delivery.properties.correlationId, replyTo: delivery.properties.replyTo };
      reply(job, "status_update", { progress: 50, message: "half way" });
      reply(job, "ai_response", { response: job.message.toUpperCase() });
      admin.channel.ack(delivery);
    });
    await ask("r1", "shout", "hello");
    const { success, response, attempts } = await answer("r1");
    assert.deepStrictEqual([success, response, attempts], [true, "HELLO", 1]);
    assert.deepStrictEqual([seen.requestId, seen.toolId, seen.userId, seen.correlation, seen.replyTo],
      ["r1", "shout", "u1", "r1", "gateway.replies"]);
    assert.ok(updates.some((each) => each.requestId === "r1"));
  });

  it("answers with an error what no queue takes, and what nobody does in time", async () => {
    await ask("r2", "nobody", "x");
    assert.strictEqual((await answer("r2")).error.code, "no_worker");
    await admin.channel.assertQueue("gateway.slow");
    await ask("r3", "slow", "x");
    assert.strictEqual((await answer("r3")).error.code, "timeout");
  });

  it("keeps a request that waits in a queue when the broker is killed, and hears its answer", async () => {
    await admin.channel.assertQueue("gateway.patient");
    await ask("r4", "patient", "waits");
    const delivery = await until(() => admin.channel.get("gateway.patient", { noAck: true }), "the job");
    await broker.restart({ signal: "SIGKILL" });
    reply(JSON.parse(delivery.content), "ai_response", { response: "done at last" });
    assert.strictEqual((await answer("r4")).response, "done at last");
    assert.strictEqual(responses.filter((each) => each.requestId === "r4").length, 1);
  });

  it("goes on with its own workers while RabbitMQ is away, and with RabbitMQ's when it is back", async () => {
    await admin.channel.assertQueue("gateway.returning");
    await rabbit.halt();
    const token = jwt.sign({ sub: "w", role: "worker" }, SECRET, { expiresIn: 600 });
    const worker = await clients.open(broker, "/workers", { auth: { token, workerId: "own", tools: ["own"] } });
    worker.on("ai_request", (job) => worker.emit("ai_response", { jobId: job.jobId, response: "mine" }));
    await ask("r5", "returning", "x");
    await ask("r6", "own", "x");
    assert.strictEqual((await answer("r6")).response, "mine");
    await rabbit.resume();
    admin = await rabbit.client();
    const delivery = await until(() => admin.channel.get("gateway.returning", { noAck: true }), "the job", 60000);
    reply(JSON.parse(delivery.content), "ai_response", { response: "back" });
    assert.strictEqual((await answer("r5")).response, "back");
  });
});
