/** Dialogs: native ones, so that the browser keeps the focus in them, gives it back, and closes them with Escape. */

import { h, render } from "preact";

let count = 0;

/**
 * @param {HTMLElement} root where it is put
 * @param {object} content
 * @param {string} content.title
 * @param {string} [content.kind] a class
 * @param {(dialog: OpenDialog) => import("preact").ComponentChildren} content.body draws what stands below the title
 * @param {() => void} [content.closed]
 * @returns {OpenDialog}
 *
 * @typedef {{ update(): void, close(): void }} OpenDialog
 */
export function openDialog(root, { title, kind = "", body, closed = () => {} }) {
  const dialog = document.createElement("dialog");
  const id = `console-dialog-${++count}`;
  dialog.className = `sheet ${kind}`;
  dialog.setAttribute("aria-labelledby", id);
  const open = { update, close: () => dialog.close() };

  function update() {
    if (dialog.isConnected) render([h("h2", { id, class: "sheet-title" }, title), body(open)], dialog);
  }

  // Keys that are pressed in it are none of the page's. Escape is handled by the browser.
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  // The dialog has no padding of its own, so a click on itself is one beside it.
  dialog.addEventListener("pointerdown", ({ target, clientX, clientY }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const isBeside = clientX < left || clientX > right || clientY < top || clientY > bottom;
    if (target === dialog && isBeside) dialog.close();
  });
  dialog.addEventListener("close", () => {
    render(null, dialog);
    dialog.remove();
    closed();
  });
  root.append(dialog);
  update();
  dialog.showModal();
  /** @type {HTMLElement | null} */ (dialog.querySelector(".focus-first"))?.focus();
  return open;
}
