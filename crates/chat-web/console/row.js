/** A session in a list: what it is about, who wrote last, and how long it waits. */

import { Component, createRef, h } from "preact";

import { avatar } from "../ui/avatar.js";
import { icon as common } from "../ui/icons.js";
import { icon } from "./icons.js";

/** @import { InboxItem } from "../client/index.js" */
/** @import { ListName, Parts } from "./types.js" */

/** A session that waits longer is marked. */
const LONG_WAIT_MS = 2 * 60_000;
/** So many tags are shown; the details have all. */
const TAGS = 2;

/**
 * Everything that a row shows, as values that are compared: a list of thousands draws those rows that have changed.
 *
 * @typedef {object} RowProps
 * @property {Parts} parts
 * @property {InboxItem} item
 * @property {ListName} list
 * @property {boolean} isGone it has left the list, and stays where it is while the person points at it
 * @property {boolean} isOpen
 * @property {boolean} isTabStop
 * @property {boolean} isBusy
 * @property {number} unread
 * @property {string} draft how it begins
 * @property {boolean} hasFailed whether a message in it was not sent
 * @property {boolean} isTyping whether another person types in it
 * @property {string} names whom it shows: they are learnt later than sessions
 * @property {string} today the day on which times are shown as such
 */

/** @extends {Component<RowProps>} */
export class Row extends Component {
  /** @param {RowProps} next @returns {boolean} */
  shouldComponentUpdate(next) {
    for (const name in next) {
      if (next[/** @type {keyof RowProps} */ (name)] !== this.props[/** @type {keyof RowProps} */ (name)]) return true;
    }
    return false;
  }

  /** @param {RowProps} props */
  render({ parts, item, list, isGone, isOpen, isTabStop, isBusy, unread }) {
    const { desk, ui } = parts;
    const { t } = ui;
    const { id, subject, user, userId, priority, tags } = item;
    const name = user?.name ?? desk.nameOf(userId);
    const rights = desk.rightsOn(item);
    const canTake = !isGone && (rights.claim || rights.assign);
    const titleId = `row-${id}`;
    const kinds = [
      "session-row",
      isGone && "is-gone",
      isOpen && "is-open",
      unread > 0 && "is-unread",
      canTake && "has-action",
    ];
    const agent = item.agentId === null || item.agentId === desk.me.id ? null : desk.nameOf(item.agentId);
    const small = (/** @type {string} */ kind, /** @type {import("preact").ComponentChildren} */ content) => [
      " ",
      h("span", { class: kind }, content),
    ];
    const isLate = list === "waiting" || item.agentId === null ? item.waitingSince : null;
    return h(
      "li",
      { class: kinds.filter(Boolean).join(" "), "data-session": id },
      h(
        "a",
        {
          class: "session-link",
          href: parts.link(id),
          tabIndex: isTabStop ? 0 : -1,
          "aria-current": isOpen ? "true" : null,
        },
        avatar(user ?? { id: userId, name }, ui.avatars),
        h(
          "span",
          { class: "row-line" },
          h("span", { class: "row-title", id: titleId, title: subject || name }, h("bdi", null, subject || name)),
          " ",
          isGone
            ? h("span", { class: "row-gone" }, t(list === "waiting" ? "rowTaken" : "rowLeft"))
            : isLate && item.status === "active"
              ? h(Wait, { since: isLate, t })
              : h("time", { class: "row-time", datetime: timeOf(item) }, shortTime(ui, timeOf(item), this.props.today)),
        ),
        h(
          "span",
          { class: "row-line row-about" },
          h("span", { class: "row-customer" }, subject ? h("bdi", null, name) : t("noSubject")),
          agent !== null && small("row-agent", t("withAgent", { name: agent })),
          priority === "high" && small("tag tag-high", [common("warning"), t(priority)]),
          priority === "low" && small("tag", t(priority)),
          tags.slice(0, TAGS).map((tag) => small("tag", h("bdi", null, tag))),
          tags.length > TAGS && small("tag", `+${tags.length - TAGS}`),
        ),
        h(
          "span",
          { class: "row-line" },
          preview(this.props),
          unread > 0 &&
            small("badge", [unread > 99 ? "99+" : unread, h("span", { class: "unseen" }, ` ${t("unreadWord")}`)]),
        ),
      ),
      canTake &&
        h(
          "button",
          {
            class: "row-action",
            tabIndex: isTabStop ? 0 : -1,
            "aria-describedby": titleId,
            "aria-disabled": isBusy,
            "data-action": "claim",
          },
          t(rights.claim ? "claim" : "assign"),
        ),
    );
  }
}

/** The last line: what happens in it, else what was written last and by whom. @param {RowProps} props */
function preview({ parts: { desk, ui }, item: { lastMessage, userId }, draft, hasFailed, isTyping }) {
  const { t } = ui;
  /** @param {string} kind @param {string} who @param {string} text */
  const line = (kind, who, text) =>
    h("span", { class: `row-preview ${kind}` }, who && h("b", null, h("bdi", null, who), ":"), who && " ", h("bdi", null, text));
  if (hasFailed) return h("span", { class: "row-preview is-failed" }, t("rowFailed"));
  if (isTyping) return h("span", { class: "row-preview is-typing" }, t("rowTyping"));
  if (draft) return line("is-draft", t("draft"), draft);
  // Nothing is said of what is not known.
  if (!lastMessage) return line("is-empty", "", lastMessage === null ? t("noMessageYet") : "");
  const { author, preview: text, attachmentCount } = lastMessage;
  // The customer's name stands above it already.
  const isCustomer = author.id === userId;
  const who = author.id === desk.me.id ? t("you") : isCustomer ? "" : (author.name ?? desk.nameOf(author.id));
  return line("", who, text || t("rowFiles", { n: attachmentCount }));
}

/** @param {InboxItem} item */
const timeOf = ({ status, endedAt, lastMessage, startedAt, lastActivityAt }) =>
  (status === "closed" ? endedAt : (lastMessage?.timestamp ?? lastActivityAt)) ?? startedAt;

/** @type {Intl.DateTimeFormat | undefined} */
let shortDay;

/** @param {Parts["ui"]} ui @param {string} time @param {string} today */
function shortTime(ui, time, today) {
  const date = new Date(time);
  if (date.toDateString() === today) return ui.times.clock(time);
  return (shortDay ??= new Intl.DateTimeFormat(ui.lang, { day: "numeric", month: "short" })).format(date);
}

/** All that tick, moved on together once a second. @type {Set<Wait>} */
const waits = new Set();
/** @type {ReturnType<typeof setInterval> | undefined} */
let ticking;

/**
 * How long a customer waits. It ticks by itself, so that no list has to be drawn for that.
 *
 * @extends {Component<{ since: string, t: Parts["ui"]["t"] }, { isLong: boolean }>}
 */
class Wait extends Component {
  /** @type {import("preact").RefObject<HTMLElement | null>} */
  text = createRef();
  state = { isLong: this.ms() > LONG_WAIT_MS };

  /** A clock that is behind the server's shows no negative time. */
  ms() {
    return Math.max(0, Date.now() - Date.parse(this.props.since));
  }

  componentDidMount() {
    waits.add(this);
    ticking ??= setInterval(() => waits.forEach((wait) => wait.tick()), 1_000);
  }

  componentDidUpdate() {
    this.tick();
  }

  componentWillUnmount() {
    waits.delete(this);
    if (waits.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  }

  tick() {
    const text = duration(this.ms());
    const node = /** @type {Text | null | undefined} */ (this.text.current?.firstChild);
    if (node && node.data !== text) node.data = text;
    const isLong = this.ms() > LONG_WAIT_MS;
    if (isLong !== this.state.isLong) this.setState({ isLong });
  }

  render() {
    const { t } = this.props;
    const { isLong } = this.state;
    return h(
      "span",
      { class: isLong ? "wait is-long" : "wait" },
      icon("waiting"),
      h("span", { class: isLong ? "wait-word" : "unseen" }, t(isLong ? "longWait" : "waits")),
      " ",
      h("span", { class: "wait-time", ref: this.text }, duration(this.ms())),
    );
  }
}

/** Such as 4:07, or 2 h 05 min: what a person takes in at a glance. @param {number} ms */
export function duration(ms) {
  const seconds = Math.floor(ms / 1_000);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
