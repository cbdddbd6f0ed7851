"use strict";
// usage: node.js PACKAGE URL MODE

const [, , name, url, mode] = process.argv;
const client = require(name);
const { runMatrixChecks } = require("./checks");

runMatrixChecks({
  io: client.io || client, url, mode, report: console.log,
  cut: () => console.log("cut"), restore: () => console.log("restore"),
}).then(() => process.exit(0));
