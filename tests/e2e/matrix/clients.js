"use strict";
// The client programs of the matrix: where they come from and how they are started.

const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { ROOT } = require("../lib/broker");

const BUILD = path.join(ROOT, "build/matrix");
const BUILD_MS = 900000; // a first build fetches and compiles what the clients need

/// In this order, by every program.
const CHECKS = ["connect", "text", "binary", "ack", "asked", "broadcast", "room", "reconnect"];

/// What keeps a client from being built here, which is no failure of the broker.
class Unavailable extends Error {}

/// The version that a tool states, as a number: 1.26.8 is 1.26.
function version(tool, args) {
  try {
    const stated = execFileSync(tool, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    const [, major, minor] = /(\d+)\.(\d+)/.exec(stated);
    return Number(major) * 1000 + Number(minor);
  } catch {
    throw new Unavailable(`there is no ${tool} here`);
  }
}

function requireVersion(tool, args, major, minor, library) {
  if (version(tool, args) < major * 1000 + minor) {
    throw new Unavailable(`${library} needs ${tool} ${major}.${minor} or newer`);
  }
}

function run(command, args, cwd, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], timeout: BUILD_MS,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve()
      : reject(new Error(`${command} ${args.join(" ")}: exit code ${code}\n${output.slice(-4000)}`))));
  });
}

function node(name) {
  return async () => [process.execPath, path.join(__dirname, "node.js"), name];
}

function python(program) {
  return async () => [path.join(ROOT, "build/venv/bin/python"), path.join(__dirname, program)];
}

/// Each `command` builds what has changed and resolves to the program and its first arguments;
/// `bundle` is a script for pages instead. `tries`: how many runs it has to get through one
/// without a failure, for a race of the library's own; 1 if not given.
const CLIENTS = [
  { name: "socket.io-client 2.5 (Node)", command: node("socket.io-client-2") },
  { name: "socket.io-client 3.1 (Node)", command: node("socket.io-client-3") },
  { name: "socket.io-client 4.8 (Node)", command: node("socket.io-client") },
  { name: "socket.io-client 2.5 (Chromium)", bundle: "socket.io-client-2/dist/socket.io.js" },
  { name: "socket.io-client 3.1 (Chromium)", bundle: "socket.io-client-3/dist/socket.io.js" },
  { name: "socket.io-client 4.8 (Chromium)", bundle: "socket.io-client/dist/socket.io.js" },
  { name: "python-socketio 5.18 (asyncio)", command: python("python_async.py") },
  {
    name: "python-socketio 5.18 (threads)",
    // Before Python 3.13.1 reading and writing a TLS connection in two threads may end it: one in
    // some hundred (github.com/python/cpython/issues/124984).
    tries: 2,
    command: python("python_threads.py"),
  },
  {
    name: "socket.io-client-java 2.1",
    command: async () => {
      requireVersion("javac", ["-version"], 17, 0, "the Java program");
      version("mvn", ["--version"]);
      const target = path.join(BUILD, "java");
      const folder = path.join(__dirname, "java");
      const built = path.join(target, "classes/Matrix.class");
      const sources = ["pom.xml", "src/main/java/Matrix.java"].map((name) => path.join(folder, name));
      const age = (file) => (fs.existsSync(file) ? fs.statSync(file).mtimeMs : 0);
      if (age(built) < Math.max(...sources.map(age))) {
        await run("mvn", ["-q", "-B", `-Dtarget=${target}`, "dependency:copy-dependencies",
                          `-DoutputDirectory=${target}/lib`, "compile"], folder);
      }
      return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
              "-cp", `${target}/classes:${target}/lib/*`, "Matrix"];
    },
  },
  {
    name: "zishang520/socket.io-client-go 1.1",
    // In one of some hundred upgrades it pauses its polling for good: it has the answer to its probe
    // and to its poll, and sends nothing more.
    tries: 2,
    command: async () => {
      requireVersion("go", ["version"], 1, 21, "socket.io-client-go 1.1");
      await run("go", ["build", "-o", path.join(BUILD, "matrix-go"), "."], path.join(__dirname, "go"));
      return [path.join(BUILD, "matrix-go")];
    },
  },
  {
    name: "rust_socketio 0.6",
    command: async () => {
      requireVersion("cargo", ["--version"], 1, 88, "rust_socketio 0.6");
      const target = path.join(BUILD, "rust");
      await run("cargo", ["build", "--quiet", "--locked"], path.join(__dirname, "rust"),
                { CARGO_TARGET_DIR: target });
      return [path.join(target, "debug/matrix")];
    },
  },
];

module.exports = { CLIENTS, CHECKS, BUILD, Unavailable };

// By itself: builds everything, so that the tests find it done.
if (require.main === module) {
  (async () => {
    for (const { name, command } of CLIENTS) {
      try {
        await command?.();
      } catch (error) {
        console.log(`${name}: ${error.message}`);
        if (!(error instanceof Unavailable)) process.exitCode = 1;
      }
    }
  })();
}
