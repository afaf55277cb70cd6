/** What the pieces of a thread are given: texts, times, files, and what an agent may do with a message. */

import { Component, createRef, h, render } from "preact";

import { asFile, createFiles, save } from "../ui/files.js";
import { icon } from "../ui/icons.js";
import { openLightbox } from "../ui/lightbox.js";
import { createTimes } from "../ui/time.js";
import { createWords } from "../ui/words.js";
import canned from "./canned.css";
import customer from "./customer.css";
import texts from "./texts.js";
import thread from "./thread.css";

/** @import { AnyFile, Ui } from "../ui/ui.js" */
/** @import { ConsoleUi, Desk, Parts } from "./types.js" */

const LANG = "en";

/**
 * @param {object} options
 * @param {Desk} options.desk
 * @param {HTMLElement} options.root where dialogs are put
 * @param {Parts["composer"]} options.composer
 * @param {(styles: string) => void} options.adopt adds a style sheet to the page
 * @returns {ConsoleUi}
 */
export function createConsoleUi({ desk, root, composer, adopt }) {
  const t = createWords(LANG, texts);
  let hasPictures = false;
  mayLoadPictures().then(
    (may) => void (hasPictures = may),
    () => {},
  );

  /** The session of the thread whose messages are clicked. */
  const open = () => (desk.route.session === null ? null : desk.session(desk.route.session));
  /** @param {string} key of a message in the outbox */
  const outgoing = (key) => open()?.outgoing(key) ?? null;

  /** @type {ConsoleUi} */
  const ui = {
    lang: LANG,
    t,
    times: createTimes(LANG, t),
    get avatars() {
      return hasPictures;
    },
    files: () => files,
    withFiles: (run) => run(files),
    download: (file, thumbnail) => desk.client.download(file, { thumbnail }),
    async save(file) {
      try {
        save(file.id === null ? file.file : await ui.download(file, false), file.name);
      } catch {
        desk.tell(t("downloadFailed", { name: file.name }), "assertive");
      }
    },
    view(file) {
      const all = open()?.view.messages.flatMap(({ attachments = [] }) => /** @type {AnyFile[]} */ (attachments)) ?? [];
      openLightbox(
        (name, to) => render(icon(name), to),
        /** @type {Ui} */ (ui),
        root,
        all.filter((other) => files.isPicture(other)),
        file,
      );
    },
    retry: ({ key }) => outgoing(key)?.retry(),
    remove: ({ key }) => outgoing(key)?.cancel(),
    edit(entry) {
      const { current } = composer;
      // The session has ended, or is another agent's now. The text stays where it can be read and copied.
      if (!current) return desk.tell(t("editClosed"), "assertive");
      current.take(entry.content, (entry.attachments ?? []).flatMap(asFile), () => ui.remove(entry));
    },
  };
  const files = createFiles({ Component, createRef, h }, icon, /** @type {Ui} */ (ui));
  for (const styles of [thread, files.styles, canned, customer]) adopt(styles);

  // A browser opens a file that is dropped where nothing takes it, and the page would be gone.
  for (const name of /** @type {const} */ (["dragover", "drop"])) {
    root.addEventListener(name, (event) => {
      const { dataTransfer, defaultPrevented } = event;
      if (defaultPrevented || !dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      dataTransfer.dropEffect = "none";
    });
  }
  return ui;
}

/** Whether the operator has named origins for pictures of people: the policy of this page has them then. */
async function mayLoadPictures() {
  const { headers } = await fetch(location.pathname, { method: "HEAD" });
  const [, sources = ""] = /(?:^|;)\s*img-src ([^;]*)/.exec(headers.get("Content-Security-Policy") ?? "") ?? [];
  return sources.split(" ").some((source) => source.startsWith("https:") && source !== location.origin);
}
