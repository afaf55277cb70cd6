/** Which sessions are live: the one that is open, those of Mine, and those that were looked at last. */

/** @import { Client, Inbox, InboxItem, Session } from "../client/index.js" */

/** So many are live at most; the server allows 100 for a socket. */
const MOST = 50;
/** So many are loaded at a time, so that the one that is looked at need not wait for the others. */
const AT_ONCE = 3;

/**
 * @param {object} ports
 * @param {Client} ports.client
 * @param {Inbox} ports.inbox
 * @param {() => string | null} ports.current the session that is open
 * @param {() => void} ports.changed
 */
export function createLiveSessions({ client, inbox, current, changed }) {
  /** Those that were asked for last at the end. @type {Map<string, Session>} */
  const sessions = new Map();
  /** Those of Mine that were opened again. Until the lists say something new of one, it would be refused again. @type {WeakSet<InboxItem>} */
  const tried = new WeakSet();

  /** @param {string} id */
  function drop(id) {
    sessions.get(id)?.close();
    sessions.delete(id);
  }

  /** @param {string} id */
  function open(id) {
    const session = client.open(id);
    sessions.set(id, session);
    session.subscribe(changed);
    return session;
  }

  /** Those of Mine with the newest activity. */
  const newestOfMine = () => (inbox.view.items.mine ?? []).slice(0, MOST - 1);

  /**
   * Ends those that are too many: first those that are not of Mine, and that were not asked for for the longest time.
   *
   * @param {number} [most]
   */
  function trim(most = MOST) {
    const mine = new Set(newestOfMine().map(({ id }) => id));
    for (const isSpared of [(/** @type {string} */ id) => mine.has(id), () => false]) {
      for (const id of sessions.keys()) {
        if (sessions.size <= most) return;
        if (id !== current() && !isSpared(id)) drop(id);
      }
    }
  }

  return {
    drop,
    /** Without opening it. @param {string} id */
    view: (id) => sessions.get(id)?.view ?? null,
    all: () => sessions.values(),
    /** @param {string} id */
    get(id) {
      const session = sessions.get(id) ?? open(id);
      sessions.delete(id);
      sessions.set(id, session);
      trim();
      return session;
    },
    /** Opens those of Mine, a few at a time, and those again that have come back to us. */
    keep() {
      const mine = newestOfMine();
      for (const [id, { view }] of sessions) {
        if (view.state !== "stopped") continue;
        // One that was taken away says how it was then, and the lists know how it is.
        const item = mine.find((item) => item.id === id);
        const isGone = id !== current() && view.error?.code === "FORBIDDEN";
        if (item ? tried.has(item) : !isGone) continue;
        if (item) tried.add(item);
        drop(id);
      }
      if (inbox.view.state !== "live") return;
      let loading = 0;
      for (const { view } of sessions.values()) if (view.state === "connecting") loading++;
      for (const { id } of mine) {
        if (loading >= AT_ONCE) return;
        if (sessions.has(id)) continue;
        trim(MOST - 1);
        open(id);
        loading++;
      }
    },
  };
}
