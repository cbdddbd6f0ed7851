"use strict";
// Connections are cut at every point of the protocol, a thousand times a transport, under clients
// that go on working, without and with recovery. MOONWIRE_FAULT_ROUNDS says how often,
// MOONWIRE_FAULT_SEED where to begin.

const assert = require("node:assert");
const { describe, it, before, after } = require("node:test");
const { Broker } = require("./lib/broker");
const { Clients, MODES } = require("./lib/clients");
const { FaultProxy, randomFrom } = require("./lib/fault_proxy");
const { until, within } = require("./lib/wait");

const ROUNDS = Number(process.env.MOONWIRE_FAULT_ROUNDS || 1000);
const SANITIZED = Boolean(process.env.MOONWIRE_SANITIZED);
const SEED = Number(process.env.MOONWIRE_FAULT_SEED || 1);
const VICTIMS = 10;
const CALL_MS = 15000;

/// What a transport passes; `fresh` ones only while a connection is new.
const PASSED = {
  polling: {
    fresh: ["right after CONNECT"],
    any: ["inside a POST body", "inside a polling response",
          "between an event and its acknowledgement", "after some bytes"],
  },
  websocket: {
    fresh: ["right after CONNECT"],
    any: ["inside a frame from the client", "inside a frame from the server",
          "between an event and its acknowledgement", "after some bytes"],
  },
  upgrade: {
    fresh: ["right after CONNECT", "between probe and upgrade", "right after the upgrade",
            "inside a POST body", "inside a polling response"],
    any: ["inside a frame from the client", "inside a frame from the server",
          "between an event and its acknowledgement", "after some bytes"],
  },
};

/// A client that makes calls; how each ended is counted.
class Caller {
  constructor(socket) {
    this.socket = socket;
    this.made = 0;
    this.ends = [];
    this.connects = 0;
    this.wrong = [];
    socket.on("connect", () => { this.connects++; });
    socket.on("question", (n, reply) => reply({ n }));
  }

  /// Whether the call was answered; one that wasn't was on its way when the connection was lost.
  call(name, ...values) {
    const n = ++this.made;
    return new Promise((resolve) => {
      this.socket.timeout(CALL_MS).emit(name, n, ...values, (error, ...answer) => {
        this.ends[n] = (this.ends[n] ?? 0) + 1;
        if (error) {
          if (!/disconnected/.test(error.message)) this.wrong.push(`call ${n}, ${name}: ${error.message}`);
        } else if (answer[0] !== n) {
          this.wrong.push(`call ${n}, ${name}, was answered ${JSON.stringify(answer).slice(0, 80)}`);
        }
        resolve(!error);
      });
    });
  }

  /// Numbers that come one after the other, for as long as the connection holds.
  follow(name) {
    this.last = undefined;
    this.received = 0;
    this.socket.on(name, (n) => {
      if (this.last !== undefined && n !== this.last + 1) this.wrong.push(`${name} ${n} after ${this.last}`);
      this.last = n;
      this.received++;
    });
  }

  judge(who) {
    assert.deepStrictEqual(this.wrong, [], who);
    const odd = this.ends.flatMap((times, n) => (times === 1 ? [] : [`call ${n}: ${times} times`]));
    assert.deepStrictEqual(odd, [], `${who}: calls that did not end once`);
    assert.strictEqual(Object.keys(this.ends).length, this.made, `${who}: calls that ended`);
  }
}

/// A client behind a proxy of its own.
class Victim extends Caller {
  static async start(broker, clients, mode, index) {
    const proxy = await FaultProxy.start(broker.port);
    const victim = new Victim(clients.make({ url: `http://127.0.0.1:${proxy.port}` }, "/", {
      ...MODES[mode], auth: { name: `${mode} ${index}` }, reconnectionDelay: 1, reconnectionDelayMax: 20,
      timeout: 1000, // an opening that the client does not see fail
    }));
    Object.assign(victim, { proxy, mode, random: randomFrom(SEED * 1000 + index) });
    victim.follow("number");
    victim.recovered = 0;
    // Recovered, the numbers go on where they broke off; else they begin anew.
    victim.socket.on("connect", () => {
      if (victim.socket.recovered) victim.recovered++;
      else victim.last = undefined;
    });
    return victim;
  }

  /// Talks to the broker, one call after the other; some are large, some binary.
  async talk() {
    const kind = this.random();
    if (kind < 0.3) return this.call("ask me");
    const size = Math.floor(this.random() ** 4 * 20000);
    return this.call("echo", kind < 0.6 ? Buffer.alloc(size, 7) : "ü".repeat(size));
  }

  /// Loses the connection for certain: a client between two polls would not notice a mere cut.
  async renew() {
    // One whose CONNECT is being answered counts as lost already, and may have the answer in hand.
    await until(() => this.socket.connected, "a connection to lose");
    this.proxy.cut();
    await until(() => !this.socket.connected, "the loss of the connection");
    this.proxy.restore();
  }

  async round() {
    const { fresh, any } = PASSED[this.mode];
    const choice = Math.floor(this.random() * (fresh.length + any.length));
    const point = [...fresh, ...any][choice];
    let cut = false;
    const sprung = this.proxy.arm(point, this.random).then(() => { cut = true; });
    await within((async () => {
      // One whose probe was cut stays with polling.
      const upgraded = this.socket.io.engine.transport?.name === "websocket";
      if (choice < fresh.length || (this.mode === "upgrade" && !upgraded)) await this.renew();
      while (!cut) await this.talk();
      await sprung;
      while (!(await this.talk()));
    })(), `a round, ${point}`, 3 * CALL_MS);
  }
}

const KINDS = Object.keys(MODES).flatMap((mode) => [false, true].map((recovery) => ({ mode, recovery })));

for (const { mode, recovery } of KINDS) {
  describe(`${ROUNDS} cuts of ${mode} connections${recovery ? ", with recovery" : ""}`, () => {
    const clients = new Clients();
    const proxies = [];
    let broker, victims, witnesses, quiet, resident;
    before(async () => {
      broker = await Broker.start({
        scripts: "faults",
        settings: { "engine.ping_interval_ms": 1000, "engine.ping_timeout_ms": 5000,
                    "recovery.enabled": recovery },
      });
      witnesses = await Promise.all(Object.values(MODES).map(async (how) => {
        const witness = new Caller(await clients.open(broker, "/", how));
        witness.follow("tick");
        return witness;
      }));
      victims = await Promise.all(
        Array.from({ length: VICTIMS }, (_, i) => Victim.start(broker, clients, mode, i)));
      proxies.push(...victims.map(({ proxy }) => proxy), await FaultProxy.start(broker.port));
      const proxy = proxies.at(-1);
      const socket = await clients.open({ url: `http://127.0.0.1:${proxy.port}` }, "/", {
        ...MODES[mode], auth: { quiet: true },
      });
      quiet = { socket, proxy, heard: [] };
      socket.on("quiet", (n) => quiet.heard.push(n));
    });
    after(async () => {
      clients.closeAll();
      for (const proxy of proxies) proxy.stop();
      await broker.stop();
    });

    it("are survived by the clients they hit, and by the broker", async () => {
      let left = ROUNDS;
      let busy = true;
      const watched = witnesses.map(async (witness) => {
        while (busy) {
          await witness.call("echo", "still here");
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      });
      await Promise.all(victims.map(async (victim) => {
        while (left-- > 0) {
          if (left === Math.floor(ROUNDS / 2)) resident = (await broker.stats()).resident_bytes;
          await victim.round();
        }
      }));
      busy = false;
      await Promise.all(watched);
    });

    it("end every call exactly once, with its own answer or an error", () => {
      for (const [i, victim] of victims.entries()) victim.judge(`victim ${i}, seed ${SEED}`);
    });

    it("lose and repeat no event of a client that comes back", { skip: !recovery }, async () => {
      for (const [i, victim] of victims.entries()) {
        const { socket } = victim;
        assert.strictEqual(victim.recovered, victim.connects - 1, `victim ${i}: times it was recovered`);
        assert.deepStrictEqual(await socket.emitWithAck("who"), {
          name: `${mode} ${i}`, rooms: [socket.id, `client ${mode} ${i}`],
          recovered: victim.recovered > 0,
        });
      }
    });

    it("lose nothing for one that heard nothing before, and long idled", { skip: !recovery }, async () => {
      const { socket, proxy } = quiet;
      for (const missed of [[1, 2, 3], [4, 5, 6]]) {
        proxy.cut();
        await until(() => !socket.connected, "the loss of the connection");
        for (const n of missed) await witnesses[0].socket.emitWithAck("tell the quiet", n);
        proxy.restore();
        await until(() => quiet.heard.includes(missed[2]), "what was missed");
        assert.strictEqual(socket.recovered, true);
      }
      assert.deepStrictEqual(quiet.heard, [1, 2, 3, 4, 5, 6]);
    });

    it("leave every other client alone", () => {
      for (const witness of witnesses) {
        witness.judge("a witness");
        assert.strictEqual(witness.connects, 0, "it was never disconnected, so it never came back");
        assert.ok(witness.received > 0);
      }
    });

    it("deliver no call twice, and end each of the broker's own", async () => {
      const report = await until(async () => {
        const each = await witnesses[0].socket.emitWithAck("report");
        return each.asked === each.answered && each;
      }, "the end of the broker's calls");
      assert.strictEqual(report.repeated, 0);
      assert.ok(report.asked > 0);
    });

    it("leave nothing behind", async () => {
      clients.closeAll();
      for (const proxy of proxies) proxy.stop();
      const stats = await until(async () => {
        const now = await broker.stats();
        const [nsp] = now.namespaces;
        const connections = now.connections.total + Math.max(0, now.connections.tcp - 1);  // this one
        return connections === 0 && nsp.sockets === 0 && nsp.rooms === 0 && now;
      }, "no sessions, sockets, rooms and connections");
      assert.strictEqual(stats.connections.opened, stats.connections.closed);
      if (SANITIZED) return;  // freed memory is kept aside there
      // The script keeps a little of every call.
      assert.ok(stats.resident_bytes - resident < 32e6,
        `memory grew from ${resident} to ${stats.resident_bytes} bytes in the second half`);
    });
  });
}
