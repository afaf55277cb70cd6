/**
 * A list of sessions. While the person points at it or has the focus in it, no row moves: what has left the list stays there as
 * such, and what is new comes at the end where it belongs there, else it is counted until they leave or ask for it.
 */

import { Component, createRef, h } from "preact";

import { claim } from "./actions.js";
import { icon } from "./icons.js";
import { Row } from "./row.js";

/** @import { InboxItem } from "../client/index.js" */
/** @import { ListName, Parts } from "./types.js" */

/** So much of a draft is shown. */
const DRAFT = 140;
/** So near to the end, in pixels, the next page is read. */
const NEAR = 600;
/** By how many rows a key moves. @type {Partial<Record<string, number>>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

/** @typedef {{ parts: Parts, name: ListName }} ListProps */
/** @typedef {{ filter: string }} ListState */

/** @extends {Component<ListProps, ListState>} */
export class List extends Component {
  /** The rows with what lies over them. @type {import("preact").RefObject<HTMLElement | null>} */
  area = createRef();
  /** What scrolls. @type {import("preact").RefObject<HTMLElement | null>} */
  box = createRef();
  /** @type {import("preact").RefObject<HTMLInputElement | null>} */
  search = createRef();
  state = { filter: "" };
  /** The order that is kept while the person is at the list. @type {string[] | null} */
  held = null;
  /** What is shown, by id, also of what is gone. @type {Map<string, InboxItem>} */
  known = new Map();
  /** The ids in the order in which they are shown. @type {string[]} */
  shown = [];
  /** Rows behind the last one that is loaded: after a reconnect it is not known yet whether they are there. @type {Set<string>} */
  unknown = new Set();
  /** Where each row is on the screen. @type {Map<string, number>} */
  places = new Map();
  /** How many are not shown because a row would move. */
  news = 0;
  isPointed = false;

  get desk() {
    return this.props.parts.desk;
  }

  componentDidMount() {
    this.props.parts.list.current = this;
    this.fill();
  }

  componentWillUnmount() {
    const { list } = this.props.parts;
    if (list.current === this) list.current = null;
  }

  /** The row that has the focus, before rows go or move. */
  getSnapshotBeforeUpdate() {
    const row = rowOf(document.activeElement);
    const id = row && this.box.current?.contains(row) ? row.dataset.session : undefined;
    return id === undefined ? null : { id, at: this.places.get(id) ?? 0 };
  }

  /** @param {ListProps} _ @param {ListState} __ @param {{ id: string, at: number } | null} [focus] */
  componentDidUpdate(_, __, focus = null) {
    // A row that moves loses the focus, and one that is gone gives it to the one in its place.
    if (focus && !this.box.current?.contains(document.activeElement)) {
      this.focusRow(this.known.has(focus.id) ? focus.id : this.shown[Math.min(focus.at, this.shown.length - 1)]);
    }
    this.places = new Map(this.shown.map((id, at) => [id, at]));
    this.fill();
  }

  /** Reads on while the end is near, also when a filter leaves few. */
  fill = () => {
    const box = this.box.current;
    const { hasMore, isReading } = this.desk.list(this.props.name);
    if (!box || !hasMore || isReading || this.desk.connection.state !== "live" || box.clientHeight === 0) return;
    if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) void this.desk.more(this.props.name);
  };

  hold = () => {
    this.held ??= this.shown;
  };

  /**
   * Whether the person points at it or works in it, or waits for what they have done there: who presses again must not press
   * another row. In a window without the focus they do not work.
   */
  get isInUse() {
    const hasFocus = Boolean(document.hasFocus() && this.area.current?.contains(document.activeElement));
    return this.isPointed || hasFocus || this.shown.some((id) => this.desk.isBusy(id));
  }

  /** When neither the pointer nor the focus is in it any more, it is as it would be. */
  release = () => {
    if (this.box.current && this.held && !this.isInUse) this.forceUpdate();
  };

  /** Shows what is new, for those who ask for it. */
  showNews = () => {
    this.held = null;
    this.forceUpdate(() => {
      if (this.box.current) this.box.current.scrollTop = 0;
      this.focusRow(this.shown[0]);
    });
  };

  /** Moves by so many rows. @param {number} by */
  move(by) {
    const { selected } = this.desk;
    const at = selected === null ? -1 : this.shown.indexOf(selected);
    const next = at < 0 ? 0 : Math.min(this.shown.length - 1, Math.max(0, at + by));
    this.focusRow(this.shown[next]);
  }

  /** @param {string | undefined} id */
  focusRow(id) {
    if (id === undefined) return;
    const link = this.box.current?.querySelector(`[data-session="${CSS.escape(id)}"] a`);
    /** @type {HTMLElement | undefined} */ (link ?? undefined)?.focus();
  }

  focusFilter() {
    this.search.current?.focus();
    this.search.current?.select();
  }

  /** @param {MouseEvent} event */
  clicked = (event) => {
    const target = /** @type {Element} */ (event.target);
    const id = rowOf(target)?.dataset.session;
    // With a key or another button the browser opens another window, which the address is for.
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!id || !isPlain) return;
    event.preventDefault();
    if (target.closest("[data-action]")) {
      this.hold();
      claim(this.props.parts, id);
    } else this.desk.go({ session: id });
  };

  /** The arrows are no shortcuts that can be switched off. @param {KeyboardEvent} event */
  keyed = (event) => {
    const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
    const by = STEPS[key];
    if (by === undefined || altKey || ctrlKey || metaKey || shiftKey || !rowOf(/** @type {Element} */ (event.target))) return;
    event.preventDefault();
    this.move(by);
  };

  /** @param {FocusEvent} event */
  focused = (event) => {
    this.hold();
    const id = rowOf(/** @type {Element} */ (event.target))?.dataset.session;
    if (id && id !== this.desk.selected) this.desk.select(id);
  };

  /** @param {InboxItem} item @param {string} words */
  matches(item, words) {
    const { desk } = this;
    const { subject = "", user, userId, agentId, tags, lastMessage } = item;
    const texts = [subject, user?.name ?? "", userId, desk.nameOf(agentId), ...tags, lastMessage?.preview ?? ""];
    return texts.join("\n").toLocaleLowerCase().includes(words);
  }

  /** Which rows are shown, in which order. */
  arrange() {
    const { desk } = this;
    const words = this.state.filter.trim().toLocaleLowerCase();
    const { items, hasMore } = desk.list(this.props.name);
    const wanted = words ? items.filter((item) => this.matches(item, words)) : items;
    const now = new Map(wanted.map((item) => [item.id, item]));
    this.news = 0;
    this.unknown.clear();
    if (!this.isInUse) this.held = null;
    /** @type {string[]} */
    let ids;
    if (this.held) {
      // What one has taken or given away oneself goes at once.
      ids = this.held.filter((id) => now.has(id) || (this.known.has(id) && !desk.hasActed(id)));
      const held = new Set(ids);
      if (hasMore) this.unknown = new Set(ids.slice(ids.findLastIndex((id) => now.has(id)) + 1));
      const last = wanted.findLastIndex(({ id }) => held.has(id));
      wanted.forEach(({ id }, at) => {
        if (held.has(id)) return;
        if (at > last) ids.push(id);
        else this.news++;
      });
      this.held = ids;
    } else {
      ids = [...now.keys()];
    }
    this.known = new Map(ids.map((id) => [id, now.get(id) ?? /** @type {InboxItem} */ (this.known.get(id))]));
    this.shown = ids;
    return now;
  }

  render() {
    const { parts, name } = this.props;
    const { desk, ui } = parts;
    const { t } = ui;
    const { filter } = this.state;
    const list = desk.list(name);
    const now = this.arrange();
    const { session: current } = desk.route;
    const today = new Date().toDateString();
    const tabStop = desk.selected !== null && this.known.has(desk.selected) ? desk.selected : this.shown[0];
    const rows = this.shown.map((id) => {
      const item = /** @type {InboxItem} */ (this.known.get(id));
      const live = desk.live(id);
      return h(Row, {
        key: id,
        parts,
        item,
        list: name,
        isGone: !now.has(id) && !this.unknown.has(id) && !desk.isBusy(id),
        isOpen: id === current,
        isTabStop: id === tabStop,
        isBusy: desk.isBusy(id),
        unread: desk.unreadOf(item),
        // In a session that has ended nothing is written any more: its thread has it.
        draft: item.status === "closed" ? "" : desk.drafts.get(id).trim().slice(0, DRAFT),
        hasFailed: desk.hasFailed(id),
        isTyping: live?.state === "live" && live.typing.some((other) => other !== desk.me.id),
        names: `${desk.nameOf(item.userId)}\n${desk.nameOf(item.agentId)}`,
        today,
      });
    });
    return h(
      "section",
      { class: "list", "aria-label": t(name) },
      h(
        "div",
        { class: "list-head" },
        h("h2", { class: "list-title" }, t(name)),
        h(
          "div",
          { class: "list-search" },
          icon("search"),
          h("input", {
            type: "search",
            "aria-label": t("filterList", { list: t(name) }),
            placeholder: t("filter"),
            autocomplete: "off",
            ref: this.search,
            value: filter,
            onInput: (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) => {
              this.held = null;
              this.setState({ filter: currentTarget.value });
            },
            onKeyDown: (/** @type {KeyboardEvent} */ event) => {
              if (event.key !== "Escape") return;
              // All rows first, so that these are the ones that hold still.
              this.setState({ filter: "" }, () => this.focusRow(tabStop));
            },
          }),
        ),
      ),
      h(
        "div",
        {
          class: "list-area",
          ref: this.area,
          onFocusIn: this.focused,
          // The next element has the focus a moment later.
          onFocusOut: () => void setTimeout(this.release),
          onPointerEnter: () => {
            this.isPointed = true;
            this.hold();
          },
          onPointerLeave: () => {
            this.isPointed = false;
            this.release();
          },
        },
        this.news > 0 && h("button", { class: "list-news", onClick: this.showNews }, t("newRows", { n: this.news })),
        h(
          "div",
          { class: "list-box", ref: this.box, onScroll: this.fill, onClick: this.clicked, onKeyDown: this.keyed },
          rows.length > 0 && h("ul", { class: "rows", "aria-label": t(name) }, rows),
          rows.length === 0 && empty(parts, name, filter, list),
          list.hasMore &&
            h(
              "button",
              { class: "list-more", onClick: () => desk.more(name) },
              t(list.isReading ? "loadingMore" : "showMore"),
            ),
        ),
      ),
    );
  }
}

/** @type {Record<ListName, import("./texts.js").Key>} */
const EMPTY = {
  mine: "emptyMine",
  waiting: "emptyWaiting",
  closed: "emptyClosed",
  assigned: "emptyAssigned",
  all: "emptyAll",
};

/** What stands in an empty list. @param {Parts} parts @param {ListName} name @param {string} filter @param {import("./types.js").SessionList} list */
function empty({ desk, ui: { t } }, name, filter, { isLoaded, hasMore }) {
  if (!isLoaded) return h("p", { class: "list-empty late" }, t("loadingSessions"));
  if (filter) return h("p", { class: "list-empty" }, t(hasMore ? "loadingMore" : "nothingFound", { text: filter }));
  const waiting = desk.countOf("waiting") ?? 0;
  return h(
    "div",
    { class: "list-empty" },
    h("p", null, t(EMPTY[name])),
    name === "mine" &&
      waiting > 0 &&
      h("button", { class: "secondary", onClick: () => desk.go({ view: "waiting" }) }, t("seeWaiting", { n: waiting })),
  );
}

/** @param {Element | null} element @returns {HTMLElement | null} */
const rowOf = (element) => element?.closest("[data-session]") ?? null;
