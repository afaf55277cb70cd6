/** What single keys do, outside text fields and dialogs. Keys are taken by their letters, whatever the layout of the keyboard. */

import { claim, openClose, openTransfer } from "./actions.js";
import { openHelp } from "./help.js";
import { isText } from "./text-field.js";

/** @import { Parts } from "./types.js" */

/** Who pauses for so long, in milliseconds, looks at where the keys go. */
const PAUSE_MS = 1_500;

/** @param {Parts} parts @param {boolean} isAlone whether the page has nothing but the console @param {AbortSignal} signal ends it */
export function startShortcuts(parts, isAlone, signal) {
  const { desk, root } = parts;
  /** @type {Record<string, (event: KeyboardEvent) => void>} */
  const keys = {
    j: () => parts.list.current?.move(1),
    k: () => parts.list.current?.move(-1),
    c: () => {
      // The first that still waits: a list that holds still has rows of what is gone.
      const rows = desk.route.view === "waiting" ? (parts.list.current?.shown ?? []) : [];
      const ids = candidates(...rows);
      // One at a time: who presses again, since nothing seems to happen, means the same.
      if (ids.some(desk.isBusy)) return;
      const id = ids.find((id) => {
        const session = desk.live(id)?.session ?? desk.item(id);
        const rights = session && desk.rightsOn(session);
        return rights?.claim || rights?.assign;
      });
      if (id !== undefined) claim(parts, id);
    },
    t: () => openTransfer(parts, candidates()[0] ?? ""),
    e: () => openClose(parts, candidates()[0] ?? ""),
    "/": () => parts.list.current?.focusFilter(),
    "?": () => openHelp(parts),
  };

  /** The row that has the focus; else the open session, the row that had it last, and others. @param {string[]} others */
  function candidates(...others) {
    const row = /** @type {HTMLElement | null} */ (document.activeElement?.closest("[data-session]") ?? null);
    if (row?.dataset.session && root.contains(row)) return [row.dataset.session];
    return [desk.route.session, desk.selected, ...others].filter((id) => typeof id === "string");
  }

  /** Where the person types, until they leave it. @type {Element | null} */
  let field = null;
  let typedAt = 0;

  /**
   * Whether a key was meant for a text field that has gone under the hands of who types in it, as the composer does when the
   * session is given to another agent.
   *
   * @param {KeyboardEvent} event @param {Element} target
   */
  function isMeantForText({ key, ctrlKey, metaKey, timeStamp }, target) {
    if (key === "Tab" || key === "Escape" || (key === "Enter" && target instanceof HTMLInputElement)) field = null;
    else if (isText(target)) field = target;
    else if (field?.checkVisibility() || timeStamp - typedAt > PAUSE_MS) field = null;
    typedAt = timeStamp;
    return field !== null && field !== target && !ctrlKey && !metaKey && (key.length === 1 || key === "Enter");
  }

  /** @param {KeyboardEvent} event @param {Element} target */
  function enter(event, target) {
    const id = /** @type {HTMLElement | null} */ (target.closest("[data-session]"))?.dataset.session;
    const { selected } = desk;
    const { session } = desk.route;
    // On the row of the session that is open already, one wants to write.
    if (id && id === session && target.matches("a") && parts.composer.current) {
      event.preventDefault();
      parts.composer.current.focus();
    } else if (selected !== null && selected !== session && target.matches("body, [tabindex='-1']:not(a, button)")) {
      event.preventDefault();
      desk.go({ session: selected });
    }
  }

  /** @param {Event} event */
  const targetOf = (event) => /** @type {Element} */ (event.composedPath()[0] ?? document.body);

  /** @param {Element} target */
  const isOurs = (target) => root.contains(target) || (isAlone && target === document.body);

  /** From the message that is written to where keys are shortcuts again. */
  function leave() {
    parts.list.current?.focusRow(desk.route.session ?? undefined);
    if (root.querySelector("[data-session] a:focus")) return;
    /** @type {HTMLElement | null} */ (root.querySelector(".middle"))?.focus();
  }

  document.addEventListener("pointerdown", () => void (field = null), { signal, capture: true });
  // Before anything else does something with it, and in dialogs too.
  document.addEventListener(
    "keydown",
    (event) => {
      const target = targetOf(event);
      if (!isOurs(target) || !isMeantForText(event, target)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal, capture: true },
  );
  document.addEventListener(
    "keydown",
    (event) => {
      const target = targetOf(event);
      if (!isOurs(target) || !desk.settings.value.shortcuts || event.defaultPrevented || event.isComposing) return;
      // With AltGr letters of other languages are typed.
      if (event.ctrlKey || event.metaKey || event.altKey || event.getModifierState("AltGraph")) return;
      if (root.querySelector("dialog[open]")) return;
      if (event.key === "Escape" && target.closest(".composer")) return leave();
      if (isText(target)) return;
      if (event.key === "Enter") return event.shiftKey ? undefined : enter(event, target);
      const run = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
      if (!run) return;
      event.preventDefault();
      // A key that is held down moves on, and does nothing else again.
      if (!event.repeat || event.key === "j" || event.key === "k") run(event);
    },
    { signal },
  );
}
