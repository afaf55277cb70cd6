/**
 * The model of the console: the client, the lists, the sessions that stay live, and what a person does with them. It makes no
 * element, and says what it has to say through the functions that it is given.
 */

import { ChatError, createClient } from "../client/src/index.js";
import { createAvailability } from "./availability.js";
import { createCannedReplies } from "./canned.js";
import { createChanges } from "./changes.js";
import { createDrafts } from "./drafts.js";
import { ADMIN_LISTS, AGENT_LISTS, createLists } from "./lists.js";
import { createLiveSessions } from "./live-sessions.js";
import { createNames } from "./names.js";
import { rightsOn } from "./rights.js";
import { createRouter } from "./routes.js";
import { createSettings } from "./settings.js";
import { claimsOf, expiryOf } from "./tokens.js";
import { createUnsent } from "./unsent.js";

/** @import { ChatSession, InboxItem } from "../client/index.js" */
/** @import { Desk, ListName, Me, MountOptions, Parts } from "./types.js" */

/** So many characters of a subject stand in a notice. */
const BRIEF = 60;
/** So long a sign-out waits until what is stored is erased: it is a moment, unless the browser does not do it. */
const ERASED_MS = 3_000;

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
  /** Sessions that were ours when they were looked at last, by their ids. @type {Map<string, ChatSession>} */
  const owned = new Map();
  /** @type {string | null} */
  let selected = null;
  let isDue = false;
  let isOver = false;
  /** While what is stored is being erased. */
  let isLeaving = false;

  const availability = createAvailability({
    client,
    inbox,
    me: me.id,
    isAdmin,
    learn: people.learnAgents,
    changed,
    failed: () => tell(t("tryLater"), "assertive"),
    signal,
  });
  const changes = createChanges({
    client,
    me,
    router,
    sessionNow,
    subjectOf: briefOf,
    nameOf: people.of,
    t,
    tell,
    say,
    released: (id) => owned.delete(id),
    changed,
    signal,
  });
  const unsent = createUnsent({ sessions: sessions.all, drafts, current: () => router.route.session, subjectOf: briefOf, t, tell });

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
    changes.forgetGiven(session);
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
    const isKnown = changes.takeGiven(id);
    const key = !owned.delete(id) ? "takenByOther" : drafts.get(id) ? "takenAwayDraft" : "takenAway";
    sessions.drop(id);
    router.go({ session: null }, { replace: true });
    if (!isKnown) tell(t(key, { subject: briefOf(session) }));
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

  /** As it stands in notices, which would cover the lists. @param {ChatSession | null | undefined} session */
  function briefOf(session) {
    const all = [...subjectOf(session)];
    return all.length > BRIEF ? `${all.slice(0, BRIEF - 1).join("")}…` : all.join("");
  }

  /** @param {string} id */
  function sessionNow(id) {
    return sessions.view(id)?.session ?? itemOf(id);
  }

  /** The server's number, which comes in turns, and what the live session knows sooner. @param {InboxItem} item */
  function unreadOf({ id, status, unreadCount }) {
    if (status === "closed") return 0;
    const view = sessions.view(id);
    if (view?.state !== "live") return unreadCount;
    return view.unread === 0 ? 0 : Math.max(view.unread, unreadCount);
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
      return availability.own;
    },
    get agents() {
      return availability.agents;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    go: router.go,
    back: router.back,
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
    isBusy: changes.isBusy,
    hasActed: changes.hasActed,
    takeClaimed: changes.takeClaimed,
    hasFailed: unsent.hasFailed,
    nameOf: people.of,
    subjectOf,
    rightsOn: (session) => rightsOn(me, session),
    retryNow: inbox.retryNow,
    readAgents: availability.read,
    setAvailability: availability.set,
    claim: changes.claim,
    assign: changes.assign,
    transfer: changes.transfer,
    close: changes.close,
    tell,
    say,
    hasUnsent,
    signOut,
    destroy,
  };
}

/** With these a socket ends for good. */
const FINAL = ["FORBIDDEN", "PROTOCOL"];
