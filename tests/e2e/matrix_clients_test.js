"use strict";
// The client matrix: each client over each transport, without and with TLS, a test a cell. The
// programs and their checks are in matrix/; see tests/README.md.

const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { describe, it, before, after } = require("node:test");
const { chromium } = require("playwright-core");
const { Broker } = require("./lib/broker");
const { Authority } = require("./lib/certificates");
const { FaultProxy } = require("./lib/fault_proxy");
const { within, DEADLINE_MS } = require("./lib/wait");
const { CLIENTS, CHECKS, BUILD, Unavailable } = require("./matrix/clients");

const MODES = ["polling", "websocket", "upgrade"];
const SECURE = [false, true];
const EXECUTABLE = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-dev-shm-usage", "--ignore-certificate-errors",
];
// Every check may use up its own deadline, 10 s.
const RUN_MS = Math.max(DEADLINE_MS, CHECKS.length * 10000) + 30000;

/// One client over one transport: its lines become `results`, {check: {outcome, reason}}.
class Run {
  constructor(client, mode, secure) {
    Object.assign(this, { client, mode, secure, results: {} });
    this.done = new Promise((resolve) => { this.finish = resolve; });
  }

  async execute(shared) {
    for (let tries = this.client.tries ?? 1; tries > 0; tries--) {
      this.results = {};
      this.problem = undefined;
      await this.attempt(shared);
      if (!this.problem && CHECKS.every((check) => /^(ok|skip)$/.test(this.results[check]?.outcome))) break;
    }
    this.finish();
  }

  async attempt(shared) {
    const proxy = await FaultProxy.start(Number(shared.ports[this.secure ? 1 : 0]));
    const url = `${this.secure ? "https" : "http"}://127.0.0.1:${proxy.port}`;
    this.read = (line) => {
      if (line === "cut" || line === "restore") return proxy[line]();
      const match = /^(ok|not ok|skip) (\S+) ?(.*)$/.exec(line);
      if (match) this.results[match[2]] = { outcome: match[1], reason: match[3] };
    };
    try {
      if (this.client.bundle) await this.visit(url, await shared.browser());
      else await this.spawn(url, shared);
    } catch (error) {
      this.problem = error;
    } finally {
      proxy.stop();
    }
  }

  async spawn(url, { certificate }) {
    const [program, ...args] = await (this.client.built ??= this.client.command());
    const trust = {
      SSL_CERT_FILE: certificate, REQUESTS_CA_BUNDLE: certificate, NODE_EXTRA_CA_CERTS: certificate,
    };
    const child = spawn(program, [...args, url, this.mode], {
      env: { ...process.env, ...trust }, stdio: ["ignore", "pipe", "pipe"], timeout: RUN_MS,
    });
    let stderr = "", rest = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      lines.forEach(this.read);
    });
    const code = await new Promise((resolve, reject) => {
      child.once("close", resolve);
      child.once("error", reject);
    });
    if (code !== 0) throw new Error(`${program} ended with ${code}:\n${stderr.slice(-2000)}`);
  }

  async visit(url, browser) {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    try {
      await page.exposeFunction("report", this.read);
      await page.goto(`${url}/page`);
      await page.addScriptTag({ path: require.resolve(this.client.bundle) });
      await page.addScriptTag({ path: path.join(__dirname, "matrix/checks.js") });
      await within(page.evaluate(([url, mode]) => {
        const { io, report, runMatrixChecks } = globalThis;
        return runMatrixChecks({
          io, url, mode, report, cut: () => report("cut"), restore: () => report("restore"),
        });
      }, [url, this.mode]), "the page's checks", RUN_MS);
    } finally {
      await page.close();
    }
  }

  async judge(check, test) {
    await this.done;
    if (this.problem instanceof Unavailable) return test.skip(this.problem.message);
    const { outcome, reason } = this.results[check] ?? {};
    if (outcome === "skip") test.skip(reason);
    else if (outcome !== "ok") throw this.problem ?? new Error(reason ?? "the program was silent about it");
  }
}

describe("the client matrix", () => {
  const runs = [];
  const authority = new Authority();
  const shared = {
    browser() {
      return (this.browsing ??= chromium.launch({
        executablePath: EXECUTABLE, args: FLAGS, chromiumSandbox: false,
      }));
    },
  };

  before(async () => {
    const { certificate, key } = authority.issue("broker", "/CN=broker", "IP:127.0.0.1");
    shared.certificate = authority.file;
    shared.broker = await Broker.start({
      scripts: "matrix",
      settings: {
        "engine.allow_eio3": true, "server.tls.port": 0, "server.tls.certificate": certificate,
        "server.tls.key": key,
      },
    });
    shared.ports = [shared.broker.port, (await shared.broker.listening(/https:\S+:(\d+)/))[1]];
    // Programs mostly wait: a few at a time.
    const waiting = [...runs];
    for (let i = 0; i < 1 + os.cpus().length; i++) {
      (async () => {
        for (let run; (run = waiting.shift());) await run.execute(shared);
      })();
    }
  });
  after(async () => {
    await Promise.all(runs.map((run) => run.done));
    await (await shared.browsing)?.close();
    fs.mkdirSync(BUILD, { recursive: true });
    fs.writeFileSync(path.join(BUILD, "results.json"), JSON.stringify(runs.map((run) => ({
      client: run.client.name, mode: run.mode, secure: run.secure, results: run.results,
      problem: run.problem?.message, unavailable: run.problem instanceof Unavailable,
    })), null, 1));
    authority.discard();
    await shared.broker.stop();
  });

  for (const client of CLIENTS) {
    for (const secure of SECURE) {
      for (const mode of MODES) {
        const run = new Run(client, mode, secure);
        runs.push(run);
        describe(`${client.name}, ${mode}${secure ? " over TLS" : ""}`, () => {
          for (const check of CHECKS) it(check, (test) => run.judge(check, test));
        });
      }
    }
  }
});
