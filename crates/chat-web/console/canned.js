/** The prepared answers of a person, kept in this browser: "/hello" becomes a text. No element is made here. */

import { hashOf } from "./hash.js";
import texts from "./texts.js";

/** @import { CannedReplies } from "./types.js" */

/** A name is one word, so that where it ends is clear when it is typed. */
const NAME = /^[\p{L}\p{M}\p{N}_-]{1,40}$/u;
/** The longest message that the server takes. */
const LONGEST = 10_000;
/** So many replies there may be. They are stored and shown all at once. */
const MOST = 1_000;
/** So many are offered: who sees more than these types a further letter. */
const OFFERED = 50;

/** A name as it is stored: without the slash, and in small letters. @param {string} name */
export const replyName = (name) => name.trim().replace(/^\//, "").normalize("NFC").toLowerCase();

/** @param {string} user @param {AbortSignal} [signal] ends it @returns {CannedReplies} */
export function createCannedReplies(user, signal) {
  const key = `chatConsole:canned:${hashOf(user)}`;
  /** @type {Set<() => void>} */
  const listeners = new Set();
  let all = read(load(key));
  let isStored = true;

  function changed() {
    for (const listener of [...listeners]) listener();
  }

  /** @param {Iterable<[string, string]>} entries */
  function save(entries) {
    const next = sorted(entries);
    if (next.length > MOST) throw new Error(texts.cannedTooMany);
    all = next;
    try {
      localStorage.setItem(key, JSON.stringify(all));
      isStored = true;
    } catch {
      // Where the browser stores nothing, or nothing more, they last as long as the page.
      isStored = false;
    }
    changed();
  }

  const byName = () => new Map(all.map(({ name, text }) => [name, text]));

  addEventListener(
    "storage",
    (event) => {
      if (event.key !== key && event.key !== null) return;
      all = read(event.newValue);
      changed();
    },
    { signal },
  );

  return {
    get all() {
      return all;
    },
    get isStored() {
      return isStored;
    },
    put(name, text, before = "") {
      const reply = check({ name, text });
      const entries = byName();
      entries.delete(replyName(before));
      if (entries.has(reply.name)) throw new Error(texts.cannedTaken.replace("{name}", () => `/${reply.name}`));
      save(entries.set(reply.name, reply.text));
    },
    remove(name) {
      const entries = byName();
      if (entries.delete(replyName(name))) save(entries);
    },
    export: () => `${JSON.stringify(all, null, 2)}\n`,
    import(json) {
      const added = parse(json).map(checkEntry);
      const entries = byName();
      const replaced = added.filter(({ name, text }) => (entries.get(name) ?? text) !== text).length;
      for (const { name, text } of added) entries.set(name, text);
      save(entries);
      return { added: added.length, replaced };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * Those that a typed text may mean: "/" means all, "/he" those that begin with it. Of many, the first.
 *
 * @param {CannedReplies["all"]} all @param {string} typed
 */
export function matching(all, typed) {
  const found = /^\/(\S*)$/.exec(typed);
  if (!found) return [];
  const begun = replyName(typed);
  return all.filter(({ name }) => name.startsWith(begun)).slice(0, OFFERED);
}

/** Without a name, the space before it goes as well. @param {string} text @param {string} customer */
export const filled = (text, customer) =>
  customer ? text.replaceAll("{customer}", () => customer) : text.replace(/ ?\{customer\}/g, "");

/** @param {unknown} reply @returns {{ name: string, text: string }} */
function check(reply) {
  const { name, text } = /** @type {{ name?: unknown, text?: unknown }} */ (reply ?? {});
  if (typeof name !== "string" || typeof text !== "string") throw new Error(texts.cannedNoReply);
  const checked = { name: replyName(name), text: text.trim() };
  if (!NAME.test(checked.name)) throw new Error(texts.cannedBadName);
  if (!checked.text) throw new Error(texts.cannedNoText);
  // As the server counts: by code points.
  if ([...checked.text].length > LONGEST) throw new Error(texts.cannedLongText);
  return checked;
}

/** One of a file, of which the problem says which it is. @param {unknown} reply @param {number} at */
function checkEntry(reply, at) {
  try {
    return check(reply);
  } catch (error) {
    const problem = /** @type {Error} */ (error).message;
    throw new Error(texts.cannedBadEntry.replace("{n}", String(at + 1)).replace("{problem}", () => problem));
  }
}

/** @param {string} json @returns {unknown[]} */
function parse(json) {
  let list;
  try {
    list = JSON.parse(json);
  } catch {
    // Said below.
  }
  if (!Array.isArray(list)) throw new Error(texts.cannedBadFile);
  return list;
}

/** What was stored. What another version of this page may have left costs none of the others. @param {string | null} json */
function read(json) {
  /** @type {Map<string, string>} */
  const entries = new Map();
  try {
    for (const reply of json === null ? [] : parse(json)) {
      try {
        const { name, text } = check(reply);
        if (entries.size < MOST) entries.set(name, text);
      } catch {
        // It is no reply.
      }
    }
  } catch {
    // It is no list.
  }
  return sorted(entries);
}

/** @param {string} key */
function load(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {Iterable<[string, string]>} entries */
function sorted(entries) {
  return [...entries].map(([name, text]) => ({ name, text })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
