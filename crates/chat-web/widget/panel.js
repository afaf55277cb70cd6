/** The file `panel.js`: the dialog of the widget. The loader imports it when it is needed for the first time. */

import { Component, createRef, h, render } from "preact";

import { createAnnouncer } from "../ui/announcer.js";
import { icon } from "../ui/icons.js";
import { createTimes } from "../ui/time.js";
import { createWords } from "../ui/words.js";
import { app } from "./app.js";
import { lazy } from "./lazy.js";
import { Model } from "./model.js";
import styles from "./panel.css";

/** @import { Entry } from "../client/index.js" */
/** @import { AnyFile, Ui } from "../ui/ui.js" */
/** @import { Panel, Shell } from "./types.js" */

/** More messages at once are announced as a number. */
const SPOKEN = 3;

/** @param {Shell} shell @param {import("./texts/en.js").Texts} texts @returns {Panel} */
export function start(shell, texts) {
  const { root, frame, launcher, badge, lang, avatars } = shell;
  const t = createWords(lang, texts);
  const ending = new AbortController();
  const { signal } = ending;
  let isOpen = false;
  let isAtEnd = true;
  let takesFocus = false;

  /** @param {string} text */
  function adopt(text) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    root.adoptedStyleSheets.push(sheet);
  }

  adopt(styles);
  const announcer = createAnnouncer(frame);
  const panel = document.createElement("section");
  panel.className = "panel";
  panel.hidden = true;
  panel.tabIndex = -1;
  panel.role = "dialog";
  panel.ariaLabel = t("title");
  panel.part = "panel";
  // Before the button in the order of the keyboard, as it is on the screen.
  frame.insertBefore(panel, launcher);

  const small = matchMedia("(max-width: 640px)");
  /** On a phone alone. @type {import("./modal.js").Modal | undefined} */
  let modal;
  async function needModal() {
    if (!small.matches || modal) return;
    const { Modal } = await lazy("modal", import("./modal.js"));
    modal ??= new Modal(panel, small, signal);
    modal.set(isOpen && !signal.aborted);
  }
  // Without it the page behind the panel can be reached, which is better than no chat.
  const adapt = () => void needModal().catch(() => {});
  small.addEventListener("change", adapt, { signal });
  adapt();

  const model = new Model(shell, { changed, arrived, cleared });

  /** @type {import("../ui/files.js").Files | null} */
  let files = null;
  let isFilesFailed = false;
  const filesModule = () => lazy("files", import("../ui/files.js"));

  /** Says why something did not work, where it is seen if there is such a place. */
  function complain(text = shell.failedText) {
    const { current } = parts.composer;
    if (current) current.setState({ refused: [text] });
    else announcer.say(text);
  }

  /** Puts the files of a message that is edited into the next composer. @type {(() => void) | null} */
  let carry = null;

  /** @type {Ui} */
  const ui = {
    lang,
    t,
    times: createTimes(lang, t),
    avatars,
    files() {
      if (!files && !isFilesFailed) ui.withFiles(() => {});
      return files;
    },
    withFiles: async (run) => {
      try {
        const { createFiles } = await filesModule();
        if (!files) {
          files = createFiles({ Component, createRef, h }, icon, ui);
          adopt(files.styles);
        }
      } catch {
        isFilesFailed = true;
        // Messages with files ask again, and not at each picture of the screen.
        setTimeout(() => {
          isFilesFailed = false;
          changed();
        }, 30_000);
        return complain();
      }
      run(files);
      changed();
    },
    download: async (file, thumbnail) => {
      if (!model.client) throw new Error("signed out");
      return model.client.download(file, { thumbnail });
    },
    save: async (file) => {
      try {
        const { save } = await filesModule();
        save(file.id === null ? file.file : await ui.download(file, false), file.name);
      } catch {
        complain(t("downloadFailed", { name: file.name }));
      }
    },
    view: async (file) => {
      try {
        const { openLightbox } = await lazy("lightbox", import("../ui/lightbox.js"));
        const all = model.chat?.messages.flatMap(({ attachments = [] }) => /** @type {AnyFile[]} */ (attachments));
        // Signed out meanwhile.
        if (!all) return;
        openLightbox(
          (name, to) => render(icon(name), to),
          ui,
          frame,
          all.filter((other) => files?.isPicture(other)),
          file,
        );
      } catch {
        complain();
      }
    },
    retry: ({ key }) => model.session?.outgoing(key)?.retry(),
    remove: ({ key }) => model.session?.outgoing(key)?.cancel(),
    edit: async (entry) => {
      const { content, attachments = [] } = entry;
      try {
        const taken = attachments.length ? attachments.flatMap((await filesModule()).asFile) : [];
        const { current } = parts.composer;
        if (current) return current.take(content, taken, () => ui.remove(entry));
        // The session has ended: it becomes the first message of another one. Its files are not lost before that begins.
        model.draft("first", [content, model.draft("first")].filter(Boolean).join("\n"));
        if (taken.length) {
          carry = () => {
            parts.composer.current?.add(taken);
            ui.remove(entry);
          };
        } else ui.remove(entry);
        model.startNew();
      } catch {
        complain();
      }
    },
  };
  /** @type {import("./app.js").Parts} */
  const parts = { ui, model, close: shell.close, moved, composer: { current: null } };

  let isDue = false;

  const updateSoon = () => void setTimeout(update);

  /** What changes between two pictures of the screen is shown once: a replay is hundreds of changes. */
  function changed() {
    // A page that is hidden draws nothing, and has no next picture. Behind a picture and not before it, the update is a task of
    // its own, and the browser lays out and paints in another one: none takes long on a slow machine.
    if (!isDue) document.hidden ? updateSoon() : requestAnimationFrame(updateSoon);
    isDue = true;
  }

  function update() {
    isDue = false;
    if (signal.aborted) return;
    const hadFocus = panel.matches(":focus-within");
    render(app(parts), panel);
    if (carry && parts.composer.current) {
      carry();
      carry = null;
    }
    const { unread } = model;
    badge.textContent = unread > 0 ? String(Math.min(unread, 99)) : "";
    launcher.ariaLabel = unread > 0 ? t("unread", { n: unread }) : t("title");
    read();
    // Of a view that is gone, the one in its place takes the focus.
    if (hadFocus && !panel.matches(":focus-within")) takesFocus = true;
    // Behind the layout of the view, which it would have to wait for.
    if (takesFocus && isOpen) setTimeout(focusFirst);
  }

  /** @param {boolean} now */
  function moved(now) {
    isAtEnd = now;
    read();
  }

  /** What stands in front of the eyes of a person is read. */
  const isSeen = () => isOpen && isAtEnd && document.visibilityState === "visible" && document.hasFocus();

  function read() {
    if (isSeen() && model.view === "chat" && model.chat?.unread) model.session?.read();
  }

  /** What has come since the last turn: after a time without a connection it is many messages. @type {Entry[]} */
  let news = [];

  /** @param {Entry} entry */
  function arrived(entry) {
    shell.emit("message", entry);
    if (entry.own) return;
    if (news.push(entry) === 1) queueMicrotask(tell);
  }

  function tell() {
    const entries = news;
    news = [];
    const last = entries[entries.length - 1];
    if (!isSeen() && last)
      import("../ui/sound.js").then(
        ({ sound }) => sound(last.key),
        () => {},
      );
    if (entries.length > SPOKEN) return announcer.say(t("newMessages", { n: entries.length }));
    for (const { author, content, attachments = [] } of entries) {
      const text = content || attachments.map((file) => file.name).join(", ");
      announcer.say(t("saidBy", { name: author?.name ?? author?.id ?? t("support"), text }));
    }
  }

  /** Nothing of a person who has signed out stays, in any tab. */
  function cleared() {
    announcer.clear();
    frame.querySelector("dialog")?.close();
    news = [];
    carry = null;
  }

  /** What one does first in a view; while it loads, the panel. What a person has gone to meanwhile stays. */
  function focusFirst() {
    if (!takesFocus || !isOpen) return;
    const isFree = !panel.matches(":focus-within") || panel.matches(":focus");
    const first = /** @type {HTMLElement | null} */ (panel.querySelector(".focus-first, .composer textarea"));
    if (isFree) (first ?? panel).focus();
    takesFocus = isFree && !first;
  }

  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
    event.preventDefault();
    shell.close();
  });
  for (const name of ["focus", "visibilitychange"]) {
    addEventListener(name, read, { signal, capture: true });
  }
  // A page with a socket does not come into the back/forward cache, so it is left at the door.
  addEventListener("pagehide", ({ persisted }) => persisted && model.stop(), { signal });
  addEventListener("pageshow", ({ persisted }) => persisted && model.resume(), { signal });

  return {
    identify: (identity) => model.identify(identity),
    show(value, focus = false) {
      const hadFocus = panel.contains(root.activeElement);
      isOpen = value;
      panel.hidden = !value;
      modal?.set(value);
      if (!value) return void (hadFocus && launcher.focus());
      takesFocus = focus;
      update();
    },
    restored: () => model.restored(),
    logout: () => model.logout(),
    stop() {
      ending.abort();
      modal?.set(false);
      model.stop();
      render(null, panel);
      panel.remove();
      announcer.remove();
    },
  };
}
