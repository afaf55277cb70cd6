// What a client does over REST alone, each in one line or a few. What the widget never does is in `library-operations.js`.
import { createLibraryOperations } from "./library-operations.js";
import { toChatError } from "./errors.js";
import { newKey } from "./keys.js";

// Attempts of a request whose answer may have been lost, before the caller decides.
const ATTEMPTS = 4;

/**
 * @param {import("./rest.js").Rest} rest
 * @param {import("./outbox.js").Outbox["pause"]} pause
 * @returns {Pick<import("../index.d.ts").Client, "sessions" | "agents" | "people" | "stats" | "download">}
 */
export function createOperations(rest, pause) {
  /** @type {import("./library-operations.js").Call} */
  const call = async (method, path, body, query) => (await rest.request(method, path, { body, query })).body;
  const of = encodeURIComponent;
  const { sessions, ...others } = createLibraryOperations(call);

  /** @param {object} fields */
  async function create(fields) {
    // One key for all attempts: a session whose answer was lost is found and not created again.
    const headers = { "Idempotency-Key": newKey() };
    for (let failures = 0; ; failures++) {
      try {
        return (await rest.request("POST", "/sessions", { body: fields, headers })).body;
      } catch (cause) {
        const error = toChatError(cause);
        // Waiting opens no room for one more session.
        const isHopeless = !error.retryable || error.code === "AUTH" || error.code === "TOO_MANY_OPEN_SESSIONS";
        if (isHopeless || failures + 1 >= ATTEMPTS) throw error;
        await pause(failures, error.retryAfter);
      }
    }
  }

  return {
    sessions: {
      list: (filter) => call("GET", "/sessions", undefined, filter),
      create: (fields = {}) => create(fields),
      ...sessions,
    },
    ...others,
    // By the id and not by `url`: the token goes to our own server alone.
    download: async ({ id }, { thumbnail = false, signal } = {}) => {
      const path = `/attachments/${of(id)}${thumbnail ? "/thumbnail" : ""}`;
      return (await rest.request("GET", path, { bytes: true, limit: 600_000, signal })).body;
    },
  };
}
