/**
 * The agents, and how those at this desk are shown to them: online or away. It is read when the inbox is live, and again until
 * it is known.
 */

/** @import { Agent, Client, Inbox } from "../client/index.js" */
/** @import { Desk } from "./types.js" */

/** So long until what is not known yet is asked for again. */
const AGAIN_MS = 5_000;

/**
 * @param {object} ports
 * @param {Client} ports.client
 * @param {Inbox} ports.inbox
 * @param {string} ports.me
 * @param {boolean} ports.isAdmin admins are no agents and have none
 * @param {(agents: readonly Agent[]) => void} ports.learn their names
 * @param {() => void} ports.changed
 * @param {() => void} ports.failed says that it was not set
 * @param {AbortSignal} ports.signal ends it
 */
export function createAvailability({ client, inbox, me, isAdmin, learn, changed, failed, signal }) {
  /** @type {readonly Agent[]} */
  let agents = [];
  /** @type {Desk["availability"]} */
  let own = null;
  /** How often the person has chosen it here: an answer of before says nothing of it. */
  let choices = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function read() {
    const before = choices;
    agents = await client.agents.list();
    learn(agents);
    if (!isAdmin && before === choices) {
      const mine = agents.find(({ id }) => id === me)?.availability;
      // `offline` is what others see for some seconds, until our own socket is known: it is nothing that one has chosen.
      if (mine === "online" || mine === "away") own = mine;
      else readLater();
    }
    changed();
    return agents;
  }

  /** For what is a comfort: names of colleagues, without which ids are shown, and what was chosen in another window. */
  function refresh() {
    clearTimeout(timer);
    if (inbox.view.state === "live") read().catch(readLater);
    else readLater();
  }

  function readLater() {
    clearTimeout(timer);
    if (!signal.aborted && !isAdmin && own === null) timer = setTimeout(refresh, AGAIN_MS);
  }

  /** @param {"online" | "away"} status */
  async function set(status) {
    choices++;
    const before = own;
    own = status;
    changed();
    try {
      await client.agents.setAvailability(status);
    } catch {
      if (signal.aborted) return;
      own = before;
      changed();
      failed();
    }
  }

  if (!isAdmin) addEventListener("focus", refresh, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  const unsubscribe = inbox.subscribe(() => {
    if (inbox.view.state !== "live") return;
    unsubscribe();
    refresh();
  });

  return {
    get agents() {
      return agents;
    },
    get own() {
      return own;
    },
    read,
    set,
  };
}
