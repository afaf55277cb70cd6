/** What a person changes in sessions: claim, assign, transfer and close. One thing at a time in each, and it says how it went. */

import { ChatError } from "../client/src/index.js";
import { isText } from "./text-field.js";

/** @import { ChatSession, Client } from "../client/index.js" */
/** @import { Desk, Me, Parts } from "./types.js" */

/** So long after it was done the lists know it. What takes a session away later is the doing of others. */
const ACTED_MS = 10_000;

/**
 * @param {object} ports
 * @param {Client} ports.client
 * @param {Me} ports.me
 * @param {ReturnType<typeof import("./routes.js").createRouter>} ports.router
 * @param {(id: string) => ChatSession | null | undefined} ports.sessionNow
 * @param {Desk["subjectOf"]} ports.subjectOf
 * @param {Desk["nameOf"]} ports.nameOf
 * @param {Parts["ui"]["t"]} ports.t
 * @param {Desk["tell"]} ports.tell
 * @param {Desk["say"]} ports.say
 * @param {(id: string) => void} ports.released it is not the person's any more, by their own doing
 * @param {() => void} ports.changed
 * @param {AbortSignal} ports.signal ends it
 */
export function createChanges({ client, me, router, sessionNow, subjectOf, nameOf, t, tell, say, released, changed, signal }) {
  /** Sessions that something is being done with. @type {Set<string>} */
  const busy = new Set();
  /** And when something was done with others, if it did not fail, in milliseconds since 1970. @type {Map<string, number>} */
  const acted = new Map();
  /** Sessions of which is said otherwise why they end here. @type {Set<string>} */
  const given = new Set();
  /** The session whose agent has claimed it, and wants to write. @type {string | null} */
  let claimed = null;

  /** @param {string} id */
  const subjectNow = (id) => subjectOf(sessionNow(id));

  /**
   * Runs one thing at a time with a session, and says why it failed.
   *
   * @param {string} id @param {() => Promise<unknown>} run
   * @returns {Promise<boolean>}
   */
  async function act(id, run) {
    if (busy.has(id)) return false;
    // What has become another agent's meanwhile may be out of sight by then.
    const subject = subjectNow(id);
    busy.add(id);
    changed();
    try {
      await run();
      acted.set(id, Date.now());
      return !signal.aborted;
    } catch (failure) {
      if (signal.aborted) return false;
      const { code, retryable, status } = /** @type {ChatError} */ (failure);
      if (!(failure instanceof ChatError)) reportError(failure);
      const key = REASONS.get(code) ?? (status === 403 ? "notAllowed" : retryable ? "tryLater" : "didNotWork");
      tell(t(key, { subject }), "assertive");
      return false;
    } finally {
      busy.delete(id);
      changed();
    }
  }

  return {
    /** @param {string} id */
    isBusy: (id) => busy.has(id),
    /** Whether something was done with it here, which the lists may not know yet. @param {string} id */
    hasActed: (id) => Date.now() - (acted.get(id) ?? 0) < ACTED_MS,
    /** Whether it is said otherwise why the session ends here, this once. @param {string} id */
    takeGiven: (id) => given.delete(id),
    /** What has ended before is news when one looks at it again. @param {string | null} current */
    forgetGiven(current) {
      for (const id of given) if (id !== current) given.delete(id);
    },
    /** @param {string} id */
    takeClaimed(id) {
      const isClaimed = claimed === id;
      if (isClaimed) claimed = null;
      return isClaimed;
    },

    /** @param {string} id */
    async claim(id) {
      const { view, session } = router.route;
      const subject = subjectNow(id);
      const isDone = await act(id, () =>
        client.sessions.assign(id, me.id).catch((error) => {
          // An earlier attempt, whose answer was lost, was successful.
          if (error?.code === "ALREADY_ASSIGNED" && router.route.session === id) given.add(id);
          if (error?.code !== "ALREADY_YOURS") throw error;
        }),
      );
      if (!isDone) return false;
      // Who has gone on meanwhile, or writes, as into the filter, is not called back.
      if (router.route.view !== view || router.route.session !== session || isText(document.activeElement)) {
        tell(t("claimed", { subject }));
        return true;
      }
      say(t("claimed", { subject }));
      claimed = id;
      router.go({ view: "mine", session: id });
      return true;
    },

    /** @param {string} id @param {string} agent */
    async assign(id, agent) {
      const subject = subjectNow(id);
      const isDone = await act(id, () => client.sessions.assign(id, agent));
      if (isDone) tell(t("assignedTo", { subject, name: nameOf(agent) }));
      return isDone;
    },

    /** @param {string} id @param {string | null} agent */
    async transfer(id, agent) {
      const subject = subjectNow(id);
      given.add(id);
      const isDone = await act(id, () => client.sessions.transfer(id, agent));
      if (!isDone) {
        given.delete(id);
        return false;
      }
      released(id);
      tell(agent === null ? t("transferredBack", { subject }) : t("transferredTo", { subject, name: nameOf(agent) }));
      if (me.role !== "admin" && router.route.session === id) router.go({ session: null }, { replace: true });
      // It ended here with our doing, or never will: the next end is news again.
      setTimeout(() => given.delete(id), ACTED_MS);
      return true;
    },

    /** @param {string} id */
    async close(id) {
      const subject = subjectNow(id);
      const isDone = await act(id, () => client.sessions.close(id));
      if (isDone) tell(t("closedNow", { subject }));
      return isDone;
    },
  };
}

/** What is said of failures that have a name. @type {Map<string, import("./texts.js").Key>} */
const REASONS = new Map(
  /** @type {[string, import("./texts.js").Key][]} */ ([
    ["ALREADY_ASSIGNED", "fasterAgent"],
    ["SESSION_CLOSED", "endedMeanwhile"],
    ["SESSION_NOT_FOUND", "unknownSession"],
    ["AGENT_NOT_FOUND", "unknownAgent"],
    ["NETWORK", "noConnection"],
    ["TIMEOUT", "noConnection"],
  ]),
);
