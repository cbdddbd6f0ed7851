"use strict";
// Brokers that an adapter joins. Another adapter has its line in ADAPTERS.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const { checkAdapter } = require("./lib/adapter_checks");
const { BINARY } = require("./lib/broker");
const { Redis } = require("./lib/redis");

const ADAPTERS = [
  {
    name: "datagrams",  // tests/plugin/plugins/datagrams.cpp
    group: () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-cluster-"));
      test.after(() => fs.rmSync(folder, { recursive: true, force: true }));
      return folder;
    },
    settings: (folder, node) => ({
      "plugins.load": path.join(path.dirname(BINARY), "tests/plugin/datagrams.so"),
      "plugins.datagrams.folder": folder,
      "plugins.datagrams.node": `node${node}`,
    }),
  },
  {
    name: "redis",
    skip: Redis.installed ? false : "redis-server is not there",
    start: async () => {
      const redis = await Redis.start();
      test.after(() => redis.stop());
      return redis.url;
    },
    // A key of its own for each.
    group: (() => {
      let groups = 0;
      return () => `group${++groups}`;
    })(),
    settings: (key, node, url) => ({ "plugins.load": "redis", "plugins.redis.url": url, "plugins.redis.key": key }),
  },
];

for (const { start = () => {}, skip = false, ...adapter } of ADAPTERS) {
  test(`brokers joined by ${adapter.name}`, { skip }, async (t) => {
    const server = await start();
    await checkAdapter(t, { ...adapter, settings: (group, node) => adapter.settings(group, node, server) });
  });
}
