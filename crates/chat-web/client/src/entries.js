// The messages of a session as a list of entries. Pure functions: each returns a new list, and entries that have not changed
// stay the same objects, so that a page draws only what is new.

/** @typedef {import("../index.d.ts").Entry} Entry */
/** @typedef {import("../index.d.ts").Message} Message */

const STAGES = ["sent", "delivered", "read"];

/**
 * @param {Message} message
 * @param {string} key
 * @param {boolean} own
 * @returns {Entry}
 */
export function entryOf(message, key, own) {
  const { status, ...rest } = message;
  return Object.freeze({ ...rest, key, own, delivery: status });
}

/**
 * Adds a message at its place, which `seq` says. One that is there already stays as it is.
 * @param {readonly Entry[]} entries @param {Entry} entry
 */
export function insert(entries, entry) {
  const seq = /** @type {number} */ (entry.seq);
  let at = entries.length;
  while (at > 0 && /** @type {number} */ (entries[at - 1].seq) > seq) at--;
  return entries[at - 1]?.seq === seq ? entries : [...entries.slice(0, at), entry, ...entries.slice(at)];
}

/**
 * A receipt brings messages one stage further, and never back.
 * @param {readonly Entry[]} entries @param {import("../index.d.ts").Receipt} receipt
 */
export function applyReceipt(entries, { messageIds, status }) {
  const ids = new Set(messageIds);
  const raised = (/** @type {Entry} */ entry) =>
    ids.has(/** @type {string} */ (entry.id)) && STAGES.indexOf(status) > STAGES.indexOf(entry.delivery);
  if (!entries.some(raised)) return entries;
  return entries.map((entry) =>
    raised(entry) ? Object.freeze({ ...entry, delivery: status, read: status === "read" }) : entry,
  );
}
