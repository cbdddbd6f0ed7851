"use strict";
// Waiting for what is to happen, always with a deadline and never for a fixed time.

// Generous: sanitizers on a busy machine are slow, and a deadline only costs when a test fails.
const DEADLINE_MS = Number(process.env.MOONWIRE_TEST_DEADLINE_MS || 20000);

function within(promise, what, ms = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/// The arguments of the next `name` that `emitter` raises.
function event(emitter, name, ms = DEADLINE_MS) {
  return within(
    new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), `event ${name}`, ms);
}

/// The first value of `probe` that is not falsy; a probe that throws counts as "not yet".
async function until(probe, what, ms = DEADLINE_MS) {
  const deadline = Date.now() + ms;
  for (;;) {
    let last;
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`not within ${ms} ms: ${what}${last ? ` (${last.message})` : ""}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

module.exports = { within, event, until, DEADLINE_MS };
