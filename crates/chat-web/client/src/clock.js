// Time, as a port: tests have a clock of their own.

/** @type {import("../index.d.ts").Clock} */
export const systemClock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};
