"use strict";
// The document's load, for ten seconds: every answer is right, and the figures are printed. Machines
// differ, so no time is asserted.

const { describe, it } = require("node:test");
const { run, startBroker } = require("./transit_load");
const { SANITIZED } = require("./lib/broker");

describe("transit under load", () => {
  it("answers 1 200 vehicles over 10 000 waiting commuters as a search of everyone would",
     { timeout: 180000 }, async (t) => {
       const broker = await startBroker();
       // A sanitizer's broker is many times slower: it checks the same things with fewer vehicles.
       const figures = await run(broker, SANITIZED ? { vehicles: 150, commuters: 3000, seconds: 5 } : {});
       t.diagnostic(JSON.stringify(figures));
       await broker.stop();
     });
});
