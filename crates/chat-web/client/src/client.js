// Puts the parts together: one socket, one outbox, and the sessions and inboxes that are open.
import { systemClock } from "./clock.js";
import { createInboxes } from "./inboxes.js";
import { browserNetwork } from "./network.js";
import { once } from "./once.js";
import { createOperations } from "./operations.js";
import { createOutbox } from "./outbox.js";
import { createPacer } from "./pacer.js";
import { createRest } from "./rest.js";
import { createSession } from "./session.js";
import { createSocket } from "./socket.js";
import { idbStorage } from "./storage/idb.js";
import { memoryStorage } from "./storage/memory.js";
import { browserTabs, noTabs } from "./tabs.js";
import { createTokens } from "./tokens.js";
import { browserFetch } from "./upload.js";

/** @typedef {import("../index.d.ts").InboxView} InboxView */

/**
 * @param {import("../index.d.ts").Options} options
 * @returns {import("../index.d.ts").Client}
 */
export function createClient({
  url,
  token,
  storage: chosenStorage,
  // What is stored for all tabs is sent by one of them; without such a storage, as in Node.js, there is nothing to agree on.
  tabs = globalThis.indexedDB ? browserTabs : noTabs,
  fetch = /** @type {typeof globalThis.fetch} */ (browserFetch),
  WebSocket = globalThis.WebSocket,
  network = browserNetwork(),
  clock = systemClock,
  random = Math.random,
  onError = (error) => console.error(error),
}) {
  const base = url.replace(/\/+$/, "");
  const name = `chat ${base}`;
  const storage =
    chosenStorage ??
    (chosenStorage === undefined && globalThis.indexedDB ? idbStorage(globalThis.indexedDB, name) : memoryStorage());
  const join = () => (tabs ?? noTabs).join(name);
  const tab = join();

  const tokens = createTokens(token, clock);
  const rest = createRest(base, tokens, fetch, clock);
  const outbox = createOutbox({ storage, tab, rest, tokens, clock, random, name, onError });
  const socket = createSocket({ url: base, tokens, rest, WebSocket, clock, network, random }, { onFrame, onState });
  const pacer = createPacer(clock, socket.send);

  /** @type {Map<string, {session: import("./session.js").SessionModel, users: number}>} */
  const sessions = new Map();
  const inboxes = createInboxes({ rest, socket, tokens, clock, random }, onError, restIfIdle);
  let isEnded = false;
  let isErased = false;
  /** @type {Promise<void> | undefined} */
  let ended;

  const unsubscribe = network.subscribe((event) => {
    socket.onNetwork(event);
    if (event !== "offline") outbox.kick(event === "online");
    if (event === "visible") for (const { session } of sessions.values()) session.onVisible();
  });
  tab.subscribe((message) => {
    if (message.type === "logout") {
      if (message.user === null || message.user === tokens.user) end(true)?.catch(onError);
    } else {
      outbox.onPost(message);
    }
  });

  /** @param {any} frame */
  function onFrame(frame) {
    if (frame.type === "hello") {
      outbox.kick();
      // The state is `live` when this returns to the socket, and the first frames are sent then.
      queueMicrotask(begin);
    } else if (!inboxes.receive(frame)) {
      if (frame.sessionId) sessions.get(frame.sessionId)?.session.receive(frame);
      else if (frame.type === "error") onError(new Error(`${frame.data.code}: ${frame.data.message}`));
    }
  }

  function begin() {
    if (socket.state !== "live") return;
    for (const { session } of sessions.values()) session.onHello();
    inboxes.open();
  }

  function onState() {
    if (socket.state !== "live") pacer.clear();
    for (const { session } of sessions.values()) session.onSocketState();
    inboxes.onSocketState();
  }

  function restIfIdle() {
    if (sessions.size === 0 && inboxes.size === 0) socket.rest();
  }

  /** @param {boolean} blank */
  function end(blank) {
    // One that was closed is erased by a logout that follows.
    if (isEnded && (isErased || !blank)) return ended;
    isEnded = true;
    isErased = blank;
    tokens.close();
    outbox.close();
    for (const { session } of sessions.values()) session.end(blank);
    inboxes.end();
    sessions.clear();
    pacer.clear();
    unsubscribe();
    socket.close();
    ended = (blank ? outbox.erase(tokens.user) : outbox.written()).finally(() => {
      storage.close();
      tab.close();
    });
    if (blank) tokens.forget();
    return ended;
  }

  function assertOpen() {
    if (isEnded) throw new Error("the client is closed");
  }

  return {
    ...createOperations(rest, outbox.pause),

    open(id) {
      assertOpen();
      let open = sessions.get(id);
      if (!open) {
        const session = createSession(id, { rest, socket, pacer, outbox, tokens, clock, random, onError });
        sessions.set(id, (open = { session, users: 0 }));
        outbox.start().catch(onError);
        if (socket.state === "live") session.onHello();
        socket.start();
      }
      const entry = open;
      entry.users++;
      return facade(
        entry.session,
        once(() => {
          if (--entry.users > 0 || sessions.get(id) !== entry) return;
          sessions.delete(id);
          entry.session.end();
          restIfIdle();
        }),
      );
    },

    inbox(views) {
      assertOpen();
      const inbox = inboxes.add(views);
      socket.start();
      return inbox;
    },

    async logout() {
      if (!isErased) {
        // A client that was closed has left its own channel.
        const channel = isEnded ? join() : tab;
        channel.post({ type: "logout", user: tokens.user });
        if (isEnded) channel.close();
      }
      await end(true);
    },
    close() {
      end(false);
    },
  };

  /**
   * @param {import("./session.js").SessionModel} session @param {() => void} close
   * @returns {import("../index.d.ts").Session}
   */
  function facade(session, close) {
    return {
      id: session.id,
      get view() {
        return session.view;
      },
      subscribe: (listener) => session.listeners.on("change", listener),
      on: session.listeners.on,
      send: (text, { files = [] } = {}) => session.send(text, files),
      outgoing: (key) => outbox.outgoing(key),
      older: session.older,
      read: session.read,
      typing: (on = true) => session.typing(on),
      retryNow() {
        socket.retryNow();
        session.retryNow();
        outbox.kick();
      },
      close,
    };
  }
}
