/** The middle column: the open session, with its header, its messages and what stands below them. */

import { Component, h } from "preact";

import { CannedMenu } from "./canned-menu.js";
import { leftDraft } from "./left-draft.js";
import { ThreadComposer } from "./thread-composer.js";
import { threadHeader } from "./thread-header.js";
import { ThreadLog, isSame } from "./thread-log.js";

/** @import { ChatSession, Entry, SessionView } from "../client/index.js" */
/** @import { Ui } from "../ui/ui.js" */
/** @import { Parts } from "./types.js" */

/** More messages at once are announced as a number. */
const SPOKEN = 3;
/** What comes within this time is one announcement: after a time without a connection it is many messages. */
const TOGETHER_MS = 200;

/** The open session, if there is one. @param {Parts} parts */
export function thread(parts) {
  const id = parts.desk.route.session;
  return id === null ? null : h(Thread, { key: id, id, parts });
}

/** @typedef {{ id: string, parts: Parts }} ThreadProps */

/**
 * One for each session that is opened, so that nothing of another one can stay in it. It is drawn again with the page; what
 * belongs to the log alone is kept the same while nothing of it changes.
 *
 * @extends {Component<ThreadProps>}
 */
class Thread extends Component {
  /** @type {HTMLElement | null} */
  element = null;
  isAtEnd = true;
  /** The message above which the line stands. @type {string | null} */
  since = null;
  /** How many messages were unread when it was looked at last; `null` before the first time. @type {number | null} */
  unread = null;
  /** Messages that have come and are not announced yet. @type {Entry[]} */
  news = [];
  /** @type {readonly Entry[]} */
  entries = [];
  /** @type {SessionView | null} */
  seen = null;
  /** @type {import("../client/index.js").Session | null} */
  heard = null;
  ending = new AbortController();

  get desk() {
    return this.props.parts.desk;
  }

  get session() {
    return this.desk.session(this.props.id);
  }

  /** What is known of it: a list knows it before it is loaded. @returns {ChatSession | null} */
  get about() {
    return this.session.view.session ?? this.desk.item(this.props.id);
  }

  componentDidMount() {
    const { id } = this.props;
    const { signal } = this.ending;
    for (const name of ["focus", "visibilitychange"]) addEventListener(name, this.read, { signal, capture: true });
    signal.addEventListener(
      "abort",
      this.desk.drafts.subscribe((session) => session === id && this.drafted()),
    );
    this.changed();
  }

  componentDidUpdate() {
    this.changed();
  }

  componentWillUnmount() {
    const { parts } = this.props;
    this.ending.abort();
    this.unhear();
    // A picture of a session that is not shown any more.
    for (const dialog of parts.root.querySelectorAll("dialog.lightbox")) /** @type {HTMLDialogElement} */ (dialog).close();
  }

  unhear = () => {};

  /** The session may be another object when it has come back to this desk. */
  hear() {
    const { session } = this;
    if (session === this.heard) return;
    this.unhear();
    this.heard = session;
    this.unhear = session.on("message", (entry) => {
      if (!entry.own && this.news.push(entry) === 1) setTimeout(this.announce, TOGETHER_MS);
    });
  }

  changed() {
    this.hear();
    const { composer } = this.props.parts;
    if (composer.current && this.desk.takeClaimed(this.props.id)) composer.current.focus();
    const { view } = this.session;
    // While one types, nothing of the session changes.
    if (!view.session || view === this.seen) return;
    const before = this.unread;
    this.seen = view;
    this.unread = view.unread;
    if (before === null) this.mark(view);
    this.read();
    this.unread = this.session.view.unread;
    // What has come while the thread was not looked at begins with the line too, until more comes the next time.
    if (before === 0 && this.unread > 0) this.mark(view);
  }

  /** Puts the line above the first unread message. @param {SessionView} view */
  mark({ messages, unread, session, hasOlder }) {
    if (unread === 0 || !this.isOwn(session)) return;
    const others = messages.filter(({ sender, read }) => sender === "user" && !read);
    const key = others[others.length - unread]?.key ?? null;
    // Above the first message of all it would part it from nothing.
    if (key === this.since || (key === messages[0]?.key && !hasOlder)) return;
    this.since = key;
    this.setState({});
  }

  /** An admin looks over an agent's shoulder: what they see, the agent has not read. @param {ChatSession | null} session */
  isOwn(session) {
    return session?.agentId === this.desk.me.id;
  }

  /** What stands in front of the eyes of the agent is read. */
  read = () => {
    const { session, desk } = this;
    const { view } = session;
    // Before the first time the line is not there yet.
    if (this.unread === null || !view.unread || !this.isAtEnd || !desk.isAttentive || !this.isOwn(view.session)) return;
    // A picture covers everything, and on a narrow screen the list or the details do.
    const isCovered = this.props.parts.root.querySelector("dialog.lightbox[open]");
    const log = this.element?.querySelector(".log");
    if (!isCovered && log?.checkVisibility({ visibilityProperty: true })) session.read();
  };

  moved = (/** @type {boolean} */ isAtEnd) => {
    this.isAtEnd = isAtEnd;
    this.read();
  };

  announce = () => {
    const { news } = this;
    this.news = [];
    if (this.ending.signal.aborted) return;
    const { t } = this.props.parts.ui;
    if (news.length > SPOKEN) return this.desk.say(t("newMessages", { n: news.length }));
    for (const { author, content, attachments = [] } of news) {
      const text = content || attachments.map(({ name }) => name).join(", ");
      const name = author?.name ?? this.desk.nameOf(author?.id ?? this.about?.userId);
      this.desk.say(t("saidBy", { name, text }));
    }
  };

  /** Another window has changed the draft. */
  drafted() {
    const { current } = this.props.parts.composer;
    const text = this.desk.drafts.get(this.props.id);
    if (current && current.text !== text) current.set(text);
  }

  typed = (/** @type {string} */ text) => {
    this.desk.drafts.set(this.props.id, text);
    this.session.typing(text !== "");
  };

  send = (/** @type {string} */ text, /** @type {File[]} */ files) => {
    this.session.send(text, { files });
    this.desk.drafts.set(this.props.id, "");
  };

  kept = (/** @type {readonly File[]} */ files) => this.desk.drafts.setFiles(this.props.id, files);

  claim = () => void this.desk.claim(this.props.id);

  older = () => this.session.older();

  olderFailed = () => this.desk.tell(this.props.parts.ui.t("tryLater"), "assertive");

  focus = () => this.props.parts.composer.current?.focus();

  /** The panel shows where files may be dropped. @param {DragEvent} event @param {boolean} isOver */
  dragging({ currentTarget, relatedTarget }, isOver) {
    const box = /** @type {Element} */ (currentTarget);
    if (isOver || !box.contains(/** @type {Node | null} */ (relatedTarget))) box.classList.toggle("dropping", isOver);
  }

  render() {
    const { parts } = this.props;
    const { desk, ui } = parts;
    const { view } = this.session;
    const { about } = this;
    if (view !== this.seen && !isSame(this.entries, view.messages)) this.entries = view.messages;
    const canWrite = Boolean(about && desk.rightsOn(about).write && view.state !== "stopped");
    return h(
      "section",
      {
        class: "thread",
        "aria-label": ui.t("conversation"),
        ref: (/** @type {HTMLElement | null} */ element) => void (this.element = element),
      },
      threadHeader(parts, about),
      h(
        "div",
        {
          class: "thread-body",
          "data-drop": ui.t("dropHere"),
          onDragOver: (/** @type {DragEvent} */ event) => {
            if (!canWrite || !event.dataTransfer?.types.includes("Files")) return;
            event.preventDefault();
            this.dragging(event, true);
          },
          onDragLeave: (/** @type {DragEvent} */ event) => this.dragging(event, false),
          onDrop: (/** @type {DragEvent} */ event) => {
            if (!event.dataTransfer?.files.length) return;
            event.preventDefault();
            this.dragging(event, false);
            parts.composer.current?.add(event.dataTransfer.files);
          },
        },
        this.body(view, about),
        canWrite && about ? this.foot(view, about) : this.end(view, about),
      ),
    );
  }

  /** The messages, or why there are none. @param {SessionView} view @param {ChatSession | null} about */
  body(view, about) {
    const { ui } = this.props.parts;
    if (this.entries.length) {
      return h(/** @type {any} */ (ThreadLog), {
        ui: /** @type {Ui} */ (ui),
        entries: this.entries,
        hasOlder: view.hasOlder,
        older: this.older,
        olderFailed: this.olderFailed,
        moved: this.moved,
        since: this.since,
        rejoin: this.focus,
      });
    }
    if (view.state === "stopped") {
      const text = view.error?.code === "SESSION_NOT_FOUND" ? "unknownSession" : "notYours";
      return h(
        "div",
        { class: "thread-notice" },
        h("p", { class: "big" }, ui.t(text)),
        h("p", null, ui.t("notYoursMore")),
        h("button", { class: "primary", onClick: () => this.desk.go({ session: null }) }, ui.t("toList")),
      );
    }
    if (!view.session) return h("p", { class: "thread-notice late" }, ui.t("loadingMessages"));
    return h(
      "div",
      { class: "thread-notice" },
      h("p", { class: "big" }, ui.t("noMessages")),
      about && this.desk.rightsOn(about).write && h("p", null, ui.t("noMessagesMore")),
    );
  }

  /** Who types, and the box to write in. @param {SessionView} view @param {ChatSession} about */
  foot(view, about) {
    const { parts, id } = this.props;
    const { desk, ui } = parts;
    const typists = view.typing.filter((other) => other !== desk.me.id);
    const dots = h("span", { class: "dots", "aria-hidden": true }, h("i", null), h("i", null), h("i", null));
    // The line is always there, so that nothing moves.
    return h(
      CannedMenu,
      {
        parts,
        customer: about.user?.name ?? nameOf(desk, about.userId),
        line: typists[0] && [dots, ui.t("typing", { name: desk.nameOf(typists[0]) })],
      },
      h(/** @type {any} */ (ThreadComposer), {
        handle: parts.composer,
        ui: /** @type {Ui} */ (ui),
        draft: desk.drafts.get(id),
        waiting: desk.drafts.files(id),
        changed: this.typed,
        filesChanged: this.kept,
        send: this.send,
      }),
    );
  }

  /** Why one cannot write. @param {SessionView} view @param {ChatSession | null} about */
  end(view, about) {
    const { desk, ui } = this.props.parts;
    const { id } = this.props;
    if (view.state === "stopped" && !this.entries.length) return leftDraft(this.props.parts, id);
    if (!about) return null;
    if (desk.rightsOn(about).claim) {
      return h(
        "div",
        { class: "thread-end" },
        h("p", null, ui.t("claimFirst")),
        h("button", { class: "primary", "aria-disabled": desk.isBusy(id), onClick: this.claim }, ui.t("claim")),
      );
    }
    const { endedAt } = about;
    const text = endedAt
      ? ui.t("sessionEndedOn", { day: ui.times.day(endedAt), time: ui.times.clock(endedAt) })
      : ui.t("notYours");
    return [h("p", { class: "thread-end" }, text), leftDraft(this.props.parts, id)];
  }
}

/** A name, if the person has one: an id is nothing to call a person by. @param {Parts["desk"]} desk @param {string} id */
function nameOf(desk, id) {
  const name = desk.nameOf(id);
  return name === id ? "" : name;
}
