/** The right column: who the customer is, what the session is about, and their other sessions. */

import { Component, createRef, h } from "preact";

import { avatar } from "../ui/avatar.js";
import { icon } from "../ui/icons.js";
import { OtherSessions } from "./other-sessions.js";

/** @import { ChatSession, SessionFields } from "../client/index.js" */
/** @import { Parts } from "./types.js" */

const PRIORITIES = /** @type {const} */ (["low", "medium", "high"]);
/** As many as the server takes. */
const MOST_TAGS = 20;

/** @param {Parts} parts */
export function customer(parts) {
  const { desk } = parts;
  const id = desk.route.session;
  const session = id === null ? null : (desk.live(id)?.session ?? desk.item(id));
  return session && h(Customer, { key: session.id, parts, session });
}

/**
 * @typedef {object} CustomerProps
 * @property {Parts} parts
 * @property {ChatSession} session
 *
 * @typedef {object} CustomerState
 * @property {SessionFields} wanted what was changed here and has not come back with the session yet
 * @property {string | null} subject what stands in the box, while it is being changed
 * @property {string} problem why a change was refused
 */

/** @extends {Component<CustomerProps, CustomerState>} */
class Customer extends Component {
  /** @type {CustomerState} */
  state = { wanted: {}, subject: null, problem: "" };
  /** @type {import("preact").RefObject<HTMLInputElement | null>} */
  tag = createRef();
  /** Changes are sent one after the other, so that the last one wins. */
  sending = Promise.resolve();
  pending = 0;
  isOver = false;

  componentWillUnmount() {
    this.saveSubject();
    this.isOver = true;
  }

  /** @param {CustomerProps} before */
  componentDidUpdate({ session }) {
    if (session === this.props.session) return;
    if (this.pending === 0 && Object.keys(this.state.wanted).length) this.setState({ wanted: {} });
    if (session.status !== this.props.session.status) this.setState({ subject: null });
  }

  /** The session as it will be. @returns {ChatSession} */
  get session() {
    const { session } = this.props;
    const { subject, ...wanted } = this.state.wanted;
    return { ...session, ...wanted, subject: subject === undefined ? session.subject : (subject ?? undefined) };
  }

  /** @param {SessionFields} fields */
  update(fields) {
    const { desk, ui } = this.props.parts;
    const { id } = this.props.session;
    this.pending++;
    this.setState(({ wanted }) => ({ wanted: { ...wanted, ...fields }, problem: "" }));
    this.sending = this.sending.then(async () => {
      try {
        await desk.client.sessions.update(id, fields);
        this.pending--;
      } catch (error) {
        this.pending--;
        const { code, status, message } = /** @type {import("../client/index.js").ChatError} */ (error);
        const reason = code === "SESSION_CLOSED" ? "endedMeanwhile" : status === 403 ? "notAllowed" : "notSaved";
        const problem = status === 400 ? ui.t("notAccepted", { message }) : ui.t(reason, { subject: desk.subjectOf(this.props.session) });
        // Said by the page, since the column may be gone.
        desk.say(problem, "assertive");
        if (this.isOver) return;
        // What was typed is not lost.
        const tag = fields.tags?.find((one) => !this.props.session.tags.includes(one));
        if (tag && this.tag.current?.value === "") this.tag.current.value = tag;
        this.setState(({ wanted, subject }) => ({
          wanted: Object.fromEntries(Object.entries(wanted).filter(([name]) => !(name in fields))),
          subject: fields.subject === undefined ? subject : (subject ?? fields.subject),
          problem,
        }));
      }
    });
  }

  saveSubject = () => {
    const { subject } = this.state;
    if (subject === null) return;
    const text = subject.trim();
    this.setState({ subject: null });
    if (text !== (this.session.subject ?? "")) this.update({ subject: text || null });
  };

  addTag = (/** @type {Event} */ event) => {
    event.preventDefault();
    const box = this.tag.current;
    const tag = box?.value.trim();
    if (!box || !tag) return;
    const { tags } = this.session;
    box.value = "";
    if (!tags.includes(tag)) this.update({ tags: [...tags, tag] });
  };

  /** @param {string} tag */
  removeTag(tag) {
    this.update({ tags: this.session.tags.filter((other) => other !== tag) });
    // The button is gone.
    this.tag.current?.focus();
  }

  render() {
    const { parts } = this.props;
    const { desk, ui } = parts;
    const { t, times } = ui;
    const { session } = this;
    const name = session.user?.name ?? desk.nameOf(session.userId);
    const canWrite = desk.rightsOn(session).write;
    /** @param {string} time */
    const date = (time) => h("time", { datetime: time }, `${times.day(time)}, ${times.clock(time)}`);
    /** @param {string} label @param {import("preact").ComponentChildren} content */
    const fact = (label, content) => h("div", null, h("dt", null, label), h("dd", null, content));
    return h(
      "div",
      { class: "customer" },
      h(
        "header",
        { class: "customer-header" },
        avatar(session.user ?? { id: session.userId }, ui.avatars),
        h("h3", { class: "customer-name" }, h("bdi", null, name)),
      ),
      h("p", { class: "customer-problem" }, this.state.problem),
      canWrite ? this.fields(session) : null,
      h(
        "dl",
        { class: "facts" },
        !canWrite && fact(t("subject"), session.subject ? h("bdi", null, session.subject) : "–"),
        !canWrite && fact(t("priority"), t(session.priority)),
        !canWrite && session.tags.length > 0 && fact(t("tags"), chips(session.tags)),
        fact(t("customerId"), h("code", null, session.userId)),
        fact(t("started"), date(session.startedAt)),
        session.endedAt && fact(t("ended"), date(session.endedAt)),
        session.agentId && fact(t("agent"), h("bdi", null, session.agent?.name ?? desk.nameOf(session.agentId))),
      ),
      h(OtherSessions, { parts, session: this.props.session }),
    );
  }

  /** What can be changed. @param {ChatSession} session */
  fields({ subject = "", priority, tags }) {
    const { t } = this.props.parts.ui;
    return h(
      "div",
      { class: "customer-fields" },
      h(
        "label",
        null,
        h("span", null, t("subject")),
        h("input", {
          value: this.state.subject ?? subject,
          maxLength: 200,
          dir: "auto",
          placeholder: t("noSubject"),
          onInput: (/** @type {{ currentTarget: HTMLInputElement }} */ event) =>
            this.setState({ subject: event.currentTarget.value }),
          onBlur: this.saveSubject,
          onKeyDown: (/** @type {KeyboardEvent} */ event) => {
            if (event.isComposing) return;
            if (event.key === "Enter") this.saveSubject();
            if (event.key !== "Escape" || this.state.subject === null) return;
            this.setState({ subject: null });
            event.stopPropagation();
          },
        }),
      ),
      h(
        "label",
        null,
        h("span", null, t("priority")),
        h(
          "select",
          {
            value: priority,
            onChange: (/** @type {{ currentTarget: HTMLSelectElement }} */ event) =>
              this.update({ priority: /** @type {any} */ (event.currentTarget.value) }),
          },
          PRIORITIES.map((value) => h("option", { key: value, value, selected: value === priority }, t(value))),
        ),
      ),
      h(
        "form",
        { class: "customer-tags", onSubmit: this.addTag },
        h("label", { for: "customer-tag" }, t("tags")),
        tags.length > 0 &&
          h(
            "div",
            { class: "customer-chips" },
            tags.map((tag) =>
              h(
                "span",
                { key: tag, class: "customer-chip" },
                h("bdi", null, tag),
                h(
                  "button",
                  { type: "button", "aria-label": t("removeTag", { tag }), onClick: () => this.removeTag(tag) },
                  icon("close"),
                ),
              ),
            ),
          ),
        tags.length < MOST_TAGS &&
          h(
            "div",
            { class: "customer-tag" },
            h("input", {
              id: "customer-tag",
              ref: this.tag,
              maxLength: 50,
              onBlur: this.addTag,
              dir: "auto",
              autocomplete: "off",
              "aria-label": t("addTag"),
              placeholder: t("addTag"),
            }),
            h("button", { class: "link" }, t("add")),
          ),
      ),
    );
  }
}

/** @param {readonly string[]} tags */
const chips = (tags) =>
  h(
    "span",
    { class: "customer-chips" },
    tags.map((tag) => h("span", { key: tag, class: "customer-chip" }, h("bdi", null, tag))),
  );
