/** A message of the log, with its state in words, its files, and what can be done when it was not sent. */

import { Component } from "preact"

import { Avatar } from "./avatar.js"
import { isPicture, size } from "./files.js"
import { html } from "./html.js"
import { Icon } from "./icons.js"
import { linkify } from "./linkify.js"
import { Picture } from "./picture.js"

/** @import { Entry } from "../client/index.js" */
/** @import { AnyFile, Ui } from "./ui.js" */

/**
 * @typedef {object} MessageProps
 * @property {Ui} ui
 * @property {Entry} entry
 * @property {boolean} isFirst of a group of one author
 * @property {boolean} isLast
 * @property {boolean} isNewest of one's own, whose state is visible
 * @property {string} day the name of the day that begins with it, else empty
 */

/** @extends {Component<MessageProps>} */
export class Message extends Component {
  /** An entry is a new object when it changes. @param {MessageProps} next */
  shouldComponentUpdate(next) {
    const now = this.props
    return (
      next.entry !== now.entry ||
      next.isFirst !== now.isFirst ||
      next.isLast !== now.isLast ||
      next.isNewest !== now.isNewest ||
      next.day !== now.day
    )
  }

  render() {
    const { ui, entry, isFirst, isLast, isNewest, day } = this.props
    const { own, author, content, attachments = [] } = entry
    const failed = entry.delivery === "failed"
    const pictures = attachments.filter(isPicture)
    const others = attachments.filter((file) => !isPicture(file))
    const name = own ? ui.t("you") : (author?.name ?? author?.id ?? ui.t("support"))
    return html`<li class=${`message ${own ? "own" : "foreign"}${isFirst ? " first" : ""}${isLast ? " last" : ""}${failed ? " failed" : ""}`}>
      ${day && html`<p class="day">${day}</p>`}
      ${!own && isLast && html`<${Avatar} person=${author} picture=${ui.avatars} />`}
      <div class="stack">
        <span class=${own || !isFirst ? "unseen" : "author"} part="author"><bdi>${name}</bdi></span>
        ${content &&
        html`<p class="bubble" part=${`bubble bubble-${own ? "own" : "foreign"}`} dir="auto">
          ${linkify(content).map((part) =>
            typeof part === "string"
              ? part
              : html`<a href=${part.href} target="_blank" rel="noopener noreferrer">${part.text}</a>`,
          )}
        </p>`}
        ${pictures.length > 0 &&
        html`<div class=${`pictures${pictures.length > 1 ? " several" : ""}`}>
          ${pictures.map((file, at) => html`<${Picture} key=${at} ui=${ui} file=${file} open=${(/** @type {{ currentTarget: HTMLElement }} */ event) => ui.view(file, event.currentTarget)} />`)}
        </div>`}
        ${others.map((file) => html`<${File} ui=${ui} file=${file} />`)}
        ${entry.delivery === "uploading" &&
        html`<div class="progress">
          <progress aria-label=${ui.t("uploading")} max="1" value=${entry.progress ?? 0} />
          <button type="button" class="link" onClick=${() => ui.remove(entry)}>${ui.t("cancel")}</button>
        </div>`}
        <${Meta} ui=${ui} entry=${entry} isVisible=${isLast || failed} isNewest=${isNewest} />
      </div>
    </li>`
  }
}

/** @param {{ ui: Ui, file: AnyFile }} props */
const File = ({ ui, file }) =>
  html`<button type="button" class="file" part="file" onClick=${() => ui.save(file)}>
    <${Icon} name="file" />
    <span class="label"><bdi>${file.name}</bdi><small>${size(ui.lang, file.size)}</small></span>
    <span class="unseen">${ui.t("download")}</span><${Icon} name="download" />
  </button>`

/** The time and the state. Readers find them at each message; the eye only where they help. */
const SHOWN = new Set(["queued", "sending", "uploading", "failed"])

/** @param {{ ui: Ui, entry: Entry, isVisible: boolean, isNewest: boolean }} props */
function Meta({ ui, entry, isVisible, isNewest }) {
  const { own, delivery, timestamp } = entry
  const time = html`<time datetime=${timestamp} title=${ui.times.full(timestamp)}>${ui.times.clock(timestamp)}</time>`
  if (!own) return html`<p class=${isVisible ? "meta" : "unseen"}>${time}</p>`
  const state = html`<span class=${isNewest || SHOWN.has(delivery) ? "state" : "unseen"}>${ui.t(STATES[delivery])}</span>`
  if (delivery !== "failed") return html`<p class=${isVisible || SHOWN.has(delivery) ? "meta" : "unseen"}>${time}${state}</p>`
  return html`<div class="meta">
    <p class="reason"><${Icon} name="warning" /><span>${state}${" "}${ui.t(reason(entry))}</span></p>
    <p class="actions">
      <button type="button" class="link" onClick=${() => ui.retry(entry)}>${ui.t("retry")}</button>
      <button type="button" class="link" onClick=${() => ui.edit(entry)}>${ui.t("edit")}</button>
      <button type="button" class="link" onClick=${() => ui.remove(entry)}>${ui.t("delete")}</button>
    </p>
  </div>`
}

/** @type {Record<Entry["delivery"], "queued" | "sending" | "sent" | "delivered" | "read" | "failedState">} */
const STATES = {
  queued: "queued",
  uploading: "sending",
  sending: "sending",
  sent: "sent",
  delivered: "delivered",
  read: "read",
  failed: "failedState",
}

/** Why a message was refused, in the words of the person who reads it. @param {Entry} entry */
function reason({ error }) {
  if (error?.code === "SESSION_CLOSED") return "becauseClosed"
  if (error?.status === 403) return "becauseForbidden"
  if (error?.status === 400) return "becauseInvalid"
  return "becauseUnknown"
}
