// Messages on their way: stored before they are sent, sent in order, each once.
//
// A record is in the storage until the server is known to have the message, so neither a closed tab nor a crash loses one. All
// tabs of a person show the same records; the tab that holds the lock sends them, one at a time for each session. A record
// keeps its idempotency key as long as it lives: repeated without end, it is stored once.
import { newKey } from "./keys.js";
import { createSender } from "./sender.js";
import { withTimeout } from "./timeout.js";
import { abortedError, authError, fromRecord, storageError, toRecord } from "./errors.js";

const AUTHOR_LIMIT = 2_000;
const HOLDER_SILENCE = 60_000;

/** @typedef {import("./errors.js").ChatError} ChatError */
/** @typedef {ReturnType<typeof createOutbox>} Outbox */
/** @typedef {import("../index.d.ts").OutboxRecord} OutboxRecord */
/** @typedef {import("../index.d.ts").Message} Message */
/** @typedef {import("../index.d.ts").Delivery} Delivery */
/**
 * @typedef {object} Item a record, and what is known of it in this tab
 * @property {OutboxRecord} record
 * @property {boolean} ours whether it is in the storage of this tab, which then may send it
 * @property {Delivery} delivery
 * @property {number} [progress]
 * @property {ChatError} [error]
 * @property {Message | null} message the stored message, once the server has answered
 * @property {AbortController | null} abort ends the request that runs
 * @property {boolean} [isCancelled]
 * @property {boolean} [isFromHere] whether it was written in this tab
 * @property {Promise<Message>} done
 * @property {(message: Message) => void} resolve
 * @property {(error: ChatError) => void} reject
 */

/**
 * @param {object} ports
 * @param {import("../index.d.ts").Storage} ports.storage
 * @param {import("../index.d.ts").Tab} ports.tab
 * @param {import("./rest.js").Rest} ports.rest
 * @param {import("./tokens.js").Tokens} ports.tokens
 * @param {import("../index.d.ts").Clock} ports.clock
 * @param {() => number} ports.random
 * @param {string} ports.name of the lock
 * @param {(error: unknown) => void} ports.onError
 */
export function createOutbox({ storage, tab, rest, tokens, clock, random, name, onError }) {
  /** @type {Map<string, Item>} */
  const items = new Map();
  // What this tab knows to be sent or cancelled: another tab may not have removed it from the storage yet.
  const finished = new Set();
  /** @type {Map<string, () => void>} the listener of each session that is open */
  const watchers = new Map();
  /** @type {Map<string, Promise<void>>} the sessions that are being sent */
  const workers = new Map();
  // Changes of the storage, one after the other: a record is removed after it was added, and logout comes last.
  let writes = Promise.resolve();
  // Counts the changes of records, so that what was read of the storage is known to be older than they are.
  let changes = 0;
  let started = false;
  let closed = false;
  // Whether this tab holds the lock or waits for it.
  let leading = false;
  let holding = false;
  /** @type {Promise<void> | null} */
  let leads = null;
  // When the holder was heard of; in the future, if the server has asked it to wait until then.
  let heardAt = 0;
  // What the server has asked this tab for.
  let waitsUntil = 0;
  /** @type {unknown} */
  let holderTimer = null;
  let onIdle = () => {};
  const ending = new AbortController();

  const sender = createSender({ rest, clock, random, report, keep: (item) => write(() => storage.put(item.record)) });

  /** @param {(change: number) => Promise<unknown>} run @returns {Promise<void>} */
  function write(run) {
    const change = ++changes;
    return (writes = writes.then(() => run(change)).then(() => {}, onError));
  }

  /** @param {Item} item */
  const changed = (item) => watchers.get(item.record.sessionId)?.();

  /** @param {object} message */
  const post = (message) => tab.post({ ...message, user: tokens.user, waitsUntil });

  /** The state of an item that is being sent, here and in the other tabs. @param {Item} item @param {Delivery} delivery @param {{progress?: number, error?: ChatError}} [how] */
  function report(item, delivery, { progress, error } = {}) {
    Object.assign(item, { delivery, progress, error });
    changed(item);
    waitsUntil = Math.max(waitsUntil, clock.now() + (error?.retryAfter ?? 0) * 1_000);
    post({ type: "progress", key: item.record.key, delivery, progress, error: error && toRecord(error) });
  }

  /**
   * Takes a record into the list of this tab, or its newer state.
   * @param {OutboxRecord} record @param {boolean} ours
   */
  function adopt(record, ours) {
    changes++;
    const known = items.get(record.key);
    const item = known ?? newItem(record, ours);
    const was = item.record.failed;
    item.record = record;
    item.ours ||= ours;
    if (record.failed) {
      Object.assign(item, { delivery: "failed", error: fromRecord(record.failed) });
      item.reject(/** @type {ChatError} */ (item.error));
    } else if (!known || was) {
      renew(item);
    }
    items.set(record.key, item);
    changed(item);
    return item;
  }

  /** @param {OutboxRecord} record @param {boolean} ours @returns {Item} */
  const newItem = (record, ours) => renew(/** @type {Item} */ ({ record, ours, message: null, abort: null }));

  /** Another attempt has another `done`. @param {Item} item */
  function renew(item) {
    item.delivery = "queued";
    item.error = item.progress = undefined;
    item.done = new Promise((resolve, reject) => Object.assign(item, { resolve, reject }));
    // A caller who does not look at `done` sees the failure in the view.
    item.done.catch(() => {});
    return item;
  }

  // What two sort by; what one does not have comes last.
  const order = (/** @type {number | undefined} */ a, /** @type {number | undefined} */ b) =>
    (a ?? Infinity) - (b ?? Infinity) || 0;

  /** The items of a session: those that the server has, in its order, then the others in the order of sending. @param {string} sessionId */
  const of = (sessionId) =>
    [...items.values()]
      .filter(({ record }) => record.sessionId === sessionId)
      .sort((a, b) => order(a.message?.seq, b.message?.seq) || order(a.record.id, b.record.id));

  /** @param {Item} item */
  const isReady = ({ record, ours, message }) => ours && record.id !== undefined && !record.failed && !message;

  /** @param {number} change the one that this is @param {boolean} [isFirst] whether this page has begun just now */
  async function load(change, isFirst) {
    const records = await storage.all();
    const isNewest = change === changes;
    const { user } = tokens;
    for (const record of records) {
      const known = items.get(record.key);
      if (known) {
        // What is being sent is newer here; of the others, another tab may have got further than it could say.
        if (known.abort || known.message) continue;
        const { id, uploads, failed } = record;
        Object.assign(known.record, { id, uploads });
        if (isNewest && record.user === user) adopt({ ...known.record, failed }, true);
      } else if (finished.has(record.key)) continue;
      else if (record.user === user) adopt(record, true);
      // Left by a page that did not know who wrote: the person who has signed in now decides, and it is not sent before.
      else if (record.user === null && isFirst) adopt({ ...record, user, failed: toRecord(authError()) }, true);
    }
    // Another tab has sent or cancelled what is not there any more. Of what was written here it has said so, or does in a
    // moment; of what this tab has found in the storage it may have said so before this tab listened.
    const stored = new Set(records.map(({ key }) => key));
    for (const item of items.values()) {
      if (!isReady(item) || stored.has(item.record.key)) continue;
      if (item.isFromHere) item.ours = false;
      else remove(item);
    }
  }

  /** Sends what is there, if this tab gets the lock. */
  async function wake() {
    if (!started || closed) return;
    if (leading) {
      // The lock is held already, or its holder will look.
      if (!holding && clock.now() - heardAt >= HOLDER_SILENCE) lead();
      return startWorkers();
    }
    if (![...items.values()].some(isReady)) return;
    leading = true;
    heardAt = Math.max(heardAt, clock.now());
    watchHolder();
    try {
      if (await storage.shared()) await tab.lock(`${name} ${tokens.user}`, ending.signal, lead);
      else await lead();
    } catch (error) {
      if (closed) return;
      onError(error);
      await lead();
    } finally {
      clock.clearTimeout(holderTimer);
    }
    leading = holding = false;
    // What was added while the lock was being given back.
    if ([...items.values()].some(isReady)) wake();
  }

  // A page that the system has suspended, as telephones do, keeps the lock; one that works is heard of at each attempt.
  // Without the lock it is worse and still right: a message that two tabs send is stored once.
  function watchHolder() {
    if (clock.now() - heardAt >= HOLDER_SILENCE) lead();
    holderTimer = clock.setTimeout(watchHolder, HOLDER_SILENCE);
  }

  const lead = () => (leads ??= sendAll().finally(() => (leads = null)));

  async function sendAll() {
    if (closed) return;
    // The tab that held the lock before may have sent some, or left some behind.
    await write(load);
    holding = true;
    await new Promise((resolve) => {
      onIdle = () => resolve(undefined);
      startWorkers();
    });
    holding = false;
  }

  function startWorkers() {
    if (!holding || closed) return onIdle();
    for (const item of items.values()) {
      const { sessionId } = item.record;
      if (!isReady(item) || workers.has(sessionId)) continue;
      const worker = work(sessionId).finally(() => {
        workers.delete(sessionId);
        startWorkers();
      });
      workers.set(sessionId, worker);
    }
    if (workers.size === 0) onIdle();
  }

  /** Sends the messages of a session, each when the one before is stored. @param {string} sessionId */
  async function work(sessionId) {
    for (let item; !closed && (item = of(sessionId).find(isReady)); ) {
      try {
        const message = await sender.send(
          item,
          () => !closed && item && items.get(item.record.key) === item && !item.message,
        );
        if (message) confirm(item.record.key, message);
      } catch (error) {
        fail(item, /** @type {ChatError} */ (error));
      }
    }
  }

  /** @param {Item} item @param {ChatError} error */
  function fail(item, error) {
    adopt({ ...item.record, failed: toRecord(error) }, true);
    const { record } = item;
    write(async () => {
      if (record.id !== undefined) await storage.put(record);
      post({ type: "record", record });
    });
  }

  /** Stores an item that is new or tried again, tells the other tabs, and sends it. @param {Item} item */
  function store(item) {
    const { record } = item;
    write(async () => {
      // A record names its author. Without a token it is stored all the same, but not before it is clear that there is none.
      if (tokens.user === null) await withTimeout(clock, AUTHOR_LIMIT, tokens.get).catch(() => {});
      // Cancelled before it was stored.
      if (item.isCancelled) return;
      try {
        if (record.id === undefined) record.id = await storage.add({ ...record, user: tokens.user });
        else if (item.ours) await storage.put(record);
      } catch (cause) {
        return fail(item, storageError(cause));
      }
      // Or while it was being stored: the other tabs, which do not know it yet, must not send it.
      if (item.isCancelled) return;
      post({ type: "record", record });
      wake();
    });
  }

  /** The server has the message: its answer or its echo came, whichever was first. @param {string} key @param {Message} message */
  function confirm(key, message) {
    const item = items.get(key);
    if (!item || item.message) return;
    settle(item, message);
    // The other tabs first: if this one ends in between, the record is sent again, and its key finds the stored message.
    post({ type: "sent", key, message });
    erase(item);
  }

  /** @param {Item} item @param {Message} message */
  function settle(item, message) {
    Object.assign(item, { message, delivery: message.status, error: undefined, progress: undefined });
    item.record = { ...item.record, failed: null };
    item.abort?.abort();
    item.resolve(message);
    finished.add(item.record.key);
    // Without an open session no one waits to see it.
    if (watchers.has(item.record.sessionId)) changed(item);
    else items.delete(item.record.key);
  }

  /** @param {Item} item */
  function erase(item) {
    write(async () => {
      if (item.ours && item.record.id !== undefined) await storage.delete(item.record.id);
    });
  }

  /** Takes an item out of this tab. @param {Item} item */
  function remove(item) {
    items.delete(item.record.key);
    item.abort?.abort();
    item.reject(abortedError());
    changed(item);
  }

  /** @param {OutboxRecord} record */
  async function onRecord(record) {
    const isOurs = await storage.shared();
    if (closed || finished.has(record.key)) return;
    adopt(record, isOurs);
    wake();
  }

  /** Cancelled, here or in another tab. @param {Item} item */
  function drop(item) {
    item.isCancelled = true;
    finished.add(item.record.key);
    remove(item);
  }

  /** What another tab of the same person says. @param {any} message */
  function onPost({ type, user, key, record, message, delivery, progress, error, waitsUntil: until = 0 }) {
    if (user !== tokens.user) return;
    // The tab that sends says these. One without a token sends nothing: another may have one.
    if (delivery || type === "holds")
      heardAt = error?.code === "AUTH" ? 0 : Math.max(heardAt, clock.now(), until);
    const item = items.get(key);
    if (type === "record") onRecord(record).catch(onError);
    else if (type === "kick") {
      sender.wake();
      // A tab that was opened later does not know how long this one waits.
      if (holding) post({ type: "holds" });
    } else if (!item || item.message) return;
    else if (type === "sent" || type === "cancelled") {
      if (type === "sent") settle(item, message);
      else drop(item);
      // Where the storage is not shared, the record is in this one.
      erase(item);
    } else if (type === "progress") {
      Object.assign(item, { delivery, progress, error: error && fromRecord(error) });
      changed(item);
    }
  }

  return {
    /** From now on it sends, also what an earlier page has left. */
    async start() {
      if (started) return;
      started = true;
      // Before that, it is not known whose records these are.
      for (let failures = 0; !closed; failures++) {
        await tokens.get().catch(() => {});
        if (tokens.user !== null) break;
        await sender.pause(failures);
      }
      if (closed) return;
      for (const item of items.values()) {
        // Written before it was known who writes.
        item.record.user = tokens.user;
        write(async () => item.record.id !== undefined && storage.put(item.record));
      }
      await write((change) => load(change, true));
      wake();
    },

    /** @param {string} sessionId @param {string} content @param {Blob[]} files */
    add(sessionId, content, files) {
      const key = newKey();
      /** @type {OutboxRecord} */
      const record = {
        key,
        user: tokens.user,
        sessionId,
        content,
        files,
        uploads: [],
        createdAt: clock.now(),
        failed: null,
      };
      const item = adopt(record, true);
      item.isFromHere = true;
      // It is stored for no one, and must not outlast what `logout` erases.
      if (closed) item.reject(abortedError());
      else store(item);
      return key;
    },

    /** @param {string} key @returns {import("../index.d.ts").Outgoing | null} */
    outgoing(key) {
      const item = items.get(key);
      if (!item) return null;
      return {
        key,
        get done() {
          return item.done;
        },
        retry: () => {
          if (!item.record.failed || items.get(key) !== item) return;
          store(adopt({ ...item.record, failed: null }, true));
        },
        cancel: () => {
          if (item.message || items.get(key) !== item) return;
          drop(item);
          post({ type: "cancelled", key });
          erase(item);
        },
      };
    },

    of,
    confirm,
    pause: sender.pause,
    /** The key of a message that the server has stored and the session does not show itself yet. @param {string} id */
    keyOf: (id) => [...items.values()].find(({ message }) => message?.id === id)?.record.key,
    /** The session shows the stored message itself now. @param {string} key */
    forget: (key) => void items.delete(key),
    /** @param {string} sessionId @param {() => void} listener */
    watch(sessionId, listener) {
      watchers.set(sessionId, listener);
      return () => void watchers.delete(sessionId);
    },
    /** Tries at once what waits, unless the server has named a time. @param {boolean} [restart] whether also what runs */
    kick(restart = false) {
      sender.wake();
      // What waits may wait in a tab that no person looks at.
      post({ type: "kick" });
      if (restart) for (const item of items.values()) item.abort?.abort();
    },
    onPost,

    /** Ends it in this tab; what is stored stays. */
    close() {
      closed = true;
      ending.abort();
      for (const item of [...items.values()]) if (!item.message) remove(item);
      sender.wake(true);
      onIdle();
    },
    /** Erases what is stored of this person, of everyone if it is not known who they are; it is the last change. @param {string | null} user */
    async erase(user) {
      await writes;
      try {
        for (const record of await storage.all()) {
          if (user === null || record.user === null || record.user === user) {
            await storage.delete(/** @type {number} */ (record.id));
          }
        }
      } catch (cause) {
        throw storageError(cause);
      }
    },
    /** When all changes so far are in the storage. */
    written: () => writes,
  };
}
