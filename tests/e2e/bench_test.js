"use strict";
// That the benchmark works: its servers start, its generator loads them, its figures make sense.
// How fast anything is, is none of a test's business.

const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { describe, it, before, after } = require("node:test");

const RUN = path.resolve(__dirname, "../bench/run");
const SCENARIOS = { wide: "wide room", echo: "acknowledged echo" };
const SERVERS = ["floor", "moonwire"];

function bench(...args) {
  const result = spawnSync(RUN, args, { encoding: "utf8", timeout: 300000 });
  if (result.error) throw result.error;
  return result;
}

describe("the benchmark", () => {
  let folder, result, results;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-e2e-"));
    const file = path.join(folder, "results.json");
    result = bench("--quick", "--only", ...Object.keys(SCENARIOS), "--servers", ...SERVERS, "--output", file);
    assert.strictEqual(result.status, 0, result.stdout + result.stderr);
    results = JSON.parse(fs.readFileSync(file, "utf8"));
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  it("measures every server in every scenario", () => {
    const { scenarios, run } = results.compare;
    assert.deepStrictEqual(scenarios.map((scenario) => scenario.name), Object.keys(SCENARIOS));
    assert.match(run.command, /^\.\/bootstrap bench --quick /);
    for (const { name, rows } of scenarios) {
      assert.deepStrictEqual(rows.map((row) => row.server), SERVERS);
      for (const row of rows) {
        assert.ok(["ok", "late", "slow"].includes(row.state), `${name}, ${row.server}: ${row.note}`);
        assert.strictEqual(row.rounds.length, 1);
      }
    }
  });

  it("loses nothing, and its figures agree with each other", () => {
    for (const { name, rows } of results.compare.scenarios) {
      for (const { server, median, cost, x_floor } of rows) {
        const what = `${name}, ${server}: ${JSON.stringify(median)}`;
        assert.strictEqual(median.lost, 0, what);
        assert.ok(median.sent > 0 && median.delivered === median.expected, what);
        assert.strictEqual(median.expected, median.sent * (name === "wide" ? 50 : 1), what);
        assert.ok(median.p50_ms <= median.p99_ms && median.p99_ms <= median.max_ms * 1.1, what);
        assert.ok(cost.median > 0 && cost.min <= cost.median && cost.median <= cost.max, what);
        const cpu = median.cpu_us_per_delivery * median.delivered_per_s / 1e6;
        assert.ok(Math.abs(cpu - median.cpu_cores) < 0.01 + 0.01 * cpu, what);
        assert.ok(server === "floor" ? x_floor === 1 : x_floor > 0, what);
      }
    }
  });

  it("prints a table a scenario, with a line a server", () => {
    for (const title of Object.values(SCENARIOS)) {
      const [, table] = new RegExp(`^${title}\\n((?:  .*\\n)+)`, "m").exec(result.stdout) ?? [];
      assert.ok(table, result.stdout);
      assert.deepStrictEqual(
        table.trimEnd().split("\n").map((line) => line.trim().split(/ {2,}/)[0]), ["server", ...SERVERS]);
    }
  });

  it("says what it does not know", () => {
    for (const args of [["--only", "nothing"], ["--servers", "nobody"], ["--rounds", "0"], ["--quick", "--write"]]) {
      const { status, stderr } = bench(...args);
      assert.strictEqual(status, 2, stderr);
      assert.match(stderr, /error: /);
    }
  });
});
