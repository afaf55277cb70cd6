// Frames that may wait, within what a server takes of one socket: 40 at once and 120 a minute.

// Below the server's limits, since typing and subscriptions of the socket count as well.
const BURST = 20;
const EVERY = 750;
// One `ack` and one `read` a second for each session are enough: later ones contain earlier ones.
const TOGETHER = 1_000;

/** @typedef {ReturnType<typeof createPacer>} Pacer */

/**
 * @param {import("../index.d.ts").Clock} clock
 * @param {(frame: object) => void} send
 */
export function createPacer(clock, send) {
  /** @type {Map<string, {type: string, sessionId: string, data: {seq: number}}>} */
  const waiting = new Map();
  let allowance = BURST;
  let countedAt = clock.now();
  /** @type {unknown} */
  let timer = null;

  function count() {
    const now = clock.now();
    allowance = Math.min(BURST, allowance + Math.max(0, now - countedAt) / EVERY);
    countedAt = now;
  }

  function flush() {
    timer = null;
    count();
    // `read` first: a person waits for it, and it contains the `ack` up to there.
    const frames = [...waiting].sort(([, a], [, b]) => Number(b.type === "read") - Number(a.type === "read"));
    for (const [key, frame] of frames) {
      if (allowance < 1) break;
      allowance--;
      waiting.delete(key);
      send(frame);
    }
    if (waiting.size > 0) timer = clock.setTimeout(flush, EVERY);
  }

  return {
    /** Sends it soon; a newer one of the same session takes its place. @param {"ack" | "read"} type @param {string} sessionId @param {number} seq */
    later(type, sessionId, seq) {
      waiting.set(`${type} ${sessionId}`, { type, sessionId, data: { seq } });
      timer ??= clock.setTimeout(flush, TOGETHER);
    },
    /** Whether one more frame that is not worth waiting for may be sent now. */
    now() {
      count();
      if (allowance < 1) return false;
      allowance--;
      return true;
    },
    /** What waits belongs to a socket that has ended. */
    clear() {
      waiting.clear();
      clock.clearTimeout(timer);
      timer = null;
    },
    /** @param {string} sessionId */
    forget(sessionId) {
      for (const type of ["ack", "read"]) waiting.delete(`${type} ${sessionId}`);
    },
  };
}
