/** What is in the panel: its header, a view, and what is said about the connection. */

import { h } from "preact";

import { avatar } from "../ui/avatar.js";
import { Composer } from "../ui/composer.js";
import { icon } from "../ui/icons.js";
import { Log } from "../ui/log.js";
import { form } from "./form.js";

/** @import { Ui } from "../ui/ui.js" */
/** @import { Model } from "./model.js" */

/**
 * @typedef {object} Parts
 * @property {Ui} ui
 * @property {Model} model
 * @property {() => void} close
 * @property {(isAtEnd: boolean) => void} moved
 * @property {{ current: Composer | null }} composer while there is one
 */

/** @param {Parts} parts */
export const app = (parts) => [header(parts), view(parts)];

/** @param {import("../ui/icons.js").IconName} name @param {string} label @param {() => void} onClick */
const button = (name, label, onClick) =>
  h("button", { class: "button", "aria-label": label, title: label, onClick }, icon(name));

/** @param {string} text @param {() => void} onClick */
const primary = (text, onClick) => h("button", { class: "primary focus-first", onClick }, text);

/** @param {Parts} parts */
function header({ ui: { t, avatars }, model, close }) {
  const { view, chat, back } = model;
  const session = view === "chat" ? chat?.session : null;
  const agent = session?.agent;
  const name = agent?.name ?? agent?.id;
  const support = t("support");
  // Always two lines and a picture, so that nothing moves when an agent comes.
  const about =
    session?.status === "closed"
      ? t("ended")
      : session && !agent
        ? t("waitingAgent")
        : (session?.subject ?? t("greetingMore"));
  return h(
    "header",
    { class: "header", part: "header" },
    back && button("back", t("back"), () => model.goBack()),
    view !== "earlier" && avatar(agent ?? { id: "", name: support }, avatars),
    h(
      "div",
      { class: "titles" },
      h("h2", { class: "title" }, h("bdi", null, view === "earlier" ? t("earlier") : (name ?? support))),
      view !== "earlier" && h("p", { class: "subtitle" }, h("bdi", null, about)),
    ),
    model.client && !back && view !== "loading" && button("history", t("earlier"), () => model.showEarlier()),
    button("close", t("closePanel"), close),
  );
}

/** @param {Parts} parts */
function view(parts) {
  const { model } = parts;
  const { t } = parts.ui;
  switch (model.view) {
    case "form":
      return form(parts);
    case "earlier":
      return model.drawEarlier?.(h, icon, parts);
    case "chat":
      return chat(parts);
    case "loading":
      return h("p", { class: "notice late" }, t("loading"));
    case "failed":
      return h(
        "div",
        { class: "notice" },
        h("p", null, t("failed")),
        primary(t("retry"), () => model.find()),
      );
    default:
      return h(
        "div",
        { class: "notice" },
        h("p", null, t("signedOut")),
        model.client && primary(t("signInAgain"), () => model.find()),
      );
  }
}

/** @param {Parts} parts */
function chat(parts) {
  const { ui, model, moved } = parts;
  const { t } = ui;
  const { chat, session } = model;
  if (!chat || !session) return null;
  const { messages, hasOlder } = chat;
  const isClosed = chat.session?.status === "closed";
  return h(
    "div",
    {
      key: session.id,
      class: "chat-view",
      "data-drop": t("dropHere"),
      onDragOver(event) {
        if (isClosed || !event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        dragging(event, true);
      },
      onDragLeave: (event) => dragging(event, false),
      onDrop(event) {
        if (!event.dataTransfer?.files.length) return;
        event.preventDefault();
        dragging(event, false);
        parts.composer.current?.add(event.dataTransfer.files);
      },
    },
    connection(parts),
    messages.length
      ? h(Log, { ui, entries: messages, hasOlder, older: session.older, moved })
      : chat.session
        ? h("div", { class: "notice" }, !isClosed && [h("p", { class: "big" }, chat.session.subject ?? t("helloEmpty")), h("p", null, t("emptyMore"))])
        : h("p", { class: "notice late" }, t("loading")),
    isClosed
      ? h(
          "div",
          { class: "over" },
          h("p", null, t("sessionEnded")),
          primary(t("startNew"), () => model.startNew()),
        )
      : [
          typing(parts),
          h(Composer, {
            handle: parts.composer,
            ui,
            draft: model.draft(session.id),
            changed(text) {
              model.draft(session.id, text);
              session.typing(text !== "");
            },
            send(text, files) {
              session.send(text, { files });
              model.draft(session.id, "");
            },
          }),
        ],
  );
}

/** The panel shows where files may be dropped. @param {DragEvent} event @param {boolean} isOver */
function dragging({ currentTarget, relatedTarget }, isOver) {
  const box = /** @type {Element} */ (currentTarget);
  if (isOver || !box.contains(/** @type {Node | null} */ (relatedTarget))) box.classList.toggle("dropping", isOver);
}

/** Who types. The line is always there, so that nothing moves. @param {Parts} parts */
function typing({ ui, model: { chat } }) {
  const id = chat?.typing[0];
  const agent = chat?.session?.agent;
  const name = (agent?.id === id && agent?.name) || id || "";
  const dots = h("span", { class: "dots", "aria-hidden": true }, h("i", null), h("i", null), h("i", null));
  return h("p", { class: "typing" }, id && [dots, ui.t("typing", { name })]);
}

/** Whether what is written arrives. It lies over the messages, so that nothing moves. @param {Parts} parts */
function connection({ ui: { t }, model: { chat, session } }) {
  const state = chat?.state ?? "idle";
  const isSignedOut = chat?.error?.code === "AUTH";
  const isStopped = state === "stopped";
  // The first time, the view itself says that it loads.
  const isCalm = state === "live" || state === "idle" || (state === "connecting" && !chat?.session);
  const text = isSignedOut ? "signInMore" : isStopped ? "failed" : navigator.onLine ? "reconnecting" : "offline";
  const action = isSignedOut ? "signInAgain" : "now";
  const content = [
    h("p", null, t(text)),
    (isSignedOut || !isStopped) && h("button", { class: "link", onClick: () => session?.retryNow() }, t(action)),
  ];
  return h("div", { class: "connection", role: "status" }, (isSignedOut || !isCalm) && content);
}
