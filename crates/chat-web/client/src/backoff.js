// How long to wait before the next attempt.

const STEP = 250;
const MOST = 15_000;

/**
 * Grows with the failures in a row, and is random, so that clients that lost the same server do not come back together
 * ("full jitter", with a floor).
 * @param {number} failures @param {() => number} random
 */
export const backoff = (failures, random) => STEP + random() * Math.min(MOST, STEP * 2 ** failures);

/** A server that shuts down takes all its sockets along: they come back spread over some seconds. @param {() => number} random */
export const drainingDelay = (random) => random() * 5_000;
