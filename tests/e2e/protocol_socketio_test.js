"use strict";
// Socket.IO v5 on the wire, as the reference server speaks it.

const assert = require("node:assert");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { Polling, Ws } = require("./lib/engine");
const { until } = require("./lib/wait");

describe("Socket.IO", () => {
  let broker;
  before(async () => { broker = await Broker.start(); });
  after(() => broker.stop({ expected: /a bug of the test's own/ }));

  /// A client of "/" whose greeting is taken in.
  const client = async (auth = "") => {
    const ws = await Ws.client(broker, "", auth);
    ws.greeting = await ws.next();
    return ws;
  };
  const echoes = async (ws) => {
    ws.send('42["message","alive"]');
    assert.strictEqual(await ws.next(), '42["message-back","alive"]');
  };

  describe("connect", () => {
    it("joins the main namespace with an id that is not the session's", async () => {
      const ws = await client();
      const { sid, ...rest } = JSON.parse(ws.joined.slice(2));
      assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
      assert.deepStrictEqual(rest, {});
      assert.notStrictEqual(sid, ws.handshake.sid);
      await ws.close();
    });

    it("hands the handler what the client presents", async () => {
      const ws = await client('{"token":"123","deep":{"list":[1,null,"ü"]}}');
      assert.deepStrictEqual(
        JSON.parse(ws.greeting.slice(2)), ["auth", { token: "123", deep: { list: [1, null, "ü"] } }]);
      await ws.close();
    });

    it("joins other namespaces over the same connection", async () => {
      const ws = await client();
      ws.send("40/custom,");
      assert.match(await ws.next(), /^40\/custom,\{"sid":"[^"]+"\}$/);
      assert.strictEqual(await ws.next(), '42/custom,["auth",{}]');
      ws.send('42/custom,["message",1]', '42["message",2]');
      // Namespaces may live on different threads: only within one is there an order.
      assert.deepStrictEqual(
        [await ws.next(), await ws.next()].sort(), ['42["message-back",2]', '42/custom,["message-back",1]'].sort());
      await ws.close();
    });

    it("takes a namespace without a comma, and one with a payload", async () => {
      const ws = await Ws.client(broker, "/custom");
      assert.match(ws.joined, /^40\/custom,\{/);
      await ws.close();
      const other = await Ws.client(broker, "/custom,", '{"token":"abc"}');
      assert.strictEqual(await other.next(), '42/custom,["auth",{"token":"abc"}]');
      await other.close();
    });

    it("refuses an unknown namespace, and the connection lives on", async () => {
      const ws = await Ws.client(broker, "/random");
      assert.strictEqual(ws.joined, '44/random,{"message":"Invalid namespace"}');
      ws.send("40");
      assert.match(await ws.next(), /^40\{/);
      await ws.close();
    });

    it("passes on a middleware's refusal", async () => {
      const ws = await Ws.client(broker, "/private,", '{"token":"bad"}');
      assert.deepStrictEqual(JSON.parse(ws.joined.slice("44/private,".length)), {
        message: "wrong token", data: { hint: "try another", code: "forbidden" },
      });
      ws.send('40/private,{"token":"good"}');
      assert.match(await ws.next(), /^40\/private,\{"sid"/);
      await ws.close();
    });

    it("finishes a middleware that waits before the next packet of its client", async () => {
      const ws = await Ws.session(broker);
      ws.send('40/private,{"token":"slow"}');
      assert.match(await ws.next(), /^40\/private,\{"sid"/);
      await ws.close();
    });

    it("serves a family of namespaces", async () => {
      const ws = await Ws.client(broker, "/tenant/blue,");
      assert.match(ws.joined, /^40\/tenant\/blue,\{/);
      ws.send('42/tenant/blue,1["who"]');
      const [who] = JSON.parse((await ws.next()).slice("43/tenant/blue,1".length));
      assert.deepStrictEqual([who.nsp, who.params], ["/tenant/blue", { name: "blue" }]);
      for (const name of ["/tenant", "/tenant/", "/tenant/a/b"]) {
        ws.send(`40${name},`);
        assert.strictEqual(await ws.next(), `44${name},{"message":"Invalid namespace"}`);
      }
      await ws.close();
    });

    it("keeps the members of a family apart", async () => {
      const [blue, other, red] = await Promise.all(
        ["blue", "blue", "red"].map((name) => Ws.client(broker, `/tenant/${name},`)));
      blue.send('42/tenant/blue,["all","for blue"]');
      assert.strictEqual(await other.next(), '42/tenant/blue,["said","for blue"]');
      red.send('42/tenant/red,["all","for red"]');
      assert.strictEqual(await red.next(), '42/tenant/red,["said","for red"]');
      red.send('42/tenant/red,["family","for all"]');
      assert.strictEqual(await other.next(), '42/tenant/blue,["said","for all"]');
      await Promise.all([blue, other, red].map((ws) => ws.close()));
    });

    it("leads an alias to its namespace, under the client's own name for it", async () => {
      const ws = await Ws.client(broker, "/old,");
      assert.match(ws.joined, /^40\/old,\{"sid"/);
      assert.strictEqual(await ws.next(), '42/old,["auth",{}]');
      const other = await Ws.client(broker, "/custom,");
      await other.next();
      other.send('42/custom,["all","hello"]');
      assert.strictEqual(await ws.next(), '42/old,["said","hello"]');
      await Promise.all([ws.close(), other.close()]);
    });
  });

  describe("disconnect", () => {
    it("leaves one namespace and stays in the others", async () => {
      const ws = await client();
      ws.send("40/custom,");
      await ws.next();
      await ws.next();
      ws.send("41/custom,", '42["message","alive"]');
      assert.strictEqual(await ws.next(), '42["message-back","alive"]');
      await ws.close();
    });

    it("lets a client come back to a namespace it left", async () => {
      const ws = await client();
      ws.send("40/custom,");
      await ws.next();
      await ws.next();
      ws.send("41/custom,", "40/custom,");
      assert.match(await ws.next(), /^40\/custom,\{"sid"/);
      assert.strictEqual(await ws.next(), '42/custom,["auth",{}]');
      await ws.close();
    });

    it("tells a client that the server put it out of a namespace", async () => {
      const ws = await client();
      ws.send('42["kick",false]');
      assert.strictEqual(await ws.next(), "41");
      ws.send("40");
      assert.match(await ws.next(), /^40\{/);
      await ws.close();
    });
  });

  describe("events", () => {
    for (const [what, text] of [
      ["numbers", '1,-1,0,1.5,-0.25,1e+21,9007199254740991,-9007199254740991'],
      ["texts", '"","ü€😀","\\u0000\\u001f\\"\\\\/"'],
      ["containers", '[],{},[[],{}],{"a":[],"b":{}}'],
      ["null and booleans", 'null,true,false,[null],{"a":null}'],
      ["nothing between", '"a",null'],
    ]) {
      it(`brings ${what} back as they were`, async () => {
        const ws = await client();
        ws.send(`42["message",${text}]`);
        const reply = await ws.next();
        assert.deepStrictEqual(JSON.parse(reply.slice(2)), ["message-back", ...JSON.parse(`[${text}]`)]);
        await ws.close();
      });
    }

    it("keeps integers that no double holds as exact text", async () => {
      const ws = await client();
      ws.send('42["message",9007199254740993,-12345678901234567890]');
      assert.strictEqual(
        await ws.next(), '42["message-back","9007199254740993","-12345678901234567890"]');
      await ws.close();
    });

    it("keeps the order of events and attachments", async () => {
      const ws = await client();
      for (let i = 0; i < 100; i++) {
        ws.send(`42["message",${i}]`);
        ws.send('451-["message",{"_placeholder":true,"num":0}]', Buffer.from([i]));
      }
      for (let i = 0; i < 100; i++) {
        assert.strictEqual(await ws.next(), `42["message-back",${i}]`);
        assert.strictEqual(await ws.next(), '451-["message-back",{"_placeholder":true,"num":0}]');
        assert.deepStrictEqual(await ws.next(), Buffer.from([i]));
      }
      await ws.close();
    });

    it("finds binary wherever it is nested", async () => {
      const ws = await client();
      ws.send('452-["message",{"a":[{"_placeholder":true,"num":1}],"b":{"_placeholder":true,"num":0}},"t"]',
              Buffer.from("first"), Buffer.from("second"));
      const [, value, text] = JSON.parse((await ws.next()).slice("452-".length));
      const attachments = [await ws.next(), await ws.next()];
      assert.strictEqual(text, "t");
      assert.strictEqual(attachments[value.a[0].num].toString(), "second");
      assert.strictEqual(attachments[value.b.num].toString(), "first");
      await ws.close();
    });

    it("ignores an event that nobody handles, and does not acknowledge it", async () => {
      const ws = await client();
      ws.send('427["nobody handles this",1]', '42[17,"a number for a name"]');
      await echoes(ws);
      await ws.close();
    });
  });

  describe("acknowledgements", () => {
    it("answers with the handler's values under the client's id", async () => {
      const ws = await client();
      ws.send('42456["message-with-ack",1,"2",{"3":[false]}]');
      assert.strictEqual(await ws.next(), '43456[1,"2",{"3":[false]}]');
      ws.send('420["message-with-ack"]');
      assert.strictEqual(await ws.next(), "430[]");
      ws.send('429007199254740991["message-with-ack",1]');
      assert.strictEqual(await ws.next(), "439007199254740991[1]");
      await ws.close();
    });

    it("answers with binary", async () => {
      const ws = await client();
      ws.send('451-789["message-with-ack",{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3]));
      assert.strictEqual(await ws.next(), '461-789[{"_placeholder":true,"num":0}]');
      assert.deepStrictEqual(await ws.next(), Buffer.from([1, 2, 3]));
      await ws.close();
    });

    it("answers in a namespace", async () => {
      const ws = await Ws.client(broker, "/custom,");
      await ws.next();
      ws.send('42/custom,5["message-with-ack","a"]');
      assert.strictEqual(await ws.next(), '43/custom,5["a"]');
      await ws.close();
    });

    it("answers as handlers finish, not as events came", async () => {
      const ws = await client();
      ws.send('421["later",0.2,"slow"]', '422["message-with-ack","quick"]');
      assert.strictEqual(await ws.next(), '432["quick"]');
      assert.strictEqual(await ws.next(), '431["slow"]');
      await ws.close();
    });

    it("leaves an event unanswered when the handler says so", async () => {
      const ws = await client();
      ws.send('421["silent"]');
      await echoes(ws);
      await ws.close();
    });

    it("carries the server's question and the client's answer", async () => {
      const ws = await client();
      ws.send('421["call-me",5,"question",1]');
      const question = /^42(\d+)\["question",1\]$/.exec(await ws.next());
      ws.send(`43${question[1]}["answer",{"a":1}]`);
      assert.strictEqual(await ws.next(), '431[{"replies":["answer",{"a":1}]}]');
      ws.send('422["call-me",5,"question",2]');
      const second = /^42(\d+)\[/.exec(await ws.next());
      assert.notStrictEqual(second[1], question[1]);
      ws.send(`461-${second[1]}[{"_placeholder":true,"num":0}]`, Buffer.from([7]));
      assert.strictEqual(await ws.next(), '461-2[{"replies":[{"_placeholder":true,"num":0}]}]');
      assert.deepStrictEqual(await ws.next(), Buffer.from([7]));
      await ws.close();
    });

    it("ignores answers to questions nobody asked, and second answers", async () => {
      const ws = await client();
      ws.send("4399[1]", '421["call-me",5,"question"]');
      const [, id] = /^42(\d+)\[/.exec(await ws.next());
      ws.send(`43${id}[1]`, `43${id}[2]`);
      assert.strictEqual(await ws.next(), '431[{"replies":[1]}]');
      await echoes(ws);
      await ws.close();
    });

    it("gives up on an answer that does not come", async () => {
      const ws = await client();
      ws.send('421["call-me",0.1,"question"]');
      const [, id] = /^42(\d+)\[/.exec(await ws.next());
      assert.strictEqual(await ws.next(), '431[{"error":"timeout"}]');
      ws.send(`43${id}["late"]`);
      await echoes(ws);
      await ws.close();
    });
  });

  describe("failures", () => {
    it("answers a refusal in the acknowledgement", async () => {
      const ws = await client();
      ws.send('421["refuse","forbidden","not you",{"why":[1]}]');
      assert.deepStrictEqual(JSON.parse((await ws.next()).slice(3)), [
        { error: { code: "forbidden", message: "not you", data: { why: [1] } } },
      ]);
      await ws.close();
    });

    it("answers a refusal as an error event when no acknowledgement was asked for", async () => {
      const ws = await client();
      ws.send('42["refuse","forbidden","not you"]');
      assert.deepStrictEqual(
        JSON.parse((await ws.next()).slice(2)), ["error", { code: "forbidden", message: "not you" }]);
      await ws.close();
    });

    it("gives no details of a bug away, and logs it with its place", async () => {
      const ws = await client();
      ws.send('421["bug"]');
      const reply = await ws.next();
      assert.strictEqual(JSON.parse(reply.slice(3))[0].error.code, "internal");
      assert.doesNotMatch(reply, /a bug of the test's own|\.lua/);
      await broker.logged(/error .*echo\.lua:\d+: a bug of the test's own/);
      await echoes(ws);
      await ws.close();
    });
  });

  describe("a packet that breaks the rules closes the connection", () => {
    const nested = "[".repeat(100000) + "]".repeat(100000);
    for (const [what, ...frames] of [
      ["an unknown packet type", "4abc"], ["a type beyond the known", "47"], ["no type", "4"],
      ["an event that is no array", "42{}"], ["an event without a name", "42[]"],
      ["an event without a payload", "42"], ["an event named by an object", "42[{}]"],
      ["an event named by null", "42[null]"], ["broken JSON", '42["message",'],
      ["JSON with a tail", '42["message"]x'], ["an id that is no number", '42abc["message-with-ack"]'],
      ["an id beyond all bounds", `42${"9".repeat(400)}["message-with-ack"]`],
      ["JSON that is nested too deep", `42["message",${nested}]`],
      ["a reserved name: connect", '42["connect"]'], ["a reserved name: connect_error", '42["connect_error"]'],
      ["a reserved name: disconnect", '42["disconnect"]'],
      ["a reserved name: disconnecting", '42["disconnecting"]'],
      ["a reserved name: newListener", '42["newListener"]'],
      ["a reserved name: removeListener", '42["removeListener"]'],
      ["an acknowledgement that is no array", "431{}"], ["a second CONNECT", "40"],
      ["a CONNECT with a payload that is no object", '40/custom,"text"'],
      ["a DISCONNECT with a payload", "41{}"],
      ["an event for a namespace it is not in", '42/custom,["message"]'],
      ["a binary event without a count", '45["message"]'],
      ["a binary event with a count that is no number", '45x-["message"]'],
      ["more attachments than are allowed", '4511-["message"]'],
      ["a count of attachments beyond all bounds", '4599999999999999999999-["message"]'],
      ["a binary frame nobody announced", Buffer.from([1])],
      ["text where an attachment should be",
       '451-["message",{"_placeholder":true,"num":0}]', '42["message"]'],
      ["a placeholder out of range",
       '451-["message",{"_placeholder":true,"num":1}]', Buffer.from([1])],
      ["a placeholder with a negative number",
       '451-["message",{"_placeholder":true,"num":-1}]', Buffer.from([1])],
      ["a placeholder without a number",
       '451-["message",{"_placeholder":true,"num":"x"}]', Buffer.from([1])],
    ]) {
      it(what, async () => {
        const ws = await client();
        ws.send(...frames);
        await ws.end();
      });
    }

    it("an event before CONNECT", async () => {
      const ws = await Ws.session(broker);
      ws.send('42["message","early"]');
      await ws.end();
    });

    it("over polling: the session is gone", async () => {
      const session = await Polling.open(broker);
      await session.join();
      await session.post('42["message"');
      await until(async () => (await session.get()).status === 400, "end of the session");
    });

    it("and says so in the reason", async () => {
      const watch = await client();
      watch.send('421["watch"]');
      await watch.next();
      const ws = await client();
      ws.send("4abc");
      await ws.end();
      assert.match(await watch.next(), /^42\["left","[^"]+","(parse error|forced close)"\]$/);
      await watch.close();
    });
  });
});

describe("Socket.IO's limits", () => {
  it("takes as many attachments as the setting says", async () => {
    const broker = await Broker.start({ settings: { "engine.max_attachments": 20 } });
    const ws = await Ws.client(broker);
    await ws.next();
    const places = Array.from({ length: 20 }, (_, num) => ({ _placeholder: true, num }));
    ws.send(`4520-${JSON.stringify(["message", ...places])}`,
            ...places.map(({ num }) => Buffer.from([num])));
    assert.strictEqual(await ws.next(), `4520-${JSON.stringify(["message-back", ...places])}`);
    for (const { num } of places) assert.deepStrictEqual(await ws.next(), Buffer.from([num]));
    ws.send('4521-["message"]');
    await ws.end();
    await broker.stop();
  });

  it("bounds the namespaces of a connection", async () => {
    const broker = await Broker.start({ settings: { "limits.namespaces_per_connection": 3 } });
    const ws = await Ws.session(broker);
    for (let i = 0; i < 10; i++) ws.send(`40/tenant/t${i},`);
    let joined = 0;
    try {
      for (let i = 0; i < 10; i++) joined += (await ws.next()).startsWith("40") ? 1 : 0;
    } catch {
      // It may also end the connection.
    }
    assert.ok(joined <= 3, `${joined} joined`);
    ws.socket.terminate();
    await broker.stop();
  });

  it("answers `busy` to more events in flight than the setting says", async () => {
    const broker = await Broker.start({ settings: { "limits.events_in_flight": 10 } });
    const ws = await Ws.client(broker);
    await ws.next();
    for (let i = 0; i < 30; i++) ws.send(`42${i}["later",0.1,${i}]`);
    const replies = [];
    while (replies.length < 30) replies.push(JSON.parse((await ws.next()).replace(/^43\d+/, ""))[0]);
    const busy = replies.filter((reply) => reply && reply.error && reply.error.code === "busy");
    assert.ok(busy.length > 0 && busy.length <= 20, `${busy.length} busy`);
    assert.strictEqual(replies.filter(Number.isInteger).length, 30 - busy.length);
    await broker.stop();
  });
});
