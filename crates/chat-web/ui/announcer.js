/** Says things to people who do not see the page, once each, without interrupting what they hear. */

/** Readers speak what is added. So much stays for those that are slow. */
const KEPT = 20;

/** @param {Node} parent */
export function createAnnouncer(parent) {
  const region = document.createElement("div");
  region.className = "unseen";
  region.role = "status";
  region.ariaLive = "polite";
  // Only what is new is spoken, and not all of it again.
  region.ariaAtomic = "false";
  parent.appendChild(region);
  return {
    /** @param {string} text */
    say(text) {
      const line = document.createElement("p");
      line.textContent = text;
      region.append(line);
      if (region.childElementCount > KEPT) region.firstElementChild?.remove();
    },
    clear: () => region.replaceChildren(),
    remove: () => region.remove(),
  };
}
