"use strict";
// Brokers that an adapter joins. Another adapter has its line in ADAPTERS.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const { checkAdapter } = require("./lib/adapter_checks");
const { BINARY } = require("./lib/broker");

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
];

for (const adapter of ADAPTERS) test(`brokers joined by ${adapter.name}`, (t) => checkAdapter(t, adapter));
