/**
 * The lists of sessions that the console shows: views of the inbox, and for admins also all sessions, which are read over
 * REST and kept up to date by what the inbox says. It makes no element.
 */

/** @import { ChatSession, Client, Inbox, InboxItem, InboxView } from "../client/index.js" */
/** @import { ListName, SessionList } from "./types.js" */

const PAGE = 50;
/** Totals are asked for again at most so often. */
const TOTALS_MS = 5_000;
/** So long after a page that could not be read it is not asked for again. */
const PAUSE_MS = 3_000;

/** The lists of an agent, and those of an admin, in their order. */
export const AGENT_LISTS = /** @type {const} */ (["mine", "waiting", "closed"]);
export const ADMIN_LISTS = /** @type {const} */ (["waiting", "assigned", "closed", "all"]);

/**
 * @param {object} ports
 * @param {Client} ports.client
 * @param {Inbox} ports.inbox
 * @param {readonly ListName[]} ports.names
 * @param {() => void} ports.changed
 * @param {AbortSignal} ports.signal ends it
 */
export function createLists({ client, inbox, names, changed, signal }) {
  /** How many sessions the server has, of all and of those of a status. @type {{ active?: number, closed?: number, all?: number }} */
  let totals = {};
  let isTotalling = false;
  let isTotalDue = false;
  /** What was read for the list of all, by id. @type {Map<string, ChatSession>} */
  const read = new Map();
  /** @type {string | null} */
  let cursor = null;
  let isStarted = false;
  /** @type {Set<ListName>} */
  const reading = new Set();
  /** Lists that are to be read again behind what is being read of them. @type {Map<ListName, () => Promise<void>>} */
  const due = new Map();
  /** How many items of each view there were when the inbox was live last. @type {Map<string, number>} */
  const lengths = new Map();
  /** @type {import("../client/index.js").InboxState | null} */
  let seen = null;
  /** @type {readonly InboxItem[]} */
  let all = [];

  const hasAll = names.includes("all");

  /** A session that REST has brought, as an item of the inbox. @param {ChatSession} session @returns {InboxItem} */
  const asItem = (session) => ({
    ...session,
    // REST does not say it, which is not the same as none.
    lastMessage: /** @type {any} */ (undefined),
    unreadCount: 0,
    lastActivityAt: session.endedAt ?? session.startedAt,
    waitingSince: null,
    seq: 0,
  });
  /** @type {WeakMap<ChatSession, InboxItem>} so that a row is the same while its session is */
  const asItems = new WeakMap();

  /** The pages that were read, with what the inbox knows better, newest first. */
  function merge() {
    /** @type {Map<string, InboxItem>} */
    const known = new Map();
    for (const items of Object.values(inbox.view.items)) for (const item of items) known.set(item.id, item);
    const oldest = [...read.values()].at(-1)?.startedAt ?? "";
    /** @type {Map<string, InboxItem>} */
    const merged = new Map();
    for (const [id, session] of read) {
      let item = known.get(id) ?? asItems.get(session);
      if (!item) asItems.set(session, (item = asItem(session)));
      merged.set(id, item);
    }
    // Those that are older than the pages read stand on pages to come.
    for (const [id, item] of known) if (cursor === null || item.startedAt >= oldest) merged.set(id, item);
    return [...merged.values()].sort((a, b) => (a.startedAt === b.startedAt ? (a.id < b.id ? 1 : -1) : a.startedAt < b.startedAt ? 1 : -1));
  }

  /** @param {boolean} isAgain whether what was read before may be out of date */
  async function readAll(isAgain = false) {
    if (isStarted && cursor === null && !isAgain) return;
    /** @type {ChatSession[]} */
    const found = [];
    let next = isAgain ? null : cursor;
    // As many as there were, so that nothing goes that is still there.
    const wanted = isAgain ? read.size : 0;
    do {
      const page = await client.sessions.list({ limit: PAGE, ...(next !== null && { cursor: next }) });
      found.push(...page.sessions);
      next = page.nextCursor;
      totals = { ...totals, all: page.totalCount };
    } while (next !== null && found.length < wanted && !signal.aborted);
    if (isAgain) read.clear();
    isStarted = true;
    cursor = next;
    for (const session of found) read.set(session.id, session);
    all = merge();
  }

  /** Asks for the totals of lists that are not loaded whole. */
  async function total() {
    if (signal.aborted) return;
    if (isTotalling) return void (isTotalDue = true);
    const { hasMore } = inbox.view;
    const status = names.includes("assigned") && hasMore.assigned ? "active" : null;
    if (!hasMore.closed && !status && !hasAll) return;
    isTotalling = true;
    try {
      const [closed, active, every] = await Promise.all([
        hasMore.closed ? count("closed") : undefined,
        status ? count("active") : undefined,
        hasAll ? count() : undefined,
      ]);
      totals = { closed, active, all: every };
      changed();
    } catch {
      // The counts of before stay, and are asked for again with the next change.
    }
    setTimeout(() => {
      isTotalling = false;
      if (isTotalDue) total();
      isTotalDue = false;
    }, TOTALS_MS);
  }

  /** @param {"active" | "closed"} [status] */
  const count = async (status) => (await client.sessions.list({ limit: 1, ...(status && { status }) })).totalCount;

  /** Reads on until a view has as many items as before. @param {InboxView} name @param {number} wanted */
  async function readOn(name, wanted) {
    const loaded = () => inbox.view.items[name]?.length ?? 0;
    for (let had = -1; had < loaded() && loaded() < wanted && inbox.view.hasMore[name]; ) {
      had = loaded();
      await inbox.more(name);
    }
  }

  /** Reads a list again, if need be behind what is being read of it now. @param {ListName} name @param {() => Promise<void>} run */
  function readAgain(name, run) {
    if (reading.has(name)) due.set(name, run);
    else void readPage(name, run);
  }

  /** Reads one page of a list at a time. @param {ListName} name @param {() => Promise<void>} run */
  async function readPage(name, run) {
    if (reading.has(name) || signal.aborted) return;
    reading.add(name);
    changed();
    try {
      await run();
    } catch {
      // The connection is shown as lost, and a list whose end is seen asks again, but not at once.
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    } finally {
      reading.delete(name);
      const next = due.get(name);
      due.delete(name);
      if (next) void readPage(name, next);
      else changed();
    }
  }

  /** Sessions have come or gone. @param {import("../client/index.js").InboxState} before */
  const isOther = ({ items: before }) => {
    const { items } = inbox.view;
    return /** @type {InboxView[]} */ (Object.keys(items)).some((name) => items[name]?.length !== before[name]?.length);
  };

  /** @param {ListName} name @returns {number | null} */
  function countOf(name) {
    const { items, counts, hasMore } = inbox.view;
    if (name === "mine") return counts?.mine ?? null;
    if (name === "waiting") return counts?.waiting ?? null;
    if (name === "all") return cursor === null && isStarted ? all.length : (totals.all ?? null);
    const loaded = items[name];
    if (loaded && !hasMore[name]) return loaded.length;
    const total = name === "closed" ? totals.closed : totals.active;
    if (total === undefined || name === "closed") return total ?? null;
    return Math.max(0, total - (counts?.waiting ?? 0));
  }

  return {
    /** The inbox has changed. */
    update() {
      const { view } = inbox;
      if (view === seen) return;
      const before = seen;
      seen = view;
      if (hasAll && isStarted) all = merge();
      const isNew = view.state === "live" && before?.state !== "live";
      if (isNew && isStarted) readAgain("all", () => readAll(true));
      for (const name of /** @type {InboxView[]} */ (Object.keys(view.items))) {
        const length = view.items[name]?.length ?? 0;
        const wanted = lengths.get(name) ?? 0;
        if (isNew && length < wanted && view.hasMore[name]) readAgain(name, () => readOn(name, wanted));
        if (view.state === "live") lengths.set(name, length);
      }
      if (isNew || (before && view.state === "live" && isOther(before))) void total();
    },
    countOf,
    /** @param {ListName} name @returns {SessionList} */
    get(name) {
      const { items, hasMore, error } = inbox.view;
      const isReading = reading.has(name);
      if (name === "all") return { items: all, hasMore: cursor !== null || !isStarted, isLoaded: isStarted, isReading, error };
      const loaded = items[name];
      return { items: loaded ?? [], hasMore: Boolean(hasMore[name]), isLoaded: loaded !== undefined, isReading, error };
    },
    /** Reads a further page. @param {ListName} name */
    more: (name) => readPage(name, () => (name === "all" ? readAll() : inbox.more(name))),
  };
}
