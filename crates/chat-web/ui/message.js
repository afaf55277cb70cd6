/** A message of the log, with its state in words, its files, and what can be done when it was not sent. */

import { Component, h } from "preact";

import { avatar } from "./avatar.js";
import { icon } from "./icons.js";
import { linkify } from "./linkify.js";

/** @import { Entry } from "../client/index.js" */
/** @import { Ui } from "./ui.js" */

/**
 * @typedef {object} MessageProps
 * @property {Ui} ui
 * @property {Entry} entry
 * @property {boolean} isFirst of a group of one author
 * @property {boolean} isLast
 * @property {boolean} isNewest of one's own, whose state is visible
 * @property {string} day the name of the day that begins with it, else empty
 * @property {boolean} hasFiles whether the part that shows files is loaded
 */

/** @extends {Component<MessageProps>} */
export class Message extends Component {
  /** An entry is a new object when it changes. @param {MessageProps} next @returns {boolean} */
  shouldComponentUpdate(next) {
    return Object.entries(next).some(([name, value]) => value !== this.props[/** @type {keyof MessageProps} */ (name)]);
  }

  /** @param {MessageProps} props */
  render({ ui, entry, isFirst, isLast, isNewest, day }) {
    const { own, author, content, attachments, delivery } = entry;
    const name = own ? ui.t("you") : (author?.name ?? author?.id ?? ui.t("support"));
    const isFailed = delivery === "failed";
    const kinds = ["message", own ? "own" : "foreign", isFirst && "first", isLast && "last", isFailed && "failed"];
    return h(
      "li",
      { class: kinds.filter(Boolean).join(" ") },
      day && h("p", { class: "day" }, day),
      !own && isLast && avatar(author, ui.avatars),
      h(
        "div",
        { class: "stack" },
        h("span", { class: own || !isFirst ? "unseen" : "author", part: "author" }, h("bdi", null, name)),
        content &&
          h(
            "p",
            { class: "bubble", part: `bubble bubble-${own ? "own" : "foreign"}` },
            linkify(content).map((part) =>
              typeof part === "string"
                ? part
                : h("a", { href: part.href, target: "_blank", rel: "noopener noreferrer" }, part.text),
            ),
          ),
        attachments && ui.files()?.list(attachments),
        delivery === "uploading" &&
          h(
            "div",
            { class: "progress" },
            h("progress", { "aria-label": ui.t("uploading"), max: 1, value: entry.progress ?? 0 }),
            // What was written is not lost with it.
            link(ui.t("cancel"), () => ui.edit(entry)),
          ),
        meta(ui, entry, isLast, isNewest),
      ),
    );
  }
}

/** @param {string} text @param {() => void} onClick */
const link = (text, onClick) => h("button", { class: "link", onClick }, text);

/** Readers find the time and the state at each message; the eye only where they help. */
const SHOWN = ["queued", "sending", "uploading", "failed"];

/** @param {Ui} ui @param {Entry} entry @param {boolean} isLast @param {boolean} isNewest */
function meta({ t, times, retry, edit, remove }, entry, isLast, isNewest) {
  const { own, delivery, timestamp } = entry;
  const time = h("time", { datetime: timestamp }, times.clock(timestamp));
  const isShown = SHOWN.includes(delivery);
  if (!own) return h("p", { class: isLast ? "meta" : "unseen" }, time);
  const word = t(delivery === "uploading" ? "sending" : delivery === "failed" ? "failedState" : delivery);
  // Another word is another element at the beginning of the line, so that nothing moves when it is shorter.
  const state = h("span", { key: word, class: isNewest || isShown ? "state" : "unseen" }, word);
  if (delivery !== "failed") return h("p", { class: isLast || isShown ? "meta" : "unseen" }, state, time);
  return h(
    "div",
    { class: "meta" },
    h("p", { class: "reason" }, icon("warning"), h("span", null, state, " ", t(reason(entry)))),
    h(
      "p",
      { class: "actions" },
      link(t("retry"), () => retry(entry)),
      link(t("edit"), () => edit(entry)),
      link(t("delete"), () => remove(entry)),
    ),
  );
}

/** Why a message was refused, in the words of the person who reads it. @param {Entry} entry */
function reason({ content, error }) {
  if (error?.code === "SESSION_CLOSED") return "becauseClosed";
  if (error?.status === 403) return "becauseForbidden";
  if (error?.status !== 400) return "becauseUnknown";
  return [...content].length > 10_000 ? "becauseLong" : "becauseInvalid";
}
