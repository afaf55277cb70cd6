/** The messages of a session. It stays where the reader is: at the bottom, or at the line that they read. */

import { Component, createRef, h } from "preact";

import { icon } from "./icons.js";
import { Message } from "./message.js";

/** @import { Entry } from "../client/index.js" */
/** @import { Ui } from "./ui.js" */

/** So near to the end, in pixels, counts as the end. */
const NEAR = 48;
/** Messages of one person within this time stand together. */
const TOGETHER_MS = 5 * 60_000;

/**
 * @typedef {object} LogProps
 * @property {Ui} ui
 * @property {readonly Entry[]} entries
 * @property {boolean} hasOlder
 * @property {() => Promise<void>} older
 * @property {(isAtEnd: boolean) => void} moved
 */

/** @extends {Component<LogProps, { missed: number }>} */
export class Log extends Component {
  /** @type {import("preact").RefObject<HTMLElement | null>} */
  box = createRef();
  /** @type {import("preact").RefObject<HTMLElement | null>} */
  list = createRef();
  isAtEnd = true;
  isReading = false;
  state = { missed: 0 };
  /** Pictures and the keyboard of a phone change sizes without a new message. */
  sizes = new ResizeObserver(() => this.isAtEnd && this.toEnd());

  componentDidMount() {
    const { box, list } = this;
    if (box.current) this.sizes.observe(box.current);
    if (list.current) this.sizes.observe(list.current);
    this.toEnd();
  }

  componentWillUnmount() {
    this.sizes.disconnect();
  }

  /** The sizes from before a change, to keep the line that is read where it is. */
  getSnapshotBeforeUpdate() {
    const { scrollHeight = 0, scrollTop = 0 } = this.box.current ?? {};
    return { scrollHeight, scrollTop };
  }

  /** @param {LogProps} before @param {unknown} _ @param {{ scrollHeight: number, scrollTop: number }} [place] */
  componentDidUpdate(before, _, place) {
    const box = this.box.current;
    const old = before.entries;
    const { entries } = this.props;
    if (!box || !place || old === entries) return;
    if (this.isAtEnd) return this.toEnd();
    const first = entries.findIndex(({ key }) => key === old[0]?.key);
    const known = new Set(old.map(({ key }) => key));
    // What is not sent stands behind what is new.
    const added = entries.slice(Math.max(first, 0)).filter(({ key }) => !known.has(key));
    if (added.at(-1)?.own) return this.toEnd();
    if (first > 0) box.scrollTop = place.scrollTop + box.scrollHeight - place.scrollHeight;
    const missed = added.filter(({ own }) => !own).length;
    if (missed) this.setState({ missed: this.state.missed + missed });
  }

  toEnd = () => {
    const box = this.box.current;
    if (!box) return;
    this.isAtEnd = true;
    box.scrollTop = box.scrollHeight;
    if (this.state.missed) this.setState({ missed: 0 });
    this.props.moved(true);
  };

  scrolled = () => {
    const box = this.box.current;
    if (!box || box.clientHeight === 0) return;
    this.isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    if (this.isAtEnd && this.state.missed) this.setState({ missed: 0 });
    this.props.moved(this.isAtEnd);
    if (box.scrollTop < 200) this.readOlder();
  };

  /** One page at a time. One that fails is asked for again at the next scroll. */
  readOlder = () => {
    if (!this.props.hasOlder || this.isReading) return;
    this.isReading = true;
    const done = () => void (this.isReading = false);
    this.props.older().then(done, done);
  };

  /** @param {import("./message.js").MessageProps & { key: string }} props @returns {import("preact").VNode<any>} */
  row(props) {
    return h(Message, props);
  }

  /** @param {LogProps} props @param {{ missed: number }} state */
  render({ ui, entries, hasOlder }, { missed }) {
    const newest = entries.findLast(({ own }) => own);
    let lastDay = "";
    const messages = entries.map((entry, at) => {
      const day = ui.times.day(entry.timestamp);
      const isNewDay = day !== lastDay;
      lastDay = day;
      return this.row({
        key: entry.key,
        ui,
        entry,
        isFirst: !isTogether(entries[at - 1], entry),
        isLast: !isTogether(entry, entries[at + 1]),
        isNewest: entry === newest,
        day: isNewDay ? day : "",
        hasFiles: Boolean(entry.attachments && ui.files()),
      });
    });
    return h(
      "div",
      { class: "log-box" },
      h(
        "div",
        {
          class: "log",
          part: "log",
          role: "log",
          "aria-live": "off",
          "aria-label": ui.t("messages"),
          tabIndex: 0,
          ref: this.box,
          onScroll: this.scrolled,
        },
        hasOlder && h("button", { class: "older", onClick: this.readOlder }, ui.t("older")),
        h("ul", { ref: this.list }, messages),
      ),
      missed > 0 &&
        h(
          "button",
          { class: "missed", part: "new-messages", onClick: this.toEnd },
          ui.t("newMessages", { n: missed }),
          icon("down"),
        ),
    );
  }
}

/** Whether two messages are one group. @param {Entry | undefined} a @param {Entry | undefined} b */
function isTogether(a, b) {
  if (!a || !b || a.own !== b.own || (!a.own && a.author?.id !== b.author?.id)) return false;
  const [earlier, later] = [new Date(a.timestamp), new Date(b.timestamp)];
  return later.getTime() - earlier.getTime() < TOGETHER_MS && earlier.getDate() === later.getDate();
}
