// The one socket of a client: it connects, notices when the network is dead, and connects again.
import { backoff, drainingDelay } from "./backoff.js";
import { afterClose } from "./close-codes.js";
import { ChatError, isFinal, protocolError, toChatError } from "./errors.js";

/** @typedef {ReturnType<typeof createSocket>} Socket */
/** @typedef {import("../index.d.ts").State} State */

// How long a server may take to say `hello`, and a heartbeat may be late.
const HELLO_LIMIT = 15_000;
const HEARTBEAT_GRACE = 10_000;
// A socket that held as long as this was a good one: what ends it later is not the next failure in a row.
const GOOD_AFTER = 5_000;
const RENEW_EVERY = 15_000;

/**
 * @param {object} ports
 * @param {string} ports.url
 * @param {import("./tokens.js").Tokens} ports.tokens
 * @param {import("./rest.js").Rest} ports.rest
 * @param {import("../index.d.ts").SocketConstructor | undefined} ports.WebSocket
 * @param {import("../index.d.ts").Clock} ports.clock
 * @param {import("../index.d.ts").Network} ports.network
 * @param {() => number} ports.random
 * @param {object} events
 * @param {(frame: any) => void} events.onFrame every frame, `hello` first
 * @param {() => void} events.onState
 */
export function createSocket({ url, tokens, rest, WebSocket, clock, network, random }, { onFrame, onState }) {
  const address = `${url.replace(/^http/, "ws")}/ws/chat`;

  /** @type {State} */
  let state = "idle";
  /** @type {ChatError | null} */
  let error = null;
  /** @type {number | null} */
  let retryAt = null;
  // Whether the server has named the time of the next attempt: then nothing makes it earlier.
  let mustWait = false;
  let failures = 0;

  /** @type {import("../index.d.ts").SocketLike | null} */
  let socket = null;
  // Each attempt has a number, by which what an older one still brings is recognised.
  let attempt = 0;
  /** @type {string | null} */
  let token = null;
  let helloAt = 0;
  let lastFrameAt = 0;
  let renewedAt = 0;
  let offlineAt = -Infinity;
  let limit = HELLO_LIMIT;
  /** @type {unknown} */
  let watchdog = null;
  /** @type {unknown} */
  let retryTimer = null;
  /** @type {"hello" | "closed early" | "rejected"} */
  let ended = "hello";

  /** @param {State} next @param {ChatError | null} [why] */
  function change(next, why = null) {
    state = next;
    error = why;
    onState();
  }

  function cancelTimers() {
    clock.clearTimeout(watchdog);
    clock.clearTimeout(retryTimer);
    retryAt = null;
    mustWait = false;
  }

  async function connect() {
    const mine = ++attempt;
    cancelTimers();
    lastFrameAt = clock.now();
    limit = HELLO_LIMIT;
    watch();
    change("connecting", error?.code === "AUTH" ? error : null);
    try {
      if (token !== null && ended === "rejected") await tokens.renew(token, "rejected");
      // A browser shows a refused handshake as 1006, without the status. The request for a ticket is refused for the same
      // reasons, and its answer names them: an expired token, a block, too many requests.
      if (ended === "closed early") await rest.request("POST", "/ws-ticket");
      const current = await tokens.get();
      if (mine === attempt) attach((token = current));
    } catch (failure) {
      if (mine === attempt) onRefused(toChatError(failure));
    }
  }

  /** @param {ChatError} failure */
  function onRefused(failure) {
    if (isFinal(failure)) return stop(failure);
    const seconds = failure.retryAfter ?? 0;
    leave(Math.max(seconds * 1_000, backoff(failures++, random)), seconds > 0, failure);
  }

  /** @param {string} bearer */
  function attach(bearer) {
    if (!WebSocket) return stop(protocolError("no WebSocket: pass one to createClient"));
    const opened = new WebSocket(address, ["chat.v1", `base64url.bearer.chat.${base64url(bearer)}`]);
    socket = opened;
    ended = "closed early";
    opened.onmessage = ({ data }) => {
      if (socket !== opened) return;
      lastFrameAt = clock.now();
      let frame;
      try {
        frame = JSON.parse(data);
      } catch {
        // What is not a frame came from something between the server and us.
        return leave(backoff(failures++, random), false, protocolError("a frame is not JSON", true));
      }
      take(frame);
    };
    opened.onclose = ({ code, reason }) => {
      if (socket === opened) onClose(code, String(reason ?? ""));
    };
    // `onclose` follows. The package `ws` ends the process for an error without a handler.
    opened.onerror = () => {};
  }

  /** @param {any} frame */
  function take(frame) {
    if (frame.type === "hello") {
      helloAt = lastFrameAt;
      limit = frame.data.heartbeatMs + HEARTBEAT_GRACE;
      ended = "hello";
      watch();
      tokens.identify(frame.data.userId);
      onFrame(frame);
      change("live");
    } else if (frame.type === "auth_expiring") {
      // A token that the page keeps until its end, or that lives for less than a minute, is always about to end.
      retryTimer = clock.setTimeout(renew, renewedAt + RENEW_EVERY - clock.now());
    } else {
      onFrame(frame);
    }
  }

  // The socket goes on with the new token. If there is none, it ends with the old one (4401), and that is handled there.
  function renew() {
    const opened = socket;
    renewedAt = clock.now();
    tokens.renew(/** @type {string} */ (token), "expiring").then(
      (newer) => {
        if (socket !== opened) return;
        token = newer;
        send({ type: "auth", data: { token: newer } });
        if (error) change(state);
      },
      (failure) => {
        if (socket === opened) change(state, toChatError(failure));
      },
    );
  }

  /** @param {number} code @param {string} reason */
  function onClose(code, reason) {
    if (state === "live" && clock.now() - helloAt > GOOD_AFTER) failures = 0;
    const after = afterClose(code, reason);
    if (after.next === "stop") return stop(new ChatError(after.code, reason || `the socket was closed with ${code}`));
    if (after.next === "dormant") return leave(null);
    if (after.next === "draining") return leave(drainingDelay(random));
    if (after.next === "wait") return leave(after.seconds * 1_000, true);
    if (after.next === "renew") ended = "rejected";
    leave(backoff(failures++, random));
  }

  /**
   * Leaves the socket at once: over a dead network its closing handshake would take minutes.
   * @param {number | null} delay until the next attempt; `null`: when the page becomes visible
   * @param {boolean} [firm] whether the server has asked for this delay
   * @param {ChatError | null} [why]
   */
  function leave(delay, firm = false, why = null) {
    detach();
    if (delay !== null) {
      retryAt = clock.now() + delay;
      mustWait = firm;
      retryTimer = clock.setTimeout(connect, delay);
    }
    change("waiting", why);
  }

  /** @param {number} [code] */
  function detach(code) {
    attempt++;
    cancelTimers();
    const left = socket;
    socket = null;
    left?.close(code);
  }

  // By time stamps: a timer of a machine that slept comes late, and then the silence was longer than it says.
  function watch() {
    clock.clearTimeout(watchdog);
    const silent = Math.abs(clock.now() - lastFrameAt);
    if (silent >= limit) {
      // The server never answered, or the network has died: no reason to ask REST about the token.
      ended = "hello";
      if (state === "live" && lastFrameAt - helloAt > GOOD_AFTER) failures = 0;
      leave(backoff(failures++, random));
    } else {
      watchdog = clock.setTimeout(watch, limit - silent);
    }
  }

  /** @param {ChatError} why */
  function stop(why) {
    detach();
    change("stopped", why);
  }

  /** @param {object} frame */
  function send(frame) {
    // On one that is closing already a browser complains, and it says so only a moment later.
    if (state === "live" && socket && (socket.readyState ?? 1) < 2) socket.send(JSON.stringify(frame));
  }

  function retryNow() {
    if (state === "waiting" && !mustWait) connect();
    // The token for the open socket was refused by the page.
    else if (state === "live" && error) renew();
  }

  /** @param {"online" | "offline" | "visible"} event */
  function onNetwork(event) {
    if (event === "offline") {
      offlineAt = clock.now();
      onState();
    } else if (state === "waiting") {
      // One without a planned attempt gave its place to another tab, and takes it back when it is looked at.
      if (retryAt !== null || event === "visible") retryNow();
      onState();
    } else if (event === "visible" && socket) {
      watch();
      // It was dead already: not only after a delay.
      retryNow();
    } else if (event === "online" && (state === "connecting" || (state === "live" && lastFrameAt <= offlineAt))) {
      // The network went and came back, and nothing has come since: another network, where the old connection is dead.
      leave(0);
    }
  }

  return {
    get state() {
      return state === "waiting" && !network.online ? "offline" : state;
    },
    get retryAt() {
      return retryAt;
    },
    get error() {
      return error;
    },
    start() {
      if (state === "idle") connect();
    },
    /** Back to `idle`: no session and no inbox needs it. */
    rest() {
      if (state === "stopped") return;
      detach(1000);
      failures = 0;
      change("idle");
    },
    send,
    retryNow,
    onNetwork,
    close() {
      detach(1000);
      change("stopped");
    },
  };
}

/** @param {string} text */
const base64url = (text) => btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
