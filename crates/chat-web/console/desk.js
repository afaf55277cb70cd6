/**
 * The model of the console: the client, the lists, the sessions that stay live, and what a person does with them. It makes no
 * element, and says what it has to say through the functions that it is given.
 */

import { ChatError, createClient } from "../client/src/index.js";
import { createCannedReplies } from "./canned.js";
import { createDrafts } from "./drafts.js";
import { ADMIN_LISTS, AGENT_LISTS, createLists } from "./lists.js";
import { createLiveSessions } from "./live-sessions.js";
import { createNames } from "./names.js";
import { rightsOn } from "./rights.js";
import { createRouter } from "./routes.js";
import { createSettings } from "./settings.js";
import { isText } from "./text-field.js";
import { claimsOf, expiryOf } from "./tokens.js";
import { createUnsent } from "./unsent.js";

/** @import { Agent, ChatSession, InboxItem } from "../client/index.js" */
/** @import { Desk, ListName, Me, MountOptions, Parts } from "./types.js" */

/** So long a sign-out waits until what is stored is erased: it is a moment, unless the browser does not do it. */
const ERASED_MS = 3_000;
/** So long after it was done the lists know it. What takes a session away later is the doing of others. */
const ACTED_MS = 10_000;

/**
 * @param {object} options
 * @param {string} options.url
 * @param {string} options.token
 * @param {Me} options.me
 * @param {boolean} options.addresses
 * @param {Parts["ui"]["t"]} options.t
 * @param {Desk["tell"]} options.tell
 * @param {Desk["say"]} options.say
 * @param {NonNullable<MountOptions["signedOut"]>} options.signedOut
 * @returns {Desk & { destroy(): void }}
 */
export function createDesk({ url, token, me, addresses, t, tell, say, signedOut }) {
  const ending = new AbortController();
  const { signal } = ending;
  const isAdmin = me.role === "admin";
  /** @type {readonly [ListName, ...ListName[]]} */
  const names = isAdmin ? ADMIN_LISTS : AGENT_LISTS;
  /** @type {Set<() => void>} */
  const listeners = new Set();

  const client = createClient({ url, token: give, onError });
  const inbox = client.inbox(names.filter((name) => name !== "all"));
  const lists = createLists({ client, inbox, names, changed, signal });
  const settings = createSettings(me.id, signal);
  const drafts = createDrafts(me.id, signal);
  const canned = createCannedReplies(me.id, signal);
  const router = createRouter({
    addresses,
    views: isAdmin ? [...ADMIN_LISTS, "statistics", "agents"] : AGENT_LISTS,
    changed: routed,
  });

  const sessions = createLiveSessions({ client, inbox, current: () => router.route.session, changed });
  const people = createNames();
  /** Sessions of which is said otherwise why they end here. @type {Set<string>} */
  const given = new Set();
  /** Sessions that were ours when they were looked at last, by their ids. @type {Map<string, ChatSession>} */
  const owned = new Map();
  /** Sessions that something is being done with. @type {Set<string>} */
  const busy = new Set();
  /** And when something was done with others, in milliseconds since 1970. @type {Map<string, number>} */
  const acted = new Map();
  /** @type {readonly Agent[]} */
  let agents = [];
  /** @type {Desk["availability"]} */
  let availability = null;
  /** How often the person has chosen it here: an answer of before says nothing of it. */
  let choices = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let lookAgain;
  /** @type {string | null} */
  let selected = null;
  let isDue = false;
  let isOver = false;
  /** While what is stored is being erased. */
  let isLeaving = false;

  const unsent = createUnsent({ sessions: sessions.all, drafts, current: () => router.route.session, subjectOf, t, tell });

  people.set(me.id, claimsOf(token)?.name);

  /** The token of the sign-in is all there is: when it is refused, one signs in again. @param {string} why */
  function give(why) {
    if (why === "first") return token;
    if (why === "rejected") queueMicrotask(() => end(expiryOf(token) < Date.now() ? "expired" : "refused"));
    throw new Error("there is no newer token");
  }

  /** What fails and ends no operation is for developers. @param {unknown} error */
  function onError(error) {
    if (error instanceof ChatError) console.warn(error);
    else reportError(error);
  }

  /** @param {Parameters<typeof signedOut>[0]} why */
  function end(why) {
    if (isOver) return;
    destroy();
    signedOut(why);
  }

  function destroy() {
    if (isOver) return;
    isOver = true;
    clearTimeout(lookAgain);
    ending.abort();
    router.close();
    // Sessions stay as they are for what is still shown, which goes in a moment.
    client.close();
    listeners.clear();
  }

  /* What changes between two pictures of the screen is shown once. A page that is hidden has no next picture. */

  function changed() {
    if (isOver) return;
    if (!isDue) document.hidden ? setTimeout(update) : requestAnimationFrame(update);
    isDue = true;
  }

  document.addEventListener("visibilitychange", () => isDue && update(), { signal });
  for (const name of ["focus", "blur"]) addEventListener(name, changed, { signal });

  function update() {
    if (isOver || isLeaving || !isDue) return;
    isDue = false;
    const { state, error } = inbox.view;
    // Another error was there before, and is not why it ends: then another window has signed out.
    const isRefused = error && (error.status === 403 || FINAL.includes(error.code));
    if (state === "stopped") return end(isRefused ? "refused" : "signOut");
    lists.update();
    learnNames();
    showItsList();
    unsent.look();
    leaveLost();
    sessions.keep();
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (failure) {
        reportError(failure);
      }
    }
  }

  /** The session that was open at the last change of the route. @type {string | null} */
  let openedLast = null;

  /** The keyboard is at the session that is open. */
  function routed() {
    const { session } = router.route;
    if (session !== null) {
      selected = session;
      // It may be ours again, and the list not know it yet: the server says so.
      if (session !== openedLast && sessions.view(session)?.state === "stopped") sessions.drop(session);
    }
    openedLast = session;
    // What has ended before is news when one looks at it again.
    for (const id of given) if (id !== router.route.session) given.delete(id);
    changed();
  }

  function learnNames() {
    for (const items of Object.values(inbox.view.items)) for (const item of items) people.learn(item);
    for (const { view } of sessions.all()) if (view.session) people.learn(view.session);
  }

  /** Who follows a link to a session sees it in the list that has it. */
  function showItsList() {
    const { route, isGuessed } = router;
    if (!isGuessed || route.session === null || inbox.view.state !== "live") return;
    const hasIt = (/** @type {ListName} */ name) => lists.get(name).items.some(({ id }) => id === route.session);
    // The one that is shown, if it has it.
    const name = names.find((name) => name === route.view && hasIt(name)) ?? names.find(hasIt);
    router.go({ view: name ?? route.view, session: route.session, details: route.details }, { replace: true });
  }

  /** The thread of a session that another agent has now closes. What was typed stays a draft. */
  function leaveLost() {
    const { session: id } = router.route;
    const view = id === null ? null : sessions.view(id);
    if (id === null || !view) return;
    if (view.state !== "stopped") {
      // A list knows it before it is loaded. Its last state may name the other agent already.
      const session = view.session ?? itemOf(id);
      if (session?.agentId === me.id) owned.set(id, session);
      else if (session?.agentId === null) owned.delete(id);
      return;
    }
    // A link to a session of another agent closes nothing: the thread says so.
    const session = view.session ?? owned.get(id);
    if (view.error?.code !== "FORBIDDEN" || !session) return;
    const isKnown = given.delete(id);
    const key = !owned.delete(id) ? "takenByOther" : drafts.get(id) ? "takenAwayDraft" : "takenAway";
    sessions.drop(id);
    router.go({ session: null }, { replace: true });
    if (!isKnown) tell(t(key, { subject: subjectOf(session) }));
  }

  /** @param {string} id */
  const itemOf = (id) => {
    for (const name of names) {
      const found = lists.get(name).items.find((item) => item.id === id);
      if (found) return found;
    }
    return null;
  };

  /** @param {ChatSession | null | undefined} session */
  function subjectOf(session) {
    return session?.subject || people.of(session?.userId) || t("session");
  }

  /* What a person does */

  /**
   * Runs one thing at a time with a session, and says why it failed.
   *
   * @param {string} id @param {() => Promise<unknown>} run
   * @returns {Promise<boolean>}
   */
  async function act(id, run) {
    if (busy.has(id)) return false;
    // What has become another agent's meanwhile may be out of sight by then.
    const subject = subjectOf(sessionNow(id));
    busy.add(id);
    acted.set(id, Infinity);
    changed();
    try {
      await run();
      return !isOver;
    } catch (failure) {
      if (isOver) return false;
      const { code, retryable, status } = /** @type {ChatError} */ (failure);
      if (!(failure instanceof ChatError)) reportError(failure);
      const key = REASONS.get(code) ?? (status === 403 ? "notAllowed" : retryable ? "tryLater" : "didNotWork");
      tell(t(key, { subject }), "assertive");
      return false;
    } finally {
      busy.delete(id);
      acted.set(id, Date.now());
      changed();
    }
  }

  /** @param {string} id */
  const sessionNow = (id) => sessions.view(id)?.session ?? itemOf(id);

  /** The server's number, which comes in turns, and what the live session knows sooner. @param {InboxItem} item */
  function unreadOf({ id, status, unreadCount }) {
    if (status === "closed") return 0;
    const view = sessions.view(id);
    if (view?.state !== "live") return unreadCount;
    return view.unread === 0 ? 0 : Math.max(view.unread, unreadCount);
  }

  /** The session whose agent has claimed it, and wants to write. @type {string | null} */
  let claimed = null;

  /** @param {string} id */
  async function claim(id) {
    const { view, session } = router.route;
    const subject = subjectOf(sessionNow(id));
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
  }

  /** @param {string} id @param {string} agent */
  async function assign(id, agent) {
    const subject = subjectOf(sessionNow(id));
    const isDone = await act(id, () => client.sessions.assign(id, agent));
    if (isDone) tell(t("assignedTo", { subject, name: people.of(agent) }));
    return isDone;
  }

  /** @param {string} id @param {string | null} agent */
  async function transfer(id, agent) {
    const subject = subjectOf(sessionNow(id));
    given.add(id);
    const isDone = await act(id, () => client.sessions.transfer(id, agent));
    if (!isDone) {
      given.delete(id);
      return false;
    }
    tell(agent === null ? t("transferredBack", { subject }) : t("transferredTo", { subject, name: people.of(agent) }));
    if (!isAdmin && router.route.session === id) router.go({ session: null }, { replace: true });
    // It ended here with our doing, or never will: the next end is news again.
    setTimeout(() => given.delete(id), ACTED_MS);
    return true;
  }

  /** @param {string} id */
  async function close(id) {
    const subject = subjectOf(sessionNow(id));
    const isDone = await act(id, () => client.sessions.close(id));
    if (isDone) tell(t("closedNow", { subject }));
    return isDone;
  }

  async function readAgents() {
    const before = choices;
    agents = await client.agents.list();
    people.learnAgents(agents);
    if (!isAdmin && before === choices) {
      const mine = agents.find(({ id }) => id === me.id)?.availability;
      // `offline` is what others see for some seconds, until our own socket is known: it is nothing that one has chosen.
      if (mine === "online" || mine === "away") availability = mine;
      else refreshLater();
    }
    changed();
    return agents;
  }

  /** For what is a comfort: names of colleagues, without which ids are shown, and what was chosen in another window. */
  function refreshAgents() {
    clearTimeout(lookAgain);
    if (inbox.view.state === "live") readAgents().catch(refreshLater);
    else refreshLater();
  }

  function refreshLater() {
    clearTimeout(lookAgain);
    if (!isOver && !isAdmin && availability === null) lookAgain = setTimeout(refreshAgents, 5_000);
  }

  if (!isAdmin) addEventListener("focus", refreshAgents, { signal });

  /** @param {"online" | "away"} status */
  async function setAvailability(status) {
    choices++;
    const before = availability;
    availability = status;
    changed();
    try {
      await client.agents.setAvailability(status);
    } catch {
      if (isOver) return;
      availability = before;
      changed();
      tell(t("tryLater"), "assertive");
    }
  }

  function hasUnsent() {
    // Also drafts of sessions that other agents have now.
    return !drafts.isEmpty || [...sessions.all()].some(({ view }) => view.messages.some(({ id }) => id === null));
  }

  async function signOut() {
    if (isOver || isLeaving) return;
    isLeaving = true;
    const farewell = client.logout().then(
      () => true,
      () => false,
    );
    drafts.clear();
    const late = new Promise((resolve) => setTimeout(resolve, ERASED_MS, false));
    end((await Promise.race([farewell, late])) ? "signOut" : "notErased");
  }

  inbox.subscribe(changed);
  settings.subscribe(changed);
  drafts.subscribe(changed);
  canned.subscribe(changed);
  signal.addEventListener("abort", () => inbox.close());
  const knowAgents = inbox.subscribe(() => {
    if (inbox.view.state !== "live") return;
    knowAgents();
    refreshAgents();
  });
  changed();

  return {
    me,
    client,
    inbox,
    settings,
    drafts,
    canned,
    lists: names,
    get route() {
      return router.route;
    },
    get selected() {
      return selected;
    },
    get unread() {
      const { items, counts, hasMore } = inbox.view;
      const known = (items.mine ?? []).reduce((sum, item) => sum + unreadOf(item), 0);
      return hasMore.mine ? Math.max(known, counts?.mineUnread ?? 0) : known;
    },
    get isAttentive() {
      return document.visibilityState === "visible" && document.hasFocus();
    },
    get connection() {
      return inbox.view;
    },
    get availability() {
      return availability;
    },
    get agents() {
      return agents;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    go: router.go,
    select(session) {
      selected = session;
      changed();
    },
    session: sessions.get,
    item: itemOf,
    list: (name) => lists.get(name),
    countOf: lists.countOf,
    more: lists.more,
    live: sessions.view,
    unreadOf,
    isBusy: (id) => busy.has(id),
    hasActed: (id) => Date.now() - (acted.get(id) ?? 0) < ACTED_MS,
    takeClaimed(id) {
      const isClaimed = claimed === id;
      if (isClaimed) claimed = null;
      return isClaimed;
    },
    hasFailed: unsent.hasFailed,
    nameOf: people.of,
    subjectOf,
    rightsOn: (session) => rightsOn(me, session),
    retryNow: inbox.retryNow,
    readAgents,
    setAvailability,
    claim,
    assign,
    transfer,
    close,
    tell,
    say,
    hasUnsent,
    signOut,
    destroy,
  };
}

/** With these a socket ends for good. */
const FINAL = ["FORBIDDEN", "PROTOCOL"];

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
