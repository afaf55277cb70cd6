/**
 * What the console has to say: notices that are shown for some seconds, and what is said only to those who do not see the page.
 * Both go through two live regions, one that waits until the reader has finished and one that interrupts. A notice is in a
 * region itself, so that its text stands in the page once.
 */

/** @import { Urgency } from "./types.js" */

/** So long a notice is shown; one that is pointed at or has the focus stays. Who has waited for what failed may look elsewhere. */
const SHOWN_MS = { polite: 8_000, assertive: 30_000 };
/** So long what was only said stays, for readers that are slow. */
const SAID_MS = 20_000;

/**
 * @param {HTMLElement} root
 * @param {(key: import("./texts.js").Key) => string} t
 */
export function createNotices(root, t) {
  const box = document.createElement("div");
  box.className = "notices";
  root.append(box);
  const regions = { polite: region("status"), assertive: region("alert") };
  // They are in a dialog before anything is said there, and come back from it when it is taken out.
  const dialogs = new MutationObserver(settle);
  dialogs.observe(root, { childList: true });

  /** A modal dialog makes inert what is outside it, so what is to be read and pressed stands in the uppermost one. */
  function settle() {
    const place = [...root.querySelectorAll("dialog:modal")].at(-1) ?? root;
    if (box.parentElement !== place) place.append(box);
  }

  /** @param {"status" | "alert"} role */
  function region(role) {
    const made = document.createElement("div");
    made.setAttribute("role", role);
    made.ariaLive = role === "alert" ? "assertive" : "polite";
    // Only what is new is spoken, and not all of it again.
    made.ariaAtomic = "false";
    box.append(made);
    return made;
  }

  /** @param {string} text @param {Urgency} urgency @param {string} className */
  function add(text, urgency, className) {
    settle();
    const line = document.createElement("p");
    line.className = className;
    line.textContent = text;
    regions[urgency].append(line);
    return line;
  }

  /** The next notice has the focus of one that is gone, else what they stand above. */
  function keepFocus() {
    for (const place of [".notices button", ".focus-first", ".middle", "a", "button"]) {
      const next = /** @type {HTMLElement | null | undefined} */ (box.parentElement?.querySelector(place));
      if (next?.checkVisibility()) return next.focus({ preventScroll: true });
    }
  }

  return {
    /** @param {string} text @param {Urgency} [urgency] */
    say(text, urgency = "polite") {
      const line = add(text, urgency, "unseen");
      setTimeout(() => line.remove(), SAID_MS);
    },

    /** @param {string} text @param {Urgency} [urgency] */
    tell(text, urgency = "polite") {
      // The same once more is said again, and stands there once.
      for (const shown of regions[urgency].querySelectorAll(".toast")) {
        if (shown.querySelector(".toast-text")?.textContent === text) shown.remove();
      }
      const toast = add("", urgency, `toast toast-${urgency}`);
      const words = document.createElement("span");
      words.className = "toast-text";
      words.textContent = text;
      const dismiss = document.createElement("button");
      dismiss.className = "link";
      dismiss.textContent = t("dismiss");
      dismiss.addEventListener("click", () => {
        const hadFocus = toast.contains(document.activeElement);
        toast.remove();
        if (hadFocus) keepFocus();
      });
      toast.append(words, dismiss);
      const fade = () => {
        if (toast.matches(":hover, :focus-within")) setTimeout(fade, 1_000);
        else toast.remove();
      };
      setTimeout(fade, SHOWN_MS[urgency]);
    },

    remove() {
      dialogs.disconnect();
      box.remove();
    },
  };
}
