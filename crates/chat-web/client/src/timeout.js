// An end for what may never end by its own.
import { timeoutError } from "./errors.js";

/**
 * @template T
 * @param {import("../index.d.ts").Clock} clock
 * @param {number} ms
 * @param {() => Promise<T>} run
 * @returns {Promise<T>}
 */
export function withTimeout(clock, ms, run) {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(timeoutError()), ms);
    run()
      .then(resolve, reject)
      .finally(() => clock.clearTimeout(timer));
  });
}
