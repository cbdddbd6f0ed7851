"use strict";
// The JavaScript side of the interoperability test: joins a room, sends back what is said to it,
// answers questions, and leaves when its standard input ends. Arguments: URL, transports.

const { io } = require("socket.io-client");

const [url, transports] = process.argv.slice(2);
const socket = io(url, { transports: transports.split(","), reconnection: false });

socket.on("connect_error", (error) => {
  console.error(error);
  process.exit(1);
});
socket.on("connect", async () => {
  await socket.emitWithAck("join", "interop");
  console.log("ready");
});
socket.on("said", (to, ...args) => {
  if (to === "javascript") socket.emit("room-others", "interop", "python", ...args);
});
socket.on("question", (text, data, reply) => reply({ who: "javascript", text, data }));
socket.on("ask python", async () => {
  const answer = await socket.emitWithAck(
    "call-room", "python", 10, "question", "a question", Buffer.from([1, 0, 255]));
  socket.emit("room-others", "interop", "answer", answer);
});
process.stdin.resume().on("end", () => {
  socket.disconnect();
  process.exit(0);
});
