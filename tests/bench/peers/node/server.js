"use strict";
// The benchmark's contract on Socket.IO's own server.
// usage: server.js --port N [--tls CERT KEY] [--deflate] [--threads 1]

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { parseArgs } = require("node:util");
const { Server } = require("socket.io");

const EARTH_RADIUS = 6371008.8;
const METRES_PER_DEGREE = EARTH_RADIUS * Math.PI / 180;
const CELL = 0.005; // degrees

/// Commuters by the cell that they stand in.
class Grid {
  constructor() {
    this.cells = new Map();
  }

  static key(row, column) {
    return row * 100000 + column;
  }

  add(commuter) {
    const key = Grid.key(Math.floor(commuter.lat / CELL), Math.floor(commuter.lng / CELL));
    const cell = this.cells.get(key);
    if (cell) cell.push(commuter);
    else this.cells.set(key, [commuter]);
  }

  query({ lat, lng, radius, seats, direction }) {
    const height = radius / METRES_PER_DEGREE;
    const width = height / Math.cos(radians(Math.abs(lat) + height));
    const [top, bottom] = [Math.floor((lat - height) / CELL), Math.floor((lat + height) / CELL)];
    const [left, right] = [Math.floor((lng - width) / CELL), Math.floor((lng + width) / CELL)];
    const found = [];
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const cell = this.cells.get(Grid.key(row, column));
        if (!cell) continue;
        for (const commuter of cell) {
          if (commuter.direction !== direction) continue;
          const distance = haversine(lat, lng, commuter.lat, commuter.lng);
          if (distance > radius || distance > commuter.max_walk) continue;
          found.push({ id: commuter.id, lat: commuter.lat, lng: commuter.lng, distance });
        }
      }
    }
    return found.sort((a, b) => a.distance - b.distance).slice(0, seats);
  }
}

function radians(degrees) {
  return degrees * Math.PI / 180;
}

function haversine(lat1, lng1, lat2, lng2) {
  const a = Math.sin(radians(lat2 - lat1) / 2) ** 2 +
    Math.cos(radians(lat1)) * Math.cos(radians(lat2)) * Math.sin(radians(lng2 - lng1) / 2) ** 2;
  return 2 * EARTH_RADIUS * Math.asin(Math.sqrt(a));
}

const args = process.argv.slice(2);
const tls = args.indexOf("--tls");
const [, certificate, key] = tls < 0 ? [] : args.splice(tls, 3);
const { values: options } = parseArgs({
  args,
  options: { port: { type: "string" }, deflate: { type: "boolean" }, threads: { type: "string" } },
});

const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
  : http.createServer();
const io = new Server(server, {
  serveClient: false,
  pingInterval: 25000,
  pingTimeout: 20000,
  maxHttpBufferSize: 1e6,
  perMessageDeflate: options.deflate && {
    threshold: 1024, serverNoContextTakeover: true, clientNoContextTakeover: true,
  },
});
const commuters = new Grid();

io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("pub", (room, payload) => {
    socket.to(room).emit("msg", payload);
  });
  socket.on("echo", (payload, ack) => ack(payload));
  socket.on("rebuild", (o, ack) => ack({
    id: o.id, seq: o.seq + 1, time: o.time, lat: o.lat, lng: o.lng,
    speed: o.speed, heading: o.heading, driver: o.driver, status: o.status,
    passengers: o.passengers,
  }));
  socket.on("spawn", (list, ack) => {
    for (const commuter of list) commuters.add(commuter);
    ack();
  });
  socket.on("query", (query, ack) => ack(commuters.query(query)));
});
// As Socket.IO's page on memory usage advises: nobody reads the first request again.
io.engine.on("connection", (rawSocket) => {
  rawSocket.request = null;
});

// The backlog holds a connect storm; what this server can't take yet, waits.
server.listen({ port: Number(options.port), host: "127.0.0.1", backlog: 4096 },
              () => console.log("listening"));
