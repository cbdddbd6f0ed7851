"use strict";
// A Prometheus of one's own, on a free port over a temporary folder, that scrapes a broker.

const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { ROOT } = require("./broker");
const { until, within } = require("./wait");

const UNPACKED = path.join(ROOT, "build/prometheus/usr/bin");  // by run_suites, where none is installed
const tool = (name) => (fs.existsSync(path.join(UNPACKED, name)) ? path.join(UNPACKED, name) : name);

/// Runs promtool: {status, stdout, stderr}.
function promtool(args, input = "") {
  const result = spawnSync(tool("promtool"), args, { encoding: "utf8", input, timeout: 60000 });
  if (result.error) throw result.error;
  return result;
}

class Prometheus {
  /// `scrape`: lines below the scrape's entry, as YAML.
  static async start({ target, rules, scrape = "" }) {
    const it = new Prometheus();
    it.folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-prometheus-"));
    const file = path.join(it.folder, "prometheus.yml");
    fs.writeFileSync(file, `
global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: ["${rules}"]
scrape_configs:
  - job_name: moonwire
    static_configs: [{targets: ["${target}"]}]
    ${scrape}
`);
    it.child = spawn(tool("prometheus"), [
      `--config.file=${file}`, `--storage.tsdb.path=${path.join(it.folder, "data")}`,
      "--web.listen-address=127.0.0.1:0",
    ], { stdio: ["ignore", "ignore", "pipe"] });
    it.log = "";
    it.child.stderr.setEncoding("utf8").on("data", (text) => (it.log += text));
    it.exited = new Promise((resolve) => {
      it.child.once("close", resolve);
      it.child.once("error", (error) => { it.log += error.message; resolve(); });
    });
    process.once("exit", it.kill);
    const address = await until(
      () => /msg="Listening on" address=(127\.0\.0\.1:\d+)/.exec(it.log), "Prometheus listens");
    it.url = `http://${address[1]}`;
    return it;
  }

  kill = () => this.child.kill("SIGKILL");

  async api(name, query = {}) {
    const answer = await (await fetch(`${this.url}/api/v1/${name}?${new URLSearchParams(query)}`)).json();
    if (answer.status !== "success") throw new Error(JSON.stringify(answer));
    return answer.data;
  }
  /// The value of an expression that has one; undefined if there is none.
  async value(query) {
    const { result } = await this.api("query", { query });
    return result.length ? Number(result[0].value[1]) : undefined;
  }

  async stop() {
    this.child.kill("SIGTERM");
    await within(this.exited, `Prometheus' end; log:\n${this.log}`);
    process.removeListener("exit", this.kill);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Prometheus, promtool };
