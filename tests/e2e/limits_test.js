"use strict";
// What one namespace's code can do to the others: every bomb is answered, its namespace lives on,
// and a second namespace's clients get every answer. Their latencies are printed, not judged.

const assert = require("node:assert");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients } = require("./lib/clients");

const SECONDS = Number(process.env.MOONWIRE_LIMITS_SECONDS || 1);  // of each bomb

const bad = `
local ns = namespace "/bad"
local function timer_bomb() after(0, timer_bomb) after(0, timer_bomb) end
local function loop() while true do end end
local bombs = {
  ["endless loop"] = loop,
  ["hot numeric loop"] = function() local x = 0 for i = 1, 1e15 do x = (x * 31 + i) % 1000003 end return x end,
  ["xpcall(loop, loop)"] = function() xpcall(loop, loop) end,
  ["pcall in a loop"] = function() while true do pcall(loop) end end,
  ["string.rep"] = function() return #string.rep("x", 2^30) end,
  ["growing table"] = function() local t = {} while true do t[#t + 1] = { #t } end end,
  ["infinite recursion"] = function() local function f() return 1 + f() end return f() end,
  ["pattern bomb"] = function() return (("a"):rep(500):find(".-.-.-b")) end,
  ["huge JSON"] = function() local t = {} for i = 1, 3e5 do t[i] = { i } end return #json.encode(t) end,
  ["coroutine flood"] = function() for i = 1, 1e6 do spawn(function() sleep(10) end) end end,
  ["timer bomb"] = function() timer_bomb() end,
}
ns:on("bomb", function(socket, name) return bombs[name]() end)
ns:on("calm", function() return "calm" end)
`;
const good = `
local ns = namespace "/good"
ns:on("echo", function(socket, n) return n end)
`;
const BOMBS = [...bad.matchAll(/\["([^"]+)"\] =/g)].map((match) => match[1]);

function p99(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)];
}

describe("a bomb in one namespace", () => {
  const clients = new Clients();
  let broker;
  let quiet;
  let victim;
  before(async () => {
    broker = await Broker.start({
      scripts: { "bad.lua": bad, "good.lua": good },
      settings: {
        "server.threads": 1,
        "limits.handler_ms": 100,
        "namespaces./bad.dedicated": true,
        "namespaces./bad.memory_mb": 64,
        "limits.coroutines_per_namespace": 10000,
        "limits.timers_per_namespace": 10000,
        "log.level": "off",
      },
    });
    victim = await clients.open(broker, "/good", { transports: ["websocket"] });
    quiet = p99(await echoes(SECONDS));
  });
  after(async () => {
    clients.closeAll();
    await broker?.stop();
  });

  /// The latencies of one echo after another, in milliseconds.
  async function echoes(seconds) {
    const latencies = [];
    for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
      const sent = performance.now();
      assert.strictEqual(await victim.timeout(20000).emitWithAck("echo", latencies.length), latencies.length);
      latencies.push(performance.now() - sent);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return latencies;
  }

  for (const name of BOMBS) {
    it(`(${name}) is contained`, async () => {
      const bomber = await clients.open(broker, "/bad", { transports: ["websocket"] });
      const answers = [];
      let over = false;
      const bombing = (async () => {
        while (!over) answers.push(await bomber.timeout(60000).emitWithAck("bomb", name));
      })();
      const latencies = await echoes(SECONDS);
      over = true;
      await bombing;
      assert.ok(answers.length > 0);
      for (const answer of answers) {
        const code = answer?.error?.code;
        assert.ok(["busy", "internal"].includes(code) || /flood|timer|JSON/.test(name), JSON.stringify(answer));
      }
      assert.strictEqual(await bomber.timeout(60000).emitWithAck("calm"), "calm");
      console.log(`# ${name}: ${answers.length} bombs, ${answers[0]?.error?.code ?? "done"}; ` +
        `the other's p99 ${quiet.toFixed(2)} -> ${p99(latencies).toFixed(2)} ms: ${(p99(latencies) / quiet).toFixed(2)} x`);
      bomber.disconnect();
    });
  }
});
