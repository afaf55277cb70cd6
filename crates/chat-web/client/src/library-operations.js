// Operations that the widget never calls: it is built without them (`widget/build.js`).

/** @typedef {import("../index.d.ts").Client} Client */
/** @typedef {(method: string, path: string, body?: any, query?: Record<string, any>) => Promise<any>} Call */
/** @typedef {Pick<Client["sessions"], "get" | "close" | "inbox" | "assign" | "transfer" | "update">} OfSessions */

/**
 * @param {Call} call
 * @returns {Pick<Client, "agents" | "people" | "stats"> & { sessions: OfSessions }}
 */
export function createLibraryOperations(call) {
  const put = (/** @type {string} */ path, /** @type {any} */ body) => call("PUT", path, body);
  const of = encodeURIComponent;

  return {
    sessions: {
      get: (id) => call("GET", `/sessions/${of(id)}`),
      close: (id) => call("PUT", `/sessions/${of(id)}/close`),
      inbox: (view, filter) => call("GET", "/inbox", undefined, { view, ...filter }),
      assign: (id, agentId) => put(`/sessions/${of(id)}/assign`, { agentId }),
      transfer: (id, agentId) => put(`/sessions/${of(id)}/transfer`, { agentId }),
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
  };
}
