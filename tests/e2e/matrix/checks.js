"use strict";
// The matrix's checks for socket.io-client 2, 3 and 4; runs in Node and in pages.

// eslint-disable-next-line no-unused-vars
async function runMatrixChecks({ io, url, mode, report, cut, restore }) {
  const transports = mode === "upgrade" ? ["polling", "websocket"] : [mode];
  const sockets = [];
  const tag = Math.random().toString(36).slice(2);

  const within = (promise, what) => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no ${what} within 10 s`)), 10000);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };
  const event = (socket, name, wanted = () => true) =>
    within(new Promise((resolve) => socket.on(name, function listener(value) {
      if (!wanted(value)) return;
      socket.off(name, listener);
      resolve(value);
    })), name);
  const ask = (socket, name, value) =>
    within(new Promise((resolve) => socket.emit(name, value, resolve)), `answer to ${name}`);
  const expect = (got, wanted) => {
    const inOrder = (_, value) => value === null || typeof value !== "object" || Array.isArray(value)
      ? value : Object.fromEntries(Object.entries(value).sort());
    const [a, b] = [JSON.stringify(got, inOrder), JSON.stringify(wanted, inOrder)];
    if (a !== b) throw new Error(`${a} instead of ${b}`);
  };
  const bytes = (data) => Array.from(new Uint8Array(data));
  const mine = (message) => message.tag === tag;

  // An upgrade may still be under way when the socket is connected.
  const settled = async (socket) => {
    const wanted = { transport: transports[transports.length - 1], secure: url.startsWith("https:") };
    let who;
    for (let tries = 0; tries < 200; tries++) {
      who = await ask(socket, "who", null);
      if (who.transport === wanted.transport) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect([who.transport, who.secure], [wanted.transport, wanted.secure]);
  };
  const open = async () => {
    const socket = io(url, {
      forceNew: true, transports, reconnectionDelay: 20, reconnectionDelayMax: 100,
    });
    sockets.push(socket);
    if (!socket.connected) await event(socket, "connect");
    await settled(socket);
    return socket;
  };

  const checks = {
    connect: async () => { await open(); },
    text: async () => {
      const value = { text: "ü€😀", number: 1.5, list: [1, null, true, {}] };
      const back = event(sockets[0], "said");
      sockets[0].emit("say", value);
      expect(await back, value);
    },
    binary: async () => {
      const back = event(sockets[0], "said");
      sockets[0].emit("say", new Uint8Array([0, 1, 127, 128, 255]).buffer);
      expect(bytes(await back), [0, 1, 127, 128, 255]);
    },
    ack: async () => {
      expect(await ask(sockets[0], "echo", { a: [1, "zwei"] }), { a: [1, "zwei"] });
    },
    asked: async () => {
      sockets[0].on("question", (question, reply) => reply({ you: question }));
      expect(await ask(sockets[0], "ask me", "why"), { answer: { you: "why" } });
    },
    broadcast: async () => {
      const other = await open();
      const heard = [event(sockets[0], "told all", mine), event(other, "told all", mine)];
      other.emit("tell all", { tag, text: "hello" });
      for (const each of heard) expect((await each).text, "hello");
    },
    room: async () => {
      const other = await open();
      await ask(other, "join", tag);
      const strays = [];
      sockets[0].on("told room", (message) => strays.push(message));
      const heard = event(other, "told room", mine);
      const end = event(sockets[0], "told all", mine);
      sockets[0].emit("tell room", { tag, text: "members" });
      sockets[0].emit("tell all", { tag, text: "end" });
      expect((await heard).text, "members");
      await end;
      expect(strays, []);
    },
    reconnect: async () => {
      const [socket] = sockets;
      for (const other of sockets.slice(1)) other.disconnect();
      const lost = event(socket, "disconnect");
      const back = event(socket, "connect");
      await cut();
      await lost;
      await restore();
      await back;
      await settled(socket);
      expect(await ask(socket, "echo", "back"), "back");
    },
  };
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      report(`ok ${name}`);
    } catch (error) {
      report(`not ok ${name} ${error.message}`);
    }
  }
  for (const socket of sockets) socket.disconnect();
}

if (typeof module !== "undefined") module.exports = { runMatrixChecks };
