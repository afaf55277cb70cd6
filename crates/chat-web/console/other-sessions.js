/** The other sessions of a customer that this agent may see, as links. */

import { Component, h } from "preact";

/** @import { ChatSession } from "../client/index.js" */
/** @import { Parts } from "./types.js" */

const PAGE = 20;

/**
 * @typedef {object} OtherSessionsProps
 * @property {Parts} parts
 * @property {ChatSession} session the one that is open
 *
 * @typedef {object} OtherSessionsState
 * @property {ChatSession[] | null} earlier
 * @property {string | null} cursor of the next page of them
 * @property {boolean} isFailed whether they could not be read
 */

/** @extends {Component<OtherSessionsProps, OtherSessionsState>} */
export class OtherSessions extends Component {
  /** @type {OtherSessionsState} */
  state = { earlier: null, cursor: null, isFailed: false };
  isReading = false;
  isOver = false;
  /** Whether there was no connection for a while since the last answer. */
  wasAway = false;
  /** What was drawn last. @type {unknown} */
  drawn = null;

  componentDidMount() {
    this.read();
  }

  /** What failed without a connection is read once there is one. */
  componentDidUpdate() {
    const isLive = this.props.parts.desk.connection.state === "live";
    if (!isLive) this.wasAway = true;
    else if (this.wasAway && this.state.isFailed) this.read();
  }

  componentWillUnmount() {
    this.isOver = true;
  }

  /** What is typed beside it is none of its business. @param {OtherSessionsProps} _ @param {OtherSessionsState} state */
  shouldComponentUpdate(_, state) {
    return state !== this.state || this.props.parts.desk.inbox.view !== this.drawn;
  }

  /** Those that are closed come page by page; those that are open are in the lists. */
  read = async () => {
    if (this.isReading) return;
    this.isReading = true;
    this.wasAway = this.props.parts.desk.connection.state !== "live";
    const { parts, session } = this.props;
    const cursor = this.state.cursor ?? undefined;
    try {
      const page = await parts.desk.client.sessions.inbox("closed", { userId: session.userId, limit: PAGE, cursor });
      if (this.isOver) return;
      this.setState(({ earlier }) => ({
        earlier: [...(earlier ?? []), ...page.items],
        cursor: page.nextCursor,
        isFailed: false,
      }));
    } catch {
      if (!this.isOver) this.setState({ isFailed: true });
    } finally {
      this.isReading = false;
    }
  };

  /** All other sessions of the customer that are known, newest first. */
  get others() {
    const { parts, session } = this.props;
    const open = Object.values(parts.desk.inbox.view.items).flat();
    const all = [...(this.state.earlier ?? []), ...open].filter(
      ({ id, userId }) => userId === session.userId && id !== session.id,
    );
    // What the lists have is newer than what was read.
    return [...new Map(all.map((other) => [other.id, other])).values()].sort((a, b) =>
      a.startedAt < b.startedAt ? 1 : -1,
    );
  }

  render() {
    const { parts } = this.props;
    const { desk, ui } = parts;
    const { t, times } = ui;
    const { earlier, cursor, isFailed } = this.state;
    const { others } = this;
    this.drawn = desk.inbox.view;
    return h(
      "nav",
      { class: "customer-sessions", "aria-label": t("otherSessions") },
      h("h3", null, t("otherSessions")),
      others.map((other) =>
        h(
          "a",
          {
            key: other.id,
            href: parts.link(other.id),
            onClick: (/** @type {MouseEvent} */ event) => {
              // A new window is the browser's.
              if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
              event.preventDefault();
              desk.go({ session: other.id, details: false });
            },
          },
          h("bdi", { class: "customer-subject" }, other.subject ?? t("noSubject")),
          h("small", null, t(other.status === "closed" ? "stateClosed" : "stateOpen"), " · ", times.day(other.startedAt)),
        ),
      ),
      earlier === null && !isFailed && h("p", { class: "late" }, t("othersLoading")),
      earlier !== null && !others.length && h("p", null, t("noOtherSessions")),
      isFailed && h("p", null, t("othersFailed")),
      (isFailed || cursor !== null) &&
        h("button", { class: "link", onClick: this.read }, t(isFailed ? "retry" : "showMore")),
    );
  }
}
