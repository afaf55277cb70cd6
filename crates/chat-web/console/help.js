/** The dialog with the shortcuts, what one may choose, and the way out. */

import { h } from "preact";

import { signOut } from "./actions.js";
import { openDialog } from "./dialog.js";
import { allowNotifications, hasNotifications } from "./notifications.js";

/** @import { Parts, Settings } from "./types.js" */

/** The keys as they are shown in the help, with what they do. */
export const SHORTCUTS = /** @type {const} */ ([
  ["j", "keyNext"],
  ["k", "keyPrevious"],
  ["↓ ↑", "keyArrows"],
  ["Enter", "keyOpen"],
  ["c", "keyClaim"],
  ["t", "keyTransfer"],
  ["e", "keyClose"],
  ["Esc", "keyLeave"],
  ["/", "keyFilter"],
  ["?", "keyHelp"],
]);

/** @param {Parts} parts */
export function openHelp(parts) {
  const { desk, root, ui } = parts;
  const { t } = ui;
  if (root.querySelector("dialog[open]")) return;
  let isRefused = false;

  /** What was chosen, if the browser still lets us. @param {keyof Settings} name */
  const isChosen = (name) => desk.settings.value[name] && (name !== "notifications" || Notification.permission === "granted");

  /** @param {keyof Settings} name @param {string} label @param {string} more @param {(isOn: boolean) => void} [change] */
  const choice = (name, label, more, change = (isOn) => desk.settings.set({ [name]: isOn })) =>
    h(
      "label",
      { class: "switch" },
      h("input", {
        type: "checkbox",
        role: "switch",
        checked: isChosen(name),
        onChange: (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget: box }) => change(box.checked),
      }),
      h("span", { class: "switch-label" }, label, h("small", null, more)),
    );

  /** @param {boolean} isOn */
  async function notify(isOn) {
    if (!isOn) return desk.settings.set({ notifications: false });
    isRefused = !(await allowNotifications(desk));
    dialog.update();
  }

  const dialog = openDialog(root, {
    title: t("help"),
    kind: "help",
    closed: desk.subscribe(() => dialog.update()),
    body: () => [
      h("h3", null, t("shortcuts")),
      h(
        "dl",
        { class: desk.settings.value.shortcuts ? "keys" : "keys is-off" },
        SHORTCUTS.map(([key, text]) => h("div", { key }, h("dt", null, h("kbd", null, key)), h("dd", null, t(text)))),
      ),
      choice("shortcuts", t("shortcutsOn"), t("shortcutsMore")),
      h("h3", null, t("notices")),
      hasNotifications() &&
        choice(
          "notifications",
          t("notificationsOn"),
          t(isRefused ? "notificationsRefused" : "notificationsMore"),
          (isOn) => void notify(isOn),
        ),
      choice("sound", t("soundOn"), t("soundMore")),
      h(
        "div",
        { class: "sheet-actions" },
        h("p", { class: "signed-in" }, t("signedInAs", { name: desk.nameOf(desk.me.id) })),
        h(
          "button",
          {
            class: "secondary",
            onClick() {
              dialog.close();
              // When the closed dialog is gone, so that another one can ask.
              setTimeout(() => signOut(parts));
            },
          },
          t("signOut"),
        ),
        h("button", { class: "primary focus-first", onClick: () => dialog.close() }, t("done")),
      ),
    ],
  });
}
