/**
 * What is typed and not sent, for each session. It is stored at each key, so that neither a reload nor a crash of the page
 * loses any of it, and read from memory, so that a list of sessions may ask for each.
 */

/** @import { Drafts } from "./types.js" */

/**
 * @param {string} user whose drafts they are: another person at this browser has others
 * @param {AbortSignal} [signal] ends it
 * @returns {Drafts}
 */
export function createDrafts(user, signal) {
  const prefix = `chatConsole:draft:${encodeURIComponent(user)}:`;
  /** @type {Map<string, string>} */
  const drafts = new Map();
  /** @type {Map<string, readonly File[]>} */
  const files = new Map();
  /** @type {Set<(session: string) => void>} */
  const listeners = new Set();

  /** @param {string} session @param {string} text */
  function changed(session, text) {
    if (text === (drafts.get(session) ?? "")) return;
    if (text) drafts.set(session, text);
    else drafts.delete(session);
    for (const listener of [...listeners]) listener(session);
  }

  for (const [key, text] of stored(prefix)) drafts.set(key.slice(prefix.length), text);

  addEventListener(
    "storage",
    ({ key, newValue, storageArea }) => {
      if (key?.startsWith(prefix)) changed(key.slice(prefix.length), newValue ?? "");
      // Everything was erased.
      else if (key === null && storageArea === safeStorage()) {
        for (const session of [...drafts.keys()]) changed(session, "");
      }
    },
    { signal },
  );

  return {
    get: (session) => drafts.get(session) ?? "",
    set(session, text) {
      try {
        if (text) localStorage.setItem(prefix + session, text);
        else localStorage.removeItem(prefix + session);
      } catch {
        // Where the browser stores nothing, or nothing more, it lasts as long as the page.
      }
      changed(session, text);
    },
    files: (session) => files.get(session) ?? [],
    setFiles(session, waiting) {
      if (waiting.length) files.set(session, waiting);
      else files.delete(session);
    },
    get isEmpty() {
      return drafts.size === 0 && files.size === 0;
    },
    clear() {
      files.clear();
      for (const [key] of stored(prefix)) localStorage.removeItem(key);
      for (const session of [...drafts.keys()]) changed(session, "");
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** @param {string} prefix @returns {[key: string, text: string][]} */
function stored(prefix) {
  return Object.entries(safeStorage() ?? {}).filter(([key]) => key.startsWith(prefix));
}

/** Reading the property throws where a browser forbids storage. */
function safeStorage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
