// The token, asked for once however many requests need it. It is kept in memory alone.
import { abortedError, authError } from "./errors.js";
import { withTimeout } from "./timeout.js";

// A callback of the page that never returns must not stop the client for good.
const CALLBACK_LIMIT = 30_000;

/** @typedef {ReturnType<typeof createTokens>} Tokens */

/**
 * @param {import("../index.d.ts").Options["token"]} callback
 * @param {import("../index.d.ts").Clock} clock
 */
export function createTokens(callback, clock) {
  /** @type {string | null} */
  let current = null;
  /** @type {Promise<string> | null} */
  let pending = null;
  /** @type {string | null} */
  let user = null;
  /** @type {import("../index.d.ts").TokenReason} */
  let reason = "first";
  let closed = false;

  /** @param {import("../index.d.ts").TokenReason} why */
  function ask(why) {
    pending ??= withTimeout(clock, CALLBACK_LIMIT, async () => callback(why))
      .then(accept, (error) => {
        throw authError(error);
      })
      .finally(() => {
        pending = null;
      });
    return pending;
  }

  /** @param {string} answer */
  function accept(answer) {
    if (closed) throw abortedError();
    const token = typeof answer === "string" ? answer.trim() : "";
    // An error page is a string too. What RFC 6750 calls b64token has no spaces, quotes or brackets.
    if (!/^[\w.~+/=-]+$/.test(token)) throw authError("no token returned");
    const subject = subjectOf(token);
    // What one person has written must never be sent in the name of another.
    if (user !== null && subject !== null && subject !== user) throw authError("a token of another person");
    user ??= subject;
    current = token;
    return token;
  }

  return {
    get: async () => {
      if (closed) throw abortedError();
      return current ?? ask(reason);
    },
    /**
     * A token other than `refused`: the current one, if it has been renewed meanwhile.
     * @param {string} refused @param {import("../index.d.ts").TokenReason} why
     */
    renew: async (refused, why) => {
      if (closed) throw abortedError();
      if (current !== null && current !== refused) return current;
      // Requests that begin now wait for the new token. One that only ends soon is good until then.
      if (why === "rejected") {
        current = null;
        reason = why;
      }
      return ask(why);
    },
    /** Who the person is, once a token or the socket has said so. */
    get user() {
      return user;
    },
    /** @param {string} id */
    identify(id) {
      user ??= id;
    },
    close() {
      closed = true;
      current = null;
    },
    forget() {
      user = null;
    },
  };
}

/** The `sub` of a JSON Web Token. It is only read, not trusted: the server verifies. @param {string} token */
export function subjectOf(token) {
  try {
    const payload = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    const text = new TextDecoder().decode(Uint8Array.from(payload, (sign) => sign.charCodeAt(0)));
    const { sub } = JSON.parse(text);
    return typeof sub === "string" ? sub : null;
  } catch {
    return null;
  }
}
