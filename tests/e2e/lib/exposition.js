"use strict";
// Reads what Prometheus reads, strictly: text format 0.0.4 and OpenMetrics 1.0. Returns a Map of families by name,
// {name, type, help, samples: [{name, labels, value}]}; throws where the format's rules are broken.

const assert = require("node:assert");

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,?)/;
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/;
const UNESCAPED = { "\\n": "\n", "\\\\": "\\", '\\"': '"' };
const SUFFIXES = {
  counter: ["_total"], gauge: [""], histogram: ["_bucket", "_count", "_sum"],
};

const number = (text) => Number(text.replace("Inf", "Infinity"));

function sampleOf(line) {
  const [name] = NAME.exec(line) || assert.fail(`no name: ${line}`);
  let rest = line.slice(name.length);
  const labels = {};
  if (rest.startsWith("{")) {
    rest = rest.slice(1);
    while (!rest.startsWith("}")) {
      const match = LABEL.exec(rest) || assert.fail(`no label at ${rest}: ${line}`);
      assert.ok(!(match[1] in labels), `label ${match[1]} twice: ${line}`);
      labels[match[1]] = match[2].replace(/\\["\\n]/g, (escape) => UNESCAPED[escape]);
      rest = rest.slice(match[0].length);
      assert.ok(match[3] ? !rest.startsWith("}") : rest.startsWith("}"), `commas: ${line}`);
    }
    rest = rest.slice(1);
  }
  assert.match(rest, /^ \S+$/, `one blank and a value, and no more: ${line}`);
  assert.match(rest.slice(1), NUMBER, line);
  return { name, labels, value: number(rest.slice(1)) };
}

/// Buckets grow with their bounds, end with +Inf and agree with the count.
function checkHistogram(family) {
  const series = new Map();
  for (const sample of family.samples) {
    const { le, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    if (!series.has(key)) series.set(key, { buckets: [] });
    const one = series.get(key);
    if (sample.name.endsWith("_bucket")) one.buckets.push([number(le), sample.value]);
    else one[sample.name.endsWith("_sum") ? "sum" : "count"] = sample.value;
  }
  for (const [key, { buckets, count, sum }] of series) {
    assert.ok(count !== undefined && sum !== undefined, `${family.name} ${key}`);
    for (let i = 1; i < buckets.length; ++i) {
      assert.ok(buckets[i][0] > buckets[i - 1][0], `${family.name} ${key}: bounds`);
      assert.ok(buckets[i][1] >= buckets[i - 1][1], `${family.name} ${key}: counts`);
    }
    assert.deepStrictEqual(buckets.at(-1), [Infinity, count], `${family.name} ${key}`);
  }
}

function parse(text, openMetrics) {
  assert.ok(text.endsWith(openMetrics ? "# EOF\n" : "\n"), "the last line ends");
  const lines = text.split("\n").slice(0, openMetrics ? -2 : -1);
  const families = new Map(), seen = new Set();
  let family;
  for (const line of lines) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment) {
      const [, what, name, rest] = comment;
      if (what === "HELP") {
        assert.ok(!families.has(name), `${name} twice`);
        family = { name, help: rest, samples: [] };
        families.set(name, family);
      } else {
        assert.ok(family.name === name && !family.type, `TYPE after HELP: ${line}`);
        assert.ok(rest in SUFFIXES, line);
        family.type = rest;
      }
      continue;
    }
    const sample = sampleOf(line);
    const suffixes = family.type === "counter" && !openMetrics ? [""] : SUFFIXES[family.type];
    assert.ok(suffixes.some((each) => sample.name === family.name + each), `${line} in ${family.name}`);
    const key = sample.name + JSON.stringify(Object.entries(sample.labels).sort());
    assert.ok(!seen.has(key), `twice: ${line}`);
    seen.add(key);
    family.samples.push(sample);
    if (family.type === "counter") assert.ok(sample.value >= 0, line);
  }
  for (const each of families.values()) if (each.type === "histogram") checkHistogram(each);
  return families;
}

/// All samples' names, and those that a family without samples would have.
function names(families, openMetrics = false) {
  const all = new Set();
  for (const { name, type } of families.values())
    for (const suffix of type === "counter" && !openMetrics ? [""] : SUFFIXES[type]) all.add(name + suffix);
  return all;
}

/// The sum of the samples of this name that have these labels; undefined if there are none.
function value(families, name, labels = {}) {
  const found = [...families.values()].flatMap((family) => family.samples)
    .filter((sample) => sample.name === name && Object.entries(labels).every(([k, v]) => sample.labels[k] === v));
  return found.length ? found.reduce((sum, sample) => sum + sample.value, 0) : undefined;
}

module.exports = { parse, names, value };
