/**
 * Notifications and sounds for what happens while an agent looks elsewhere: a session that comes into the queue or is given to
 * them, and a message in a session of theirs. Both are off until the agent switches them on. Of all windows of this person one
 * says it, and none while they look at one.
 */

/** @import { InboxItem } from "../client/index.js" */
/** @import { ConsoleUi, Desk } from "./types.js" */

/** Windows hear of the same event within this time of each other, also on a machine that is very busy. */
const TOGETHER_MS = 30_000;

/** When a person begins or ends to look at a window. */
const ATTENTION = ["focus", "blur", "visibilitychange", "pagehide"];

/** Whether this browser has notifications at all. Those of some phones have none. */
export const hasNotifications = () => "Notification" in globalThis;

/** Switches notifications on, if the person allows them; returns whether they do. To be called by a click. @param {Desk} desk */
export async function allowNotifications(desk) {
  const isAllowed = hasNotifications() && (await Notification.requestPermission()) === "granted";
  desk.settings.set({ notifications: isAllowed });
  return isAllowed;
}

/** @param {Desk} desk @param {ConsoleUi["t"]} t @returns {() => void} ends it */
export function startNotifications(desk, t) {
  const { inbox, me } = desk;
  const ending = new AbortController();
  const { signal } = ending;
  const attention = createAttention(`chat attention ${me.id}`, () => desk.isAttentive);
  /** Those that stand on the screen. @type {Set<Notification>} */
  const open = new Set();
  const looked = () => {
    attention.update();
    if (desk.isAttentive) for (const shown of open) shown.close();
  };
  for (const name of ATTENTION) addEventListener(name, looked, { signal });
  attention.update();

  /**
   * Runs a function in one of the windows that hear of an event, and in none while the person looks at one of them.
   *
   * @param {string} event @param {() => void} run
   */
  async function once(event, run) {
    if (await attention.isAnywhere()) return;
    if (!navigator.locks) return run();
    await navigator.locks.request(`chat notice ${me.id} ${event}`, { ifAvailable: true }, async (lock) => {
      if (!lock || signal.aborted) return;
      run();
      // The window that gets the lock keeps it until all have asked for it.
      await new Promise((resolve) => setTimeout(resolve, TOGETHER_MS));
    });
  }

  /** @param {InboxItem} item @param {string} event names it in all windows @param {string} title @param {string} body */
  function notice(item, event, title, body) {
    const { notifications, sound } = desk.settings.value;
    if (notifications && hasNotifications() && Notification.permission === "granted") {
      void once(event, () => show(item.id, title, body)).catch(() => {});
    }
    if (sound) void ring(event).catch(() => {});
  }

  /** @param {string} event */
  async function ring(event) {
    const { sound } = await import("../ui/sound.js");
    // Without a click the browser plays nothing, and another window may be able to.
    if (navigator.userActivation?.hasBeenActive) await once(`sound ${event}`, () => sound(event));
  }

  /** @param {string} session @param {string} title @param {string} body */
  function show(session, title, body) {
    try {
      // A second one about the same session takes the place of the first, and alerts all the same. TypeScript's types of the
      // DOM have no `renotify`.
      const shown = new Notification(title, /** @type {any} */ ({ body, tag: session, renotify: true }));
      shown.onclick = () => {
        window.focus();
        shown.close();
        const view = desk.lists.find((name) => desk.list(name).items.some(({ id }) => id === session)) ?? "waiting";
        if (!signal.aborted) desk.go({ view, session });
      };
      open.add(shown);
      shown.addEventListener("close", () => open.delete(shown));
    } catch {
      // Chromium on Android has notifications for service workers alone.
    }
  }

  const ends = [
    inbox.on("waiting", (item) => {
      // Of a customer whom the desk does not know yet, the item knows the name.
      const name = item.user?.name ?? desk.nameOf(item.userId);
      notice(item, `waiting ${item.id}`, t("noticeWaiting"), item.subject ? `${name}: ${item.subject}` : name);
    }),
    // Not of one's own claim: that is made in a window that one looks at.
    inbox.on("assigned", (item) => {
      if (item.agentId === me.id) notice(item, `assigned ${item.id}`, t("noticeAssigned"), desk.subjectOf(item));
    }),
    inbox.on("message", (item) => {
      const message = item.lastMessage;
      if (!message || item.agentId !== me.id) return;
      const { author, preview, attachmentCount } = message;
      const name = author.name ?? desk.nameOf(author.id);
      notice(item, message.id, name, preview || t("noticeFiles", { n: attachmentCount }));
    }),
  ];

  return () => {
    for (const end of ends) end();
    ending.abort();
    for (const shown of open) shown.close();
    attention.end();
  };
}

/**
 * Tells the windows of a browser of each other whether the person looks at one: such a window holds a lock that they share.
 *
 * @param {string} name of the lock
 * @param {() => boolean} isHere
 */
function createAttention(name, isHere) {
  /** Lets the lock go. @type {(() => void) | null} */
  let release = null;

  const end = () => {
    release?.();
    release = null;
  };

  return {
    end,
    update() {
      if (!isHere() || !navigator.locks) return end();
      if (release) return;
      const held = new Promise((resolve) => (release = () => resolve(undefined)));
      navigator.locks.request(name, { mode: "shared" }, () => held).catch(() => {});
    },
    async isAnywhere() {
      if (isHere()) return true;
      const { held = [] } = (await navigator.locks?.query()) ?? {};
      return held.some((lock) => lock.name === name);
    },
  };
}
