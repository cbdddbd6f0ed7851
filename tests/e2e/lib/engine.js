"use strict";
// Raw clients: Engine.IO over plain HTTP requests and over a bare WebSocket, with no help.
// Their connections keep no process alive: what a failed test leaves open must not hang the suite.

const http = require("node:http");
const net = require("node:net");
const WebSocket = require("ws");
const { within, event } = require("./wait");

const SEPARATOR = "\x1e";
const PATH = "/socket.io/?EIO=4";

/// One HTTP request on a connection of its own: {status, headers, body, bytes}. `body` may be a
/// string, a buffer, or a function that is given the request to write to and end.
function request(url, path, { method = "GET", headers = {}, body, agent = false } = {}) {
  return within(new Promise((resolve, reject) => {
    const outgoing = http.request(url + path, { method, headers, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode, headers: response.headers, bytes,
                  body: bytes.toString("utf8") });
      });
    });
    outgoing.on("error", reject);
    outgoing.on("socket", (socket) => socket.unref());
    if (typeof body === "function") body(outgoing);
    else outgoing.end(body);
  }), `${method} ${path}`);
}

/// An Engine.IO session over polling; what it sends and receives are raw packets.
class Polling {
  static async open(broker, { query = "", headers, agent } = {}) {
    const session = new Polling();
    session.url = broker.url;
    session.headers = headers;
    session.agent = agent;
    const response = await request(broker.url, `${PATH}&transport=polling${query}`, { headers, agent });
    if (response.status !== 200 || response.body[0] !== "0") {
      throw new Error(`handshake: ${response.status} ${response.body}`);
    }
    session.handshake = JSON.parse(response.body.slice(1));
    session.sid = session.handshake.sid;
    session.path = `${PATH}&transport=polling&sid=${session.sid}`;
    session.inbox = [];
    return session;
  }

  get(options) {
    return request(this.url, this.path, { headers: this.headers, agent: this.agent, ...options });
  }

  post(body, options) {
    return this.get({ method: "POST", body, ...options });
  }

  async send(...packets) {
    const response = await this.post(packets.join(SEPARATOR));
    if (response.status !== 200) throw new Error(`POST: ${response.status} ${response.body}`);
  }

  /// The next packet that is no ping (those are answered).
  async next() {
    while (this.inbox.length === 0) {
      const response = await this.get();
      if (response.status !== 200) throw new Error(`GET: ${response.status} ${response.body}`);
      for (const packet of response.body.split(SEPARATOR)) {
        if (packet === "2") await this.send("3");
        else this.inbox.push(packet);
      }
    }
    return this.inbox.shift();
  }

  /// Joins a namespace: the packet that answered.
  async join(nsp = "", auth = "") {
    await this.send(`40${nsp}${auth}`);
    return this.next();
  }
}

/// A bare WebSocket whose messages queue until they are asked for: text as strings, else buffers.
class Ws {
  static async open(broker, { query = "&transport=websocket", path = PATH, ...options } = {}) {
    const ws = new Ws();
    ws.inbox = [];
    ws.readers = [];
    ws.answersPings = true;
    ws.socket = new WebSocket(broker.wsUrl + path + query, options);
    ws.socket.on("message", (data, binary) => ws.receive(binary ? data : data.toString()));
    ws.socket.on("error", () => {});
    ws.closed = new Promise((resolve) => ws.socket.once("close", (code, reason) => {
      resolve({ code, reason: reason.toString() });
      for (const reader of ws.readers) reader.reject(new Error(`closed with ${code}`));
    }));
    await Promise.race([
      event(ws.socket, "open"),
      ws.closed.then(() => { throw new Error("refused"); }),
    ]);
    ws.socket._socket.unref();
    return ws;
  }

  /// Opens a session of its own and takes in the handshake.
  static async session(broker, options) {
    const ws = await Ws.open(broker, options);
    ws.handshake = JSON.parse((await ws.next()).slice(1));
    return ws;
  }

  /// A session that has joined a namespace; `joined` is the packet that answered.
  static async client(broker, nsp = "", auth = "", options) {
    const ws = await Ws.session(broker, options);
    ws.send(`40${nsp}${auth}`);
    ws.joined = await ws.next();
    return ws;
  }

  receive(message) {
    if (message === "2" && this.answersPings) return this.send("3");
    const reader = this.readers.shift();
    if (reader) reader.resolve(message);
    else this.inbox.push(message);
  }

  send(...messages) {
    for (const message of messages) this.socket.send(message);
  }

  next() {
    if (this.inbox.length > 0) return Promise.resolve(this.inbox.shift());
    return within(
      new Promise((resolve, reject) => this.readers.push({ resolve, reject })), "next message");
  }

  /// How it ends: {code, reason}; what is still received before is dropped.
  end() {
    return within(this.closed, "close of the WebSocket");
  }

  async close() {
    this.socket.close();
    await this.end();
  }

  terminate() {
    this.socket.terminate();
    return this.end();
  }
}

/// A bare TCP connection: everything received is in `data` (latin1).
class Tcp {
  static async open(broker) {
    const tcp = new Tcp();
    tcp.data = "";
    tcp.socket = net.connect(broker.port, "127.0.0.1");
    tcp.socket.setEncoding("latin1").on("data", (text) => (tcp.data += text));
    tcp.socket.on("error", () => {});
    tcp.closed = new Promise((resolve) => tcp.socket.once("close", resolve));
    await event(tcp.socket, "connect");
    tcp.socket.unref();
    return tcp;
  }

  send(bytes) {
    this.socket.write(bytes);
  }

  end() {
    return within(this.closed, "close of the connection");
  }
}

/// The refusal of a WebSocket upgrade: {status, headers, body}.
function refusedUpgrade(broker, path, headers) {
  return within(new Promise((resolve, reject) => {
    const socket = new WebSocket(broker.wsUrl + path, { headers });
    socket.on("open", () => {
      socket.terminate();
      reject(new Error("was accepted"));
    });
    socket.on("error", reject);
    socket.on("unexpected-response", (_, response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
  }), "refusal");
}

module.exports = { request, refusedUpgrade, Polling, Ws, Tcp, PATH, SEPARATOR };
