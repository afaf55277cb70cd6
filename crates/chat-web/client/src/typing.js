// Who types, and when to say that we do.

// The server says after 10 seconds of silence that a person has stopped; this is for when that is lost.
const LONGEST = 15_000;
// `true` is repeated within 10 seconds while a person goes on.
const REPEAT = 5_000;

/**
 * @param {import("../index.d.ts").Clock} clock
 * @param {() => void} onChange
 */
export function createTypists(clock, onChange) {
  /** @type {Map<string, unknown>} a timer for each person who types */
  const timers = new Map();
  /** @type {readonly string[]} */
  let ids = Object.freeze([]);
  // When we last said `true`; `null` when the last thing we said was `false`.
  /** @type {number | null} */
  let saidAt = null;

  function changed() {
    ids = Object.freeze([...timers.keys()]);
    onChange();
  }

  /** @param {string} id */
  function stop(id) {
    clock.clearTimeout(timers.get(id));
    if (timers.delete(id)) changed();
  }

  return {
    ids: () => ids,
    stop,
    /** @param {string} id @param {boolean} isTyping */
    set(id, isTyping) {
      if (!isTyping) return stop(id);
      const isNew = !timers.has(id);
      clock.clearTimeout(timers.get(id));
      timers.set(
        id,
        clock.setTimeout(() => stop(id), LONGEST),
      );
      if (isNew) changed();
    },
    clear() {
      for (const timer of timers.values()) clock.clearTimeout(timer);
      const wereSome = timers.size > 0;
      timers.clear();
      saidAt = null;
      if (wereSome) changed();
    },
    /** Whether the server has to hear it. @param {boolean} on */
    isDue(on) {
      const now = clock.now();
      if (!on) {
        const was = saidAt !== null;
        saidAt = null;
        return was;
      }
      if (saidAt !== null && now - saidAt < REPEAT) return false;
      saidAt = now;
      return true;
    },
    /** A message ends the typing of its sender. */
    sent() {
      saidAt = null;
    },
  };
}
