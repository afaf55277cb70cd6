// Listeners that cannot hurt each other or the code that calls them.

/** @typedef {ReturnType<typeof createListeners>} Listeners */

/** @param {(error: unknown) => void} onError receives what a listener throws */
export function createListeners(onError) {
  /** @type {Map<string, Set<(value: any) => void>>} */
  const listeners = new Map();

  return {
    /** @param {string} event @param {(value: any) => void} listener */
    on(event, listener) {
      // One function may listen twice, and each registration ends alone.
      const own = (/** @type {any} */ value) => listener(value);
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set.add(own));
      return () => void set.delete(own);
    },
    /** @param {string} event @param {any} [value] */
    emit(event, value) {
      for (const listener of [...(listeners.get(event) ?? [])]) {
        try {
          listener(value);
        } catch (error) {
          onError(error);
        }
      }
    },
    clear: () => listeners.clear(),
  };
}
