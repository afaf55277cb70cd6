/** What an agent has chosen, kept in this browser for this person and known to all windows. */

import { hashOf } from "./hash.js";

/** @import { Settings, SettingsStore } from "./types.js" */

/** @type {Readonly<Settings>} */
const DEFAULTS = { shortcuts: true, notifications: false, sound: false, details: true };

/** @param {string} user @param {AbortSignal} signal ends it @returns {SettingsStore} */
export function createSettings(user, signal) {
  const key = `chatConsole:settings:${hashOf(user)}`;
  /** @type {Set<() => void>} */
  const listeners = new Set();
  let value = read();

  function read() {
    /** @type {Settings} */
    const settings = { ...DEFAULTS };
    try {
      const stored = JSON.parse(localStorage.getItem(key) ?? "{}");
      for (const name of /** @type {(keyof Settings)[]} */ (Object.keys(DEFAULTS))) {
        if (typeof stored?.[name] === "boolean") settings[name] = stored[name];
      }
    } catch {
      // Nothing is stored, or something that is not ours.
    }
    return Object.freeze(settings);
  }

  function changed() {
    for (const listener of [...listeners]) listener();
  }

  addEventListener(
    "storage",
    (event) => {
      if (event.key !== key && event.key !== null) return;
      value = read();
      changed();
    },
    { signal },
  );

  return {
    get value() {
      return value;
    },
    set(changes) {
      value = Object.freeze({ ...value, ...changes });
      try {
        localStorage.setItem(key, JSON.stringify(value));
      } catch {
        // Where the browser stores nothing, it lasts as long as the page.
      }
      changed();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
