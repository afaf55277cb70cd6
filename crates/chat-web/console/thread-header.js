/** The header of a thread: whose it is, in which state, and what can be done with it. */

import { h } from "preact";

import { avatar } from "../ui/avatar.js";
import { icon } from "../ui/icons.js";
import { openClose, openTransfer } from "./actions.js";

/** @import { ChatSession } from "../client/index.js" */
/** @import { Parts } from "./types.js" */

/** @param {Parts} parts @param {ChatSession | null} about the session, once something is known of it */
export function threadHeader(parts, about) {
  const { desk, ui } = parts;
  const { t } = ui;
  const { details } = desk.settings.value;
  const rights = about && desk.rightsOn(about);
  const name = about && (about.user?.name ?? desk.nameOf(about.userId));
  /** @param {string} text @param {(parts: Parts, id: string) => void} open */
  const action = (text, open) =>
    about &&
    h(
      "button",
      // Disabled, it would lose the focus.
      { class: "thread-action", "aria-disabled": desk.isBusy(about.id), onClick: () => !desk.isBusy(about.id) && open(parts, about.id) },
      text,
    );
  const back = { class: "button thread-back", "aria-label": t("back"), title: t("back") };
  return h(
    "header",
    { class: "thread-header" },
    h("button", { ...back, onClick: () => desk.back({ session: null }) }, icon("back")),
    about && avatar(about.user ?? { id: about.userId }, ui.avatars),
    h(
      "div",
      { class: "thread-titles" },
      h("h2", { class: "thread-name" }, name ? h("bdi", null, name) : t("session")),
      h(
        "p",
        { class: "thread-about" },
        about && h("span", { class: `thread-state ${stateOf(about)}` }, stateText(parts, about)),
        about?.subject && h("bdi", { class: "thread-subject" }, about.subject),
      ),
    ),
    h(
      "div",
      { class: "thread-actions" },
      rights?.assign && action(t("assign"), openTransfer),
      rights?.transfer && action(t("transfer"), openTransfer),
      rights?.close && action(t("close"), openClose),
      // On a narrow screen the details are a page of their own, and on a wide one a column that may be hidden.
      h("button", { class: "thread-action narrow-only", onClick: () => desk.go({ details: true }) }, t("details")),
      h(
        "button",
        {
          class: "thread-action wide-only",
          "aria-pressed": details,
          onClick: () => desk.settings.set({ details: !details }),
        },
        t("details"),
      ),
    ),
  );
}

/** @param {ChatSession} session */
const stateOf = ({ status, agentId }) => (status === "closed" ? "ended" : agentId === null ? "waits" : "assigned");

/** @param {Parts} parts @param {ChatSession} session */
function stateText({ desk, ui: { t } }, session) {
  const { agentId, agent } = session;
  const state = stateOf(session);
  if (state !== "assigned") return t(state === "ended" ? "stateClosed" : "stateWaiting");
  return agentId === desk.me.id ? t("stateYours") : t("stateOf", { name: agent?.name ?? desk.nameOf(agentId) });
}
