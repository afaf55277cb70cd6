/**
 * What the console has to say: notices that are shown for some seconds, and what is said only to those who do not see the page.
 * Both go through two live regions, one that waits until the reader has finished and one that interrupts. A notice is in a
 * region itself, so that its text stands in the page once.
 */

/** @import { Urgency } from "./types.js" */

/** So long a notice is shown; one that is pointed at or has the focus stays. */
const SHOWN_MS = 8_000;
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
    const line = document.createElement("p");
    line.className = className;
    line.textContent = text;
    regions[urgency].append(line);
    return line;
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
      dismiss.addEventListener("click", () => toast.remove());
      toast.append(words, dismiss);
      const fade = () => {
        if (toast.matches(":hover, :focus-within")) setTimeout(fade, 1_000);
        else toast.remove();
      };
      setTimeout(fade, SHOWN_MS);
    },

    remove: () => box.remove(),
  };
}
