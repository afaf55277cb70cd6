/** Pictures in full size, over everything. A native dialog: the browser keeps the focus in it, and gives it back. */

import styles from "./lightbox.css";

/** @import { AnyFile, Ui } from "./ui.js" */

/** @type {CSSStyleSheet | undefined} */
let sheet;

/**
 * @param {(icon: import("./icons.js").IconName, to: HTMLElement) => void} draw Preact is where this comes from, and is not
 *   loaded once more
 * @param {Ui} ui
 * @param {HTMLElement} parent
 * @param {AnyFile[]} pictures
 * @param {AnyFile} file the one that is shown first
 */
export function openLightbox(draw, ui, parent, pictures, file) {
  const { t } = ui;
  const root = /** @type {Document | ShadowRoot} */ (parent.getRootNode());
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  let at = Math.max(0, pictures.indexOf(file));
  let turn = 0;
  let address = "";

  const dialog = document.createElement("dialog");
  dialog.className = "lightbox";
  dialog.setAttribute("part", "lightbox");
  dialog.ariaLabel = t("picture");
  const bar = make("div", "bar", dialog);
  const name = make("bdi", "label", bar);
  const count = make("span", "count", bar);
  const stage = make("div", "stage", dialog);
  button(bar, "download", () => pictures[at] && ui.save(pictures[at]));
  const closing = button(bar, "close", () => dialog.close());
  const moves =
    pictures.length > 1
      ? [button(dialog, "previous", () => show(at - 1), "back"), button(dialog, "next", () => show(at + 1))]
      : [];

  /** @param {number} to */
  async function show(to) {
    at = (to + pictures.length) % pictures.length;
    const picture = pictures[at];
    if (!picture) return;
    const mine = ++turn;
    name.textContent = picture.name;
    count.textContent = pictures.length > 1 ? t("pictureOf", { n: at + 1, total: pictures.length }) : "";
    stage.textContent = t("loadingPicture");
    try {
      const blob = picture.id === null ? picture.file : await ui.download(picture, false);
      if (mine !== turn) return;
      const image = document.createElement("img");
      URL.revokeObjectURL(address);
      address = image.src = URL.createObjectURL(blob);
      image.alt = picture.name;
      await image.decode();
      if (mine === turn) stage.replaceChildren(image);
    } catch {
      if (mine === turn) stage.textContent = t("pictureFailed");
    }
  }

  /**
   * @param {HTMLElement} to
   * @param {"download" | "close" | "previous" | "next"} key
   * @param {() => void} press
   * @param {import("./icons.js").IconName} [name] of its icon
   */
  function button(to, key, press, name = /** @type {"download" | "close" | "next"} */ (key)) {
    const made = make("button", `${key} button`, to);
    made.ariaLabel = made.title = t(key);
    draw(name, made);
    made.addEventListener("click", press);
    return made;
  }

  dialog.addEventListener("keydown", (event) => {
    const forward = getComputedStyle(dialog).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    if (moves.length && /^Arrow(?:Left|Right)$/.test(event.key)) show(at + (event.key === forward ? 1 : -1));
    // The panel would close too.
    if (event.key === "Escape") event.stopPropagation();
  });
  dialog.addEventListener("click", ({ target }) => target === stage && dialog.close());
  dialog.addEventListener("close", () => {
    turn++;
    URL.revokeObjectURL(address);
    dialog.remove();
  });
  parent.append(dialog);
  dialog.showModal();
  closing.focus();
  show(at);
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} className
 * @param {Node} parent
 */
function make(name, className, parent) {
  const made = document.createElement(name);
  made.className = className;
  parent.appendChild(made);
  return made;
}
