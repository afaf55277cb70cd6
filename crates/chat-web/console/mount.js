/** Puts the console into an element: the page `/console`, or a part of another page. */

import { render } from "preact";

import { createWords } from "../ui/words.js";
import styles from "./console.css";
import { createConsoleUi } from "./console-ui.js";
import { createDesk } from "./desk.js";
import { createNotices } from "./notices.js";
import { startNotifications } from "./notifications.js";
import { addressOf } from "./routes.js";
import { shell } from "./shell.js";
import { startShortcuts } from "./shortcuts.js";
import texts from "./texts.js";
import { personOf } from "./tokens.js";

/** @import { MountedConsole, MountOptions, Parts } from "./types.js" */

const LANG = "en";

/** Where the focus goes when what had it is gone: to the first of these that is seen. */
const PLACES = [
  "dialog[open]",
  ".at-details .side-back",
  ".at-thread .middle",
  ".at-page .middle",
  ".list-box a[tabindex='0']",
  ".view[aria-current]",
];

/** A page adopts each style sheet once, however often a console is mounted. @type {Map<string, CSSStyleSheet>} */
const sheets = new Map();

/** @param {string} text of a style sheet */
export function adopt(text) {
  let sheet = sheets.get(text);
  if (!sheet) {
    sheets.set(text, (sheet = new CSSStyleSheet()));
    sheet.replaceSync(text);
  }
  if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets.push(sheet);
}

/** The tokens of the design, and what the console and its sign-in have. */
export const adoptStyles = () => adopt(styles);

/** @param {HTMLElement} element @param {MountOptions} options @returns {MountedConsole} */
export function mountConsole(element, { url, token, role, addresses = false, signedOut = () => {} }) {
  const ending = new AbortController();
  const { signal } = ending;
  const t = createWords(LANG, texts);
  adoptStyles();
  const root = document.createElement("div");
  root.className = "chat console";
  root.lang = LANG;
  const content = document.createElement("div");
  content.className = "console-content";
  root.append(content);
  element.append(root);
  const notices = createNotices(root, t);

  const desk = createDesk({
    url,
    token,
    me: personOf(token, role),
    addresses,
    t,
    tell: notices.tell,
    say: notices.say,
    signedOut(why) {
      destroy();
      signedOut(why);
    },
  });
  /** @type {Parts["composer"]} */
  const composer = { current: null };
  const base = addresses ? "" : `${url}/console`;
  /** @type {Parts} */
  const parts = {
    desk,
    ui: createConsoleUi({ desk, root, composer, adopt }),
    composer,
    root,
    list: { current: null },
    address: (route) => base + addressOf(route),
    link: (session) => base + addressOf({ view: desk.route.view, session, details: false }),
  };
  const title = document.title;

  function update() {
    const hadFocus = content.contains(document.activeElement);
    render(shell(parts, addresses), content);
    if (hadFocus) keepFocus();
    if (addresses) document.title = desk.unread > 0 ? `(${desk.unread}) ${t("title")}` : t("title");
  }

  /** What had the focus is gone, or is covered on a narrow screen: what has come in its place takes it. */
  function keepFocus() {
    const { activeElement } = document;
    if (activeElement && activeElement !== document.body && activeElement.checkVisibility()) return;
    for (const place of PLACES) {
      const found = /** @type {HTMLElement | null} */ (root.querySelector(place));
      if (found?.checkVisibility()) return found.focus({ preventScroll: true });
    }
  }

  const ends = [desk.subscribe(update), startNotifications(desk, t)];
  startShortcuts(parts, addresses, signal);
  update();

  function destroy() {
    if (signal.aborted) return;
    ending.abort();
    for (const end of ends) end();
    desk.destroy();
    render(null, content);
    for (const dialog of root.querySelectorAll("dialog")) dialog.close();
    notices.remove();
    root.remove();
    if (addresses) document.title = title;
  }

  return { desk, destroy };
}
