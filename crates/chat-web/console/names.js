/** What people are called, as it is learnt from sessions and from the directory of agents. */

/** @import { Agent, ChatSession, InboxItem } from "../client/index.js" */

export function createNames() {
  /** @type {Map<string, string>} */
  const names = new Map();
  /** The items and sessions that names were learnt from. @type {WeakSet<object>} */
  const seen = new WeakSet();

  return {
    /** @param {string} id @param {unknown} name */
    set(id, name) {
      if (typeof name === "string" && name) names.set(id, name);
    },
    /** @param {ChatSession & { lastMessage?: InboxItem["lastMessage"] }} session */
    learn(session) {
      if (seen.has(session)) return;
      seen.add(session);
      for (const person of [session.user, session.agent, session.lastMessage?.author]) {
        if (person?.name) names.set(person.id, person.name);
      }
    },
    /** @param {readonly Agent[]} agents */
    learnAgents(agents) {
      for (const { id, displayName } of agents) if (displayName) names.set(id, displayName);
    },
    /** The name of a person, else the id. @param {string | null | undefined} id */
    of: (id) => (id === null || id === undefined ? "" : (names.get(id) ?? id)),
  };
}
