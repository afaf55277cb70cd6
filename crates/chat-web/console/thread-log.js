/**
 * The messages of a thread. Besides what the log of the widget does, it keeps its place by the message that is read and not
 * by heights, marks where unread messages begin, and draws nothing while its messages are the same.
 */

import { h } from "preact";

import { Log } from "../ui/log.js";
import { Message } from "../ui/message.js";

/** @import { Entry } from "../client/index.js" */
/** @import { LogProps } from "../ui/log.js" */
/** @import { MessageProps } from "../ui/message.js" */

/**
 * @typedef {LogProps & {
 *   since: string | null,
 *   rejoin: () => void,
 *   olderFailed: () => void,
 * }} ThreadLogProps `since` is the key of the message above which the line stands; `rejoin` is called when a person has gone
 *   to the end by the button, which is gone then; `olderFailed` when they have pressed the other button in vain
 * @typedef {{ item: Element, end: number }} Place a message, and where it ends below the top of the log
 */

export class ThreadLog extends Log {
  /** The first message that is seen. @type {Place | null} */
  held = null;
  // Sizes change without a new message as well: by pictures, by the window, by what stands below.
  sizes = new ResizeObserver(() => {
    if (this.isAtEnd) this.toEnd();
    else this.keep(this.held);
  });

  /** @param {ThreadLogProps} props */
  constructor(props) {
    super(props);
    const { scrolled } = this;
    this.scrolled = () => {
      scrolled();
      this.held = this.isAtEnd ? null : this.place();
    };
  }

  /** Whether the page that is being read was asked for by the button. Who only scrolls asks again by scrolling on. */
  isAsked = false;
  isPaging = false;

  /** @param {Event} [press] */
  readOlder = async (press) => {
    const { hasOlder, older, olderFailed } = /** @type {ThreadLogProps} */ (this.props);
    // The button is at the top, where a page is read already when one has scrolled there.
    this.isAsked ||= press !== undefined;
    if (!hasOlder || this.isPaging) return;
    this.isPaging = true;
    try {
      await older();
    } catch {
      if (this.isAsked) olderFailed();
    } finally {
      this.isPaging = this.isAsked = false;
    }
  };

  /** @param {ThreadLogProps} next @param {{ missed: number }} state */
  shouldComponentUpdate(next, state) {
    const { entries, hasOlder, since } = /** @type {ThreadLogProps} */ (this.props);
    return (
      state.missed !== this.state.missed ||
      next.hasOlder !== hasOlder ||
      next.since !== since ||
      !isSame(next.entries, entries)
    );
  }

  /** @returns {any} */
  getSnapshotBeforeUpdate() {
    return { ...super.getSnapshotBeforeUpdate(), place: this.isAtEnd ? null : this.place() };
  }

  /** @param {LogProps} before @param {{ missed: number }} state @param {any} [snapshot] */
  componentDidUpdate(before, state, snapshot) {
    super.componentDidUpdate(before, state, snapshot);
    if (!this.isAtEnd) this.keep(snapshot.place);
    // The button that had the focus is gone.
    if (state.missed && !this.state.missed && document.activeElement === document.body) {
      /** @type {ThreadLogProps} */ (this.props).rejoin();
    }
  }

  /**
   * The first message that is seen, by its end: what stands above its text may go, such as the day or the name, when older
   * messages come before it.
   *
   * @returns {Place | null}
   */
  place() {
    const items = this.list.current?.children ?? [];
    let [from, to] = [0, items.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.endOf(items[middle]) > 0) to = middle;
      else from = middle + 1;
    }
    const item = items[from];
    return item ? { item, end: this.endOf(item) } : null;
  }

  /**
   * Where a message ends below the top of the log, which itself moves when the header grows.
   *
   * @param {Element | undefined} item
   */
  endOf(item) {
    const top = this.box.current?.getBoundingClientRect().top ?? 0;
    return (item?.getBoundingClientRect().bottom ?? 0) - top;
  }

  /** Scrolls so that a message ends where it did. @param {Place | null} place */
  keep(place) {
    const box = this.box.current;
    if (!box || !place?.item.isConnected) return;
    const moved = this.endOf(place.item) - place.end;
    if (moved) box.scrollTop += moved;
    this.held = this.place();
  }

  /** @param {MessageProps & { key: string }} props */
  row(props) {
    const { ui, since } = /** @type {ThreadLogProps} */ (this.props);
    const line = props.key === since ? /** @type {any} */ (ui).t("newSince") : "";
    return h(/** @type {any} */ (ThreadMessage), { ...props, line });
  }
}

class ThreadMessage extends Message {
  /** @param {MessageProps & { line?: string }} props */
  render(props) {
    const { entry, line } = props;
    const item = super.render(props);
    const { children } = item.props;
    // A colleague's answer is none of the customer's messages.
    if (!entry.own && entry.sender === "support") item.props.class += " colleague";
    item.props.children = [line && h("p", { class: "since" }, h("span", null, line)), ...[children].flat()];
    return item;
  }
}

/** Whether two lists have the same entries. @param {readonly Entry[]} a @param {readonly Entry[]} b */
export const isSame = (a, b) =>
  a === b || (a.length === b.length && a.every((entry, at) => entry === b[at]));
