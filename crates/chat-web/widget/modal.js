/** On a phone the panel covers the page: the page is inert and does not scroll, and the panel is as high as what is seen. */

export class Modal {
  #panel;
  #isOpen = false;
  /** Restores the page. @type {(() => void) | null} */
  #restore = null;
  #small;

  /** @param {HTMLElement} panel @param {MediaQueryList} small whether it is a phone @param {AbortSignal} signal */
  constructor(panel, small, signal) {
    this.#panel = panel;
    this.#small = small;
    this.#small.addEventListener("change", () => this.#update(), { signal });
    for (const name of ["resize", "scroll"]) visualViewport?.addEventListener(name, () => this.#fit(), { signal });
  }

  /** @param {boolean} isOpen */
  set(isOpen) {
    this.#isOpen = isOpen;
    this.#update();
  }

  #update() {
    const isModal = this.#isOpen && this.#small.matches;
    this.#panel.ariaModal = isModal ? "true" : null;
    if (isModal && !this.#restore) this.#restore = lock();
    else if (!isModal) {
      this.#restore?.();
      this.#restore = null;
    }
    this.#fit();
  }

  /** The keyboard of a phone covers a part of the window, which only the visual viewport knows of. */
  #fit() {
    const { style } = this.#panel;
    if (!this.#restore || !visualViewport) return void (style.removeProperty("--seen"), style.removeProperty("--from"));
    // With a pinch the part that is seen is smaller, and the panel must not become it.
    if (visualViewport.scale > 1.01) return;
    style.setProperty("--seen", `${visualViewport.height}px`);
    style.setProperty("--from", `${visualViewport.offsetTop}px`);
  }
}

/** Makes the page inert, and returns a function that restores it as it was. */
function lock() {
  const { body, documentElement: page } = document;
  const { inert } = body;
  const overflow = page.style.getPropertyValue("overflow");
  const priority = page.style.getPropertyPriority("overflow");
  const { scrollX, scrollY } = window;
  body.inert = true;
  page.style.setProperty("overflow", "hidden", "important");
  return () => {
    // A page that has replaced its body meanwhile has one that was never inert.
    body.inert = inert;
    if (overflow) page.style.setProperty("overflow", overflow, priority);
    else page.style.removeProperty("overflow");
    if (page.getAttribute("style") === "") page.removeAttribute("style");
    scrollTo({ left: scrollX, top: scrollY, behavior: "instant" });
  };
}
