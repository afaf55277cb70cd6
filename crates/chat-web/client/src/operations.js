// What a client does over REST alone, each in one line or a few.
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
  /** @param {string} method @param {string} path @param {any} [body] */
  const call = async (method, path, body) => (await rest.request(method, path, { body })).body;
  const put = (/** @type {string} */ path, /** @type {any} */ body) => call("PUT", path, body);
  const of = encodeURIComponent;

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
      list: async (filter = {}) => (await rest.request("GET", "/sessions", { query: filter })).body,
      inbox: async (view, filter) => (await rest.request("GET", "/inbox", { query: { view, ...filter } })).body,
      create: (fields = {}) => create(fields),
      get: (id) => call("GET", `/sessions/${of(id)}`),
      assign: (id, agentId) => put(`/sessions/${of(id)}/assign`, { agentId }),
      transfer: (id, agentId) => put(`/sessions/${of(id)}/transfer`, { agentId }),
      close: (id) => put(`/sessions/${of(id)}/close`, undefined),
      update: (id, fields) => call("PATCH", `/sessions/${of(id)}`, fields),
    },
    agents: {
      list: async () => (await call("GET", "/agents")).agents,
      put: (id, fields = {}) => put(`/agents/${of(id)}`, fields),
      deactivate: (id) => call("DELETE", `/agents/${of(id)}`),
      setAvailability: (status) => put("/agents/me/availability", { status }),
    },
    people: {
      block: (id, reason) => put(`/people/${of(id)}/block`, { reason }),
      unblock: (id) => call("DELETE", `/people/${of(id)}/block`),
      signOut: (id) => call("POST", `/people/${of(id)}/sign-out`),
    },
    stats: () => call("GET", "/stats"),
    // By the id and not by `url`: the token goes to our own server alone.
    download: async ({ id }, { thumbnail = false, signal } = {}) => {
      const path = `/attachments/${of(id)}${thumbnail ? "/thumbnail" : ""}`;
      return (await rest.request("GET", path, { bytes: true, limit: 600_000, signal })).body;
    },
  };
}
