// One session: its view, and the subscription that keeps it equal to what the server has.
//
// What the server has of the session comes in two ways, and every event counts once: over REST up to a position
// (`X-Chat-Seq`), over the socket from there. The view is that, and behind it what the outbox has of the session.
import { backoff } from "./backoff.js";
import { applyReceipt, entryOf, insert } from "./entries.js";
import { ChatError, isFinal, protocolError, toChatError } from "./errors.js";
import { createListeners } from "./listeners.js";
import { createTypists } from "./typing.js";

/** @typedef {import("../index.d.ts").Entry} Entry */
/** @typedef {ReturnType<typeof createSession>} SessionModel */
/**
 * - `off`: no subscription, and none asked for
 * - `subscribing`: asked for
 * - `leaving`: one is being ended, and then begun again
 * - `loading`: subscribed; events wait while REST is read
 * - `replaying`: subscribed; what was missed is coming
 * - `live`
 * - `waiting`: refused for now, and tried again
 * - `dormant`: replaced by a subscription elsewhere
 * - `stopped`
 * @typedef {"off" | "subscribing" | "leaving" | "loading" | "replaying" | "live" | "waiting" | "dormant" | "stopped"} Phase
 */

const PAGE = 50;
// What one `unsubscribed` with a code ends without a way back.
const FINAL = new Map([
  [4403, "FORBIDDEN"],
  [4404, "SESSION_NOT_FOUND"],
]);

/**
 * @param {string} id
 * @param {object} ports
 * @param {import("./rest.js").Rest} ports.rest
 * @param {import("./socket.js").Socket} ports.socket
 * @param {import("./pacer.js").Pacer} ports.pacer
 * @param {import("./outbox.js").Outbox} ports.outbox
 * @param {import("./tokens.js").Tokens} ports.tokens
 * @param {import("../index.d.ts").Clock} ports.clock
 * @param {() => number} ports.random
 * @param {(error: unknown) => void} ports.onError
 */
export function createSession(id, { rest, socket, pacer, outbox, tokens, clock, random, onError }) {
  const listeners = createListeners(onError);
  const path = `/sessions/${id}`;

  /** @type {import("../index.d.ts").ChatSession | null} */
  let session = null;
  /** @type {readonly Entry[]} what the server has, oldest first */
  let entries = [];
  let hasOlder = false;
  /** @type {ChatError | null} */
  let error = null;
  // The position up to which the view is right, in this history of the server's database.
  let seq = 0;
  /** @type {string | null} */
  let epoch = null;
  /** @type {Map<string, string>} the keys of our own messages by their ids, which REST does not tell */
  const keys = new Map();

  /** @type {Phase} */
  let phase = "off";
  // Up to where this subscription has sent events; `ack` and `read` must not be ahead of it.
  let sent = 0;
  // And what we have said on it.
  let said = { ack: 0, read: 0 };
  // Where the server was when the subscription began.
  let head = 0;
  /** @type {any[]} */
  let buffer = [];
  let loads = 0;
  /** @type {Set<string | undefined>} the ids of messages that were answered before the reload that has begun */
  let outdated = new Set();
  let failures = 0;
  /** @type {number | null} */
  let retryAt = null;
  /** @type {unknown} */
  let retryTimer = null;
  /** @type {Promise<void> | null} */
  let paging = null;
  let isPreviewing = false;
  let isEnded = false;
  let isTaking = false;
  /** @type {any[]} receipts that came while a page of older messages was on its way */
  let receipts = [];
  let readUpTo = 0;

  const typists = createTypists(clock, () => {
    changed();
    listeners.emit("typing", typists.ids());
  });

  /** @type {import("../index.d.ts").SessionView | null} */
  let view = null;
  /** @type {import("../index.d.ts").State} */
  let lastState = "idle";

  /** @returns {import("../index.d.ts").State} */
  function stateNow() {
    if (phase === "stopped" || socket.state !== "live") return phase === "stopped" ? "stopped" : socket.state;
    if (phase === "live") return "live";
    return phase === "waiting" || phase === "dormant" ? "waiting" : "connecting";
  }

  const side = () => (session && session.userId !== tokens.user ? "support" : "user");
  /** @param {Entry} entry */
  const isUnread = (entry) => entry.sender !== side() && !entry.read;

  /** @returns {import("../index.d.ts").SessionView} */
  function build() {
    const pending = outbox.of(id).map(entryOfItem);
    return Object.freeze({
      state: stateNow(),
      retryAt: socket.state === "live" ? retryAt : socket.retryAt,
      session,
      messages: Object.freeze([...entries, ...pending]),
      hasOlder,
      unread: session ? entries.filter((entry) => isUnread(entry) && Number(entry.seq) > readUpTo).length : 0,
      typing: typists.ids(),
      error: error ?? socket.error,
    });
  }

  /** @param {import("./outbox.js").Item} item @returns {Entry} */
  function entryOfItem({ record, delivery, progress, error: why, message }) {
    if (message) return entryOf(message, record.key, true);
    const { key, content, createdAt, files } = record;
    const attachments = files.map((file) => {
      const { name = "", type, size } = /** @type {File} */ (file);
      return /** @type {const} */ ({ id: null, name, type, size, file });
    });
    const timestamp = new Date(createdAt).toISOString();
    return Object.freeze({
      ...{ key, id: null, seq: null, content, sender: side(), timestamp, read: false, delivery, own: true },
      ...(files.length && { attachments }),
      ...(progress !== undefined && { progress }),
      ...(why && { error: why }),
    });
  }

  function changed() {
    view = null;
    const state = stateNow();
    const isOther = state !== lastState;
    lastState = state;
    listeners.emit("change");
    if (isOther) listeners.emit("state", state);
  }

  /** @param {Phase} next @param {ChatError | null} [why] */
  function enter(next, why = null) {
    phase = next;
    error = why;
    clock.clearTimeout(retryTimer);
    retryAt = null;
    changed();
  }

  function subscribe() {
    if (phase === "stopped") return;
    buffer = [];
    loads++;
    enter("subscribing");
    socket.send({ type: "subscribe", sessionId: id, ...(epoch !== null && { data: { since: seq, epoch } }) });
  }

  function subscribeAgain() {
    enter("leaving");
    socket.send({ type: "unsubscribe", sessionId: id });
  }

  /** @param {ChatError} why @param {() => void} run */
  function later(why, run) {
    const delay = Math.max((why.retryAfter ?? 0) * 1_000, backoff(failures++, random));
    // While events are being kept for a reload, they are kept for the next attempt as well.
    if (phase === "loading") error = why;
    else enter("waiting", why);
    retryAt = clock.now() + delay;
    retryTimer = clock.setTimeout(run, delay);
    changed();
  }

  /** @param {{seq: number, epoch: string, resumed: boolean, reason?: string}} data */
  function onSubscribed({ seq: newest, epoch: current, resumed, reason = "" }) {
    head = newest;
    said = { ack: 0, read: 0 };
    if (resumed) {
      sent = seq;
      epoch = current;
      enter("replaying");
      return settle();
    }
    sent = newest;
    // Positions of the history before; what still counts is said again.
    pacer.forget(id);
    if (epoch !== null) listeners.emit("gap", { reason });
    // What was answered before this is in what REST brings next, or was answered in a history that a backup has replaced.
    outdated = new Set(outbox.of(id).map(({ message }) => message?.id));
    enter("loading");
    load(current);
  }

  async function read() {
    const { headers, body: page } = await rest.request("GET", `${path}/messages`, { query: { limit: PAGE } });
    // After the messages, so that it is not older than they are.
    const { body } = await rest.request("GET", path);
    return { page, body, at: Number(headers.get("X-Chat-Seq")) };
  }

  /** @param {Awaited<ReturnType<typeof read>>} newest */
  function show({ page, body, at }) {
    seq = at;
    session = body;
    entries = page.messages.map(toEntry);
    hasOlder = page.hasMore;
    // What the outbox has of messages that REST has brought, or that are in no history any more.
    for (const { record, message } of outbox.of(id)) {
      if (message && (message.seq <= at || outdated.has(message.id))) outbox.forget(record.key);
    }
    outdated.clear();
  }

  /** Reads the newest messages. What is shown stays until they are there. @param {string} current */
  async function load(current) {
    const mine = ++loads;
    try {
      const newest = await read();
      if (mine !== loads) return;
      // A subscription that began without a position sends nothing up to its head: REST must have at least that.
      if (newest.at < head) throw protocolError("older than the subscription", true);
      // In another history other messages are at these positions, and the server knows which of them are read.
      if (epoch !== null && epoch !== current) readUpTo = 0;
      epoch = current;
      show(newest);
      const kept = buffer;
      buffer = [];
      enter("replaying");
      listeners.emit("session", session);
      listeners.emit("reloaded", null);
      for (const frame of kept) receive(frame);
      settle();
    } catch (failure) {
      if (mine !== loads) return;
      const why = toChatError(failure);
      if (isFinal(why)) enter("stopped", why);
      else later(why, () => load(current));
    }
  }

  /** While no socket can be opened, what there is. When one can, it is read again: see `load`. */
  async function preview() {
    if (isPreviewing || epoch !== null || phase !== "off") return;
    isPreviewing = true;
    try {
      const newest = await read();
      const [shown, hadOlder] = [entries, hasOlder];
      if (epoch === null && !isEnded) show(newest);
      // Older pages that join on stay: this is repeated as long as no socket can be opened.
      const at = shown.findIndex(({ id }) => id === entries[0]?.id);
      if (at > 0) [entries, hasOlder] = [[...shown.slice(0, at), ...entries], hadOlder];
      changed();
    } catch (failure) {
      const why = toChatError(failure);
      if (isFinal(why) && phase === "off") enter("stopped", why);
    }
    isPreviewing = false;
  }

  /** Live, as soon as everything up to the head is here. */
  function settle() {
    if (phase === "replaying" && seq >= head) {
      failures = 0;
      enter("live");
    }
    acknowledge();
    sendRead();
  }

  /** @param {import("../index.d.ts").Message & {idempotencyKey?: string}} message */
  function toEntry({ idempotencyKey, ...message }) {
    const key = idempotencyKey ?? outbox.keyOf(message.id) ?? keys.get(message.id);
    if (key) {
      keys.set(message.id, key);
      // From the outbox into the list in one step, of which no listener sees the middle.
      isTaking = true;
      outbox.confirm(key, message);
      isTaking = false;
      outbox.forget(key);
    }
    return entryOf(message, key ?? message.id, message.author?.id === tokens.user || key !== undefined);
  }

  /** @param {any} frame */
  function receive(frame) {
    const at = frame.seq ?? (frame.type === "heartbeat" ? frame.data.seq : undefined);
    if (at === undefined) return ephemeral(frame);
    if (phase === "loading") return void buffer.push(frame);
    if (phase !== "live" && phase !== "replaying") return;
    sent = Math.max(sent, at);
    if (at <= seq) {
      // Seen before, but the position on this socket has moved.
      acknowledge();
      return sendRead();
    }
    // One in between is missing, on our side: ask for it again.
    if (at > seq + 1) return subscribeAgain();
    seq = at;
    apply(frame);
    settle();
  }

  /** @param {any} frame one durable event, the next in order */
  function apply({ type, data, idempotencyKey }) {
    if (type === "message") {
      const entry = toEntry({ ...data, ...(idempotencyKey && { idempotencyKey }) });
      entries = insert(entries, entry);
      if (data.author) typists.stop(data.author.id);
      changed();
      listeners.emit("message", entry);
    } else if (type === "receipt") {
      entries = applyReceipt(entries, data);
      if (paging) receipts.push(data);
      changed();
      listeners.emit("receipt", data);
    } else if (type === "session_update") {
      session = data;
      changed();
      listeners.emit("session", data);
    }
  }

  /** @param {any} frame */
  function ephemeral({ type, data }) {
    if (type === "subscribed" && phase !== "stopped") onSubscribed(data);
    else if (type === "unsubscribed") onUnsubscribed(data);
    else if (type === "typing") typists.set(data.userId, data.isTyping);
    else if (type === "error" && data.ref === "subscribe" && phase === "subscribing") {
      const why = new ChatError(data.code, data.message, { retryable: true });
      // A subscription of before that we lost sight of.
      if (data.code === "ALREADY_SUBSCRIBED") subscribeAgain();
      else later(why, subscribe);
    } else if (type === "error" && data.ref === "unsubscribe" && phase === "leaving") subscribe();
  }

  /** @param {{code: number, reason: string}} data */
  function onUnsubscribed({ code, reason }) {
    loads++;
    const final = FINAL.get(code);
    if (phase === "leaving") return subscribe();
    // 1000 was asked for, by a session of this id that was closed before this one was opened.
    if (phase === "stopped" || phase === "off" || code === 1000) return;
    if (final) return enter("stopped", new ChatError(final, reason, { status: code - 4000 }));
    if (code === 4409) return enter("dormant");
    later(protocolError(reason, true), subscribe);
  }

  // Only messages of the other side become *delivered* by it, so nothing else is worth a frame.
  function acknowledge() {
    const upTo = Math.min(seq, sent);
    const newest = entries.findLast((entry) => entry.sender !== side() && Number(entry.seq) <= upTo);
    if (newest?.delivery === "sent") say("ack", Number(newest.seq), Number(newest.seq));
  }

  function sendRead() {
    const upTo = Math.min(readUpTo, sent, seq);
    // Looked for once: in a long list in which all is read there is none.
    if (upTo <= said.read) return;
    say("read", upTo, entries.findLast((entry) => isUnread(entry) && Number(entry.seq) <= upTo)?.seq);
  }

  /** @param {"ack" | "read"} type @param {number} upTo @param {number | null | undefined} newest what has to be said of it */
  function say(type, upTo, newest) {
    if (phase !== "live" || upTo <= said[type]) return;
    said[type] = upTo;
    if (newest) pacer.later(type, id, newest);
  }

  async function loadOlder() {
    const first = entries[0];
    if (!first || !hasOlder) return;
    const { body: page } = await rest.request("GET", `${path}/messages`, { query: { before: first.id, limit: PAGE } });
    // A reload has replaced the list that this page belongs to.
    if (entries[0]?.id !== first.id) return;
    const older = receipts.reduce(applyReceipt, page.messages.map(toEntry));
    entries = [...older, ...entries];
    hasOlder = page.hasMore;
    changed();
  }

  // An answer may be about a message that REST has brought already, without its key: then it is that one.
  function onOutbox() {
    if (isTaking) return;
    for (const { record, message } of outbox.of(id)) {
      if (!message || message.seq > seq) continue;
      entries = entries.map((entry) => {
        if (entry.id !== message.id) return entry;
        keys.set(message.id, record.key);
        return Object.freeze({ ...entry, key: record.key, own: true });
      });
      outbox.forget(record.key);
    }
    changed();
  }

  const unwatch = outbox.watch(id, onOutbox);

  return {
    id,
    get view() {
      return (view ??= build());
    },
    listeners,

    /** @param {any} frame */
    receive,
    /** The socket has said `hello`. */
    onHello: subscribe,
    onSocketState() {
      if (socket.state !== "live" && phase !== "stopped" && phase !== "off") {
        // Nothing comes any more, and the next socket begins again.
        loads++;
        phase = "off";
        clock.clearTimeout(retryTimer);
        retryAt = null;
        typists.clear();
      }
      if (socket.retryAt !== null) preview();
      changed();
    },
    onVisible() {
      if (phase === "dormant") subscribe();
    },
    retryNow() {
      if (phase === "dormant" || phase === "waiting") subscribe();
    },

    /** @param {string} text @param {Iterable<Blob>} files */
    send(text, files) {
      typists.sent();
      return /** @type {import("../index.d.ts").Outgoing} */ (outbox.outgoing(outbox.add(id, text, [...files])));
    },
    older() {
      paging ??= loadOlder().finally(() => {
        paging = null;
        receipts = [];
      });
      return paging;
    },
    /** @param {number} [upTo] */
    read(upTo = Number(entries.at(-1)?.seq ?? 0)) {
      if (upTo <= readUpTo) return;
      readUpTo = upTo;
      changed();
      sendRead();
    },
    /** @param {boolean} on */
    typing(on) {
      if (phase === "live" && typists.isDue(on) && (pacer.now() || !on))
        socket.send({ type: "typing", sessionId: id, data: { isTyping: on } });
    },
    /** Leaves nothing of it. @param {boolean} [blank] whether what is shown goes as well */
    end(blank = false) {
      if (phase !== "off" && phase !== "stopped") socket.send({ type: "unsubscribe", sessionId: id });
      loads++;
      pacer.forget(id);
      typists.clear();
      unwatch();
      if (blank) {
        entries = [];
        session = null;
        hasOlder = false;
        keys.clear();
      }
      isEnded = true;
      enter("stopped");
      listeners.clear();
    },
  };
}
