// The inbox: a snapshot of each view, then updates. Nothing is resumed: each socket begins with new snapshots.
import { backoff } from "./backoff.js";
import { ChatError, toChatError } from "./errors.js";
import { createListeners } from "./listeners.js";

/** @typedef {import("../index.d.ts").InboxView} InboxView */
/** @typedef {import("../index.d.ts").InboxItem} InboxItem */
/** @typedef {ReturnType<typeof createInbox>} InboxModel */

const LIMIT = 50;
const PRIORITIES = ["high", "medium", "low"];

/**
 * The orders of the views. Times are RFC 3339 in UTC, which sort as text; equal ones by descending id.
 * @type {Record<InboxView, (item: InboxItem) => (string | number)[]>} ascending in even places, descending in odd ones
 */
const ORDER = {
  mine: (item) => [item.status === "active" ? 0 : 1, item.lastActivityAt],
  // Sessions that support has answered, and then gave back to the queue, wait for no answer: they come last.
  waiting: (item) => [PRIORITIES.indexOf(item.priority), "", item.waitingSince ?? "~"],
  assigned: (item) => [0, item.startedAt],
  closed: (item) => [0, item.endedAt ?? ""],
};

/** @param {InboxView} view @param {InboxItem[]} items */
export function sortItems(view, items) {
  const key = ORDER[view];
  return items.sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    for (let at = 0; at < left.length; at++) {
      if (left[at] !== right[at]) return left[at] < right[at] === (at % 2 === 0) ? -1 : 1;
    }
    return a.id < b.id ? 1 : -1;
  });
}

/**
 * All inboxes of a client are one on the socket, with the views of each.
 * @param {object} ports
 * @param {import("./rest.js").Rest} ports.rest
 * @param {import("./socket.js").Socket} ports.socket
 * @param {import("./tokens.js").Tokens} ports.tokens
 * @param {import("../index.d.ts").Clock} ports.clock
 * @param {() => number} ports.random
 * @param {InboxView[]} views
 * @param {(error: unknown) => void} onError
 */
export function createInbox({ rest, socket, tokens, clock, random }, views, onError) {
  const listeners = createListeners(onError);
  /** @type {Map<InboxView, Map<string, InboxItem>>} */
  const items = new Map();
  /** @type {Map<InboxView, string | null>} */
  const cursors = new Map();
  /** @type {Map<InboxView, string>} the newest activity in the last snapshot; what is not loaded had its own before */
  const newest = new Map();
  /** @type {Map<InboxView, Set<string>>} what has left a view while a page of it is on its way */
  const removed = new Map();
  /** @type {import("../index.d.ts").InboxCounts | null} */
  let counts = null;
  /** @type {ChatError | null} */
  let error = null;
  /** @type {Set<InboxView>} the views that this socket has sent */
  let fresh = new Set();
  let isEnded = false;
  let failures = 0;
  /** @type {unknown} */
  let retryTimer = null;
  /** @type {number | null} */
  let retryAt = null;
  /** @type {import("../index.d.ts").InboxState | null} */
  let view = null;

  /** @returns {import("../index.d.ts").State} */
  function stateNow() {
    if (isEnded) return "stopped";
    if (socket.state !== "live") return socket.state;
    if (retryAt !== null) return "waiting";
    return views.every((name) => fresh.has(name)) ? "live" : "connecting";
  }

  function build() {
    const lists = [...items].map(([name, all]) => [name, Object.freeze(sortItems(name, [...all.values()]))]);
    return Object.freeze({
      state: stateNow(),
      retryAt: socket.state === "live" ? retryAt : socket.retryAt,
      items: Object.freeze(Object.fromEntries(lists)),
      hasMore: Object.freeze(Object.fromEntries([...cursors].map(([name, cursor]) => [name, cursor !== null]))),
      counts,
      error: error ?? socket.error,
    });
  }

  function changed() {
    view = null;
    listeners.emit("change");
  }

  /**
   * What is worth a notice: only differences to what was known, and so not what the first snapshot brings.
   * @param {InboxView} name @param {InboxItem | undefined} before @param {InboxItem} item
   * @param {boolean} isHere whether one that was not known is new in the view, and not only on a page that was not read
   */
  function notice(name, before, item, isHere) {
    if (!before && isHere) {
      if (name === "waiting") listeners.emit("waiting", item);
      if (name === "mine") listeners.emit("assigned", item);
      return;
    }
    const message = item.lastMessage;
    const isNew =
      message && (before ? message.seq > (before.lastMessage?.seq ?? 0) : message.timestamp > (newest.get(name) ?? "~"));
    if (isNew && message.author?.id !== tokens.user) listeners.emit("message", item);
  }

  /** @param {{view: InboxView, items: InboxItem[], nextCursor: string | null}} data */
  function onSnapshot({ view: name, items: page, nextCursor }) {
    const before = items.get(name);
    const wasWhole = !cursors.get(name);
    items.set(name, new Map(page.map((item) => [item.id, item])));
    cursors.set(name, nextCursor);
    // A page that is on its way belongs to the snapshot before.
    removed.delete(name);
    fresh.add(name);
    error = null;
    failures = 0;
    changed();
    const since = newest.get(name) ?? "";
    if (before) for (const item of page) notice(name, before.get(item.id), item, wasWhole || item.startedAt > since);
    newest.set(name, page.reduce((last, { lastActivityAt }) => (lastActivityAt > last ? lastActivityAt : last), since));
  }

  /** @param {string} id @param {{view: InboxView, item: InboxItem | null}} data @param {boolean} isMore whether the view has more than before */
  function onUpdate(id, { view: name, item }, isMore) {
    const all = items.get(name);
    if (!all || !fresh.has(name)) return;
    const before = all.get(id);
    if (item) all.set(id, item);
    else {
      all.delete(id);
      removed.get(name)?.add(id);
    }
    changed();
    if (item) notice(name, before, item, isMore || !cursors.get(name));
  }

  /** @param {InboxView} name */
  async function more(name) {
    const cursor = cursors.get(name);
    if (!cursor || removed.has(name)) return;
    const gone = new Set();
    removed.set(name, gone);
    try {
      const { body } = await rest.request("GET", "/inbox", { query: { view: name, cursor, limit: LIMIT } });
      if (removed.get(name) !== gone) return;
      const all = /** @type {Map<string, InboxItem>} */ (items.get(name));
      for (const item of body.items) {
        // An update that came meanwhile is newer than the page.
        if (!gone.has(item.id) && !(Number(all.get(item.id)?.seq) > item.seq)) all.set(item.id, item);
      }
      cursors.set(name, body.nextCursor);
    } finally {
      if (removed.get(name) === gone) removed.delete(name);
      changed();
    }
  }

  return {
    views,
    listeners,
    get view() {
      return (view ??= build());
    },
    /** @param {any} frame */
    receive(frame) {
      const { view: name, counts: now } = frame.data;
      const had = /** @type {any} */ (counts)?.[name] ?? 0;
      // Those of a view that another inbox of this client has are the same.
      counts = now;
      if (!views.includes(name)) changed();
      else if (frame.type === "inbox") onSnapshot(frame.data);
      else onUpdate(frame.sessionId, frame.data, now[name] > had);
    },
    /** The socket begins again. */
    onOpening() {
      fresh = new Set();
      clock.clearTimeout(retryTimer);
      retryAt = null;
      changed();
    },
    /** @param {{code: string, message: string}} data @param {() => void} run opens it again */
    onRefused({ code, message }, run) {
      error = toChatError(new ChatError(code, message));
      // A view that is not the role's stays so.
      if (code !== "FORBIDDEN" && code !== "VALIDATION_FAILED") {
        const delay = backoff(failures++, random);
        retryAt = clock.now() + delay;
        retryTimer = clock.setTimeout(run, delay);
      }
      changed();
    },
    onSocketState: changed,
    more,
    end() {
      isEnded = true;
      clock.clearTimeout(retryTimer);
      items.clear();
      removed.clear();
      counts = null;
      changed();
      listeners.clear();
    },
  };
}
