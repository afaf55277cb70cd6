/** The page with the directory of agents, for admins: who they are, whether they are here, and what an admin may change. */

import { Component, h } from "preact";

import { avatar } from "../ui/avatar.js";

/** @import { Agent } from "../client/index.js" */
/** @import { Parts } from "./types.js" */

/** How often the list is read again while the page is seen: agents come and go. */
const EVERY_MS = 15_000;
/** As the server has it. */
const LONGEST_NAME = 100;
const LONGEST_ID = 128;
/** @type {Record<NonNullable<Agent["availability"]>, import("./texts.js").Key>} */
const WORDS = { online: "online", away: "away", offline: "agentOffline" };

/** @param {Parts} parts */
export const agents = (parts) => h(Agents, { parts });

/**
 * What is asked in the row of an agent: a new name, or whether it is meant.
 *
 * @typedef {"rename" | "deactivate" | "signOut"} Question
 *
 * @typedef {object} State
 * @property {readonly Agent[] | null} list
 * @property {boolean} hasFailed
 * @property {{ id: string, question: Question } | null} asked
 * @property {string} name that is typed, for the question `rename`
 * @property {{ id: string, name: string }} added what is typed in the form at the end
 * @property {string} refused why the form was not accepted
 * @property {boolean} isBusy
 *
 * @extends {Component<{ parts: Parts }, State>}
 */
class Agents extends Component {
  /** @type {State} */
  state = {
    list: null,
    hasFailed: false,
    asked: null,
    name: "",
    added: { id: "", name: "" },
    refused: "",
    isBusy: false,
  };
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #isGone = false;
  /** @type {HTMLElement | null} */
  #root = null;
  /** Where the focus goes behind the next change: the selector of a control. */
  #next = "";

  componentDidMount() {
    void this.#read();
    this.#timer = setInterval(() => document.hidden || void this.#read(), EVERY_MS);
  }

  componentWillUnmount() {
    this.#isGone = true;
    clearInterval(this.#timer);
  }

  componentDidUpdate() {
    if (!this.#next) return;
    const next = /** @type {HTMLElement | null | undefined} */ (this.#root?.querySelector(this.#next));
    this.#next = "";
    next?.focus();
    if (next instanceof HTMLInputElement) next.select();
  }

  async #read() {
    try {
      const list = await this.props.parts.desk.client.agents.list();
      if (!this.#isGone) this.setState({ list, hasFailed: false });
    } catch {
      if (!this.#isGone) this.setState({ hasFailed: true });
    }
  }

  /**
   * Does something, says how it went and shows the list as it is then.
   *
   * @param {() => Promise<unknown>} run
   * @param {string} done
   * @returns {Promise<boolean>}
   */
  async #change(run, done) {
    const { desk, ui } = this.props.parts;
    if (this.state.isBusy) return false;
    this.setState({ isBusy: true });
    try {
      await run();
      desk.tell(done);
      await this.#read();
      return true;
    } catch {
      desk.tell(ui.t("agentFailed"), "assertive");
      return false;
    } finally {
      this.setState({ isBusy: false });
    }
  }

  /** @param {string} id @param {Question} question */
  #ask(id, question) {
    const agent = this.state.list?.find((one) => one.id === id);
    this.#next = ".agent-question :is(input, button)";
    this.setState({ asked: { id, question }, name: agent?.displayName ?? "" });
  }

  /** Back to the button that has asked. */
  #answer = () => {
    const { asked } = this.state;
    const row = asked && this.state.list?.findIndex((one) => one.id === asked.id);
    // The button that switches an agent off is another one behind it, at the same place.
    if (asked) this.#next = `.agents > li:nth-child(${Number(row) + 1}) .agent-${asked.question}`;
    this.setState({ asked: null });
  };

  render() {
    const { t } = this.props.parts.ui;
    const { list, hasFailed } = this.state;
    return h(
      "section",
      {
        class: "page",
        "aria-labelledby": "agents-title",
        ref: this.#keep,
        onKeyDown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Escape" || event.isComposing || !this.state.asked) return;
          event.preventDefault();
          this.#answer();
        },
      },
      h("header", { class: "page-header" }, h("h2", { id: "agents-title" }, t("agents"))),
      hasFailed && h("p", { class: "page-problem", role: "alert" }, t("agentsFailed")),
      !list && !hasFailed && h("p", { class: "page-empty" }, t("agentsLoading")),
      list?.length === 0 && h("p", { class: "page-empty" }, t("agentsEmpty")),
      list && list.length > 0 && h("ul", { class: "agents" }, list.map((agent, at) => this.#row(agent, at))),
      list && this.#form(list),
    );
  }

  /** @param {HTMLElement | null} element */
  #keep = (element) => {
    this.#root = element;
  };

  /** @param {Agent} agent @param {number} at */
  #row(agent, at) {
    const { t, avatars } = this.props.parts.ui;
    const { asked, isBusy } = this.state;
    const { id, displayName, avatarUrl, active, availability = "offline" } = agent;
    const name = displayName ?? id;
    const about = `agent-${at}`;
    /** @param {Question} what @param {string} text @param {() => void} onClick */
    const button = (what, text, onClick) =>
      h(
        "button",
        {
          class: `secondary agent-${what}`,
          // One that is disabled would lose the focus.
          "aria-disabled": isBusy,
          "aria-describedby": about,
          onClick: () => !isBusy && onClick(),
        },
        text,
      );
    return h(
      "li",
      { key: id, class: active ? "" : "agent-inactive" },
      avatar({ id, name, avatarUrl }, avatars),
      h(
        "div",
        { class: "agent-about", id: about },
        h("h3", null, h("bdi", null, name)),
        h(
          "p",
          null,
          h(
            "span",
            { class: "agent-state" },
            active && h("span", { class: `presence presence-${availability}`, "aria-hidden": true }),
            t(active ? WORDS[availability] : "inactive"),
          ),
          name !== id && h("bdi", null, id),
        ),
      ),
      asked?.id === id
        ? this.#question(agent, asked.question)
        : h(
            "div",
            { class: "agent-buttons" },
            button("rename", t("rename"), () => this.#ask(id, "rename")),
            active
              ? button("deactivate", t("deactivate"), () => this.#ask(id, "deactivate"))
              : button("deactivate", t("activate"), () => void this.#activate(agent)),
            button("signOut", t("signOutEverywhere"), () => this.#ask(id, "signOut")),
          ),
    );
  }

  /** @param {Agent} agent @param {Question} question */
  #question(agent, question) {
    const { desk, ui } = this.props.parts;
    const { t } = ui;
    const { id, displayName } = agent;
    const name = displayName ?? id;
    const { client } = desk;
    const typed = this.state.name.trim();
    const { text, label, run, done } = {
      rename: {
        text: "",
        label: t("save"),
        run: () => client.agents.put(id, { displayName: typed }),
        done: t("renamed", { name: typed }),
      },
      deactivate: {
        text: t("deactivateAsk", { name }),
        label: t("deactivate"),
        run: () => client.agents.deactivate(id),
        done: t("deactivated", { name }),
      },
      signOut: {
        text: t("signOutAsk", { name }),
        label: t("signOutEverywhere"),
        run: () => client.people.signOut(id),
        done: t("signedOutEverywhere", { name }),
      },
    }[question];
    return h(
      "form",
      {
        class: "agent-question",
        onSubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          if (question === "rename" && !typed) return;
          if (await this.#change(run, done)) this.#answer();
        },
      },
      question === "rename"
        ? field(t("agentName"), this.state.name, LONGEST_NAME, (name) => this.setState({ name }))
        : h("p", null, text),
      h("button", { type: "button", class: "secondary", onClick: this.#answer }, t("cancel")),
      h("button", { class: "primary", "aria-disabled": this.state.isBusy }, label),
    );
  }

  /** @param {Agent} agent */
  #activate({ id, displayName }) {
    const { desk, ui } = this.props.parts;
    const done = ui.t("activated", { name: displayName ?? id });
    return this.#change(() => desk.client.agents.put(id, { active: true }), done);
  }

  /** A new agent, at the end of the list. @param {readonly Agent[]} list */
  #form(list) {
    const { desk, ui } = this.props.parts;
    const { t } = ui;
    const { added, refused, isBusy } = this.state;
    const id = added.id.trim();
    const name = added.name.trim();
    /** @param {Partial<State["added"]>} changes */
    const set = (changes) => this.setState(({ added }) => ({ added: { ...added, ...changes }, refused: "" }));
    const add = async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (!id) return this.setState({ refused: t("agentNoId") });
      // The server would take it as a new name.
      if (list.some((agent) => agent.id === id)) return this.setState({ refused: t("agentTaken", { id }) });
      const run = () => desk.client.agents.put(id, name ? { displayName: name } : {});
      if (!(await this.#change(run, t("agentAdded", { name: name || id })))) return;
      this.#next = ".agent-form input";
      set({ id: "", name: "" });
    };
    return h(
      "form",
      { class: "agent-form", onSubmit: add },
      h("h3", null, t("addAgent")),
      h("p", null, t("addAgentMore")),
      field(t("agentId"), added.id, LONGEST_ID, (id) => set({ id })),
      field(t("agentName"), added.name, LONGEST_NAME, (name) => set({ name })),
      h("button", { class: "primary", "aria-disabled": isBusy }, t("addAgent")),
      refused && h("p", { class: "page-problem", role: "alert" }, refused),
    );
  }
}

/** @param {string} label @param {string} value @param {number} longest @param {(value: string) => void} changed */
function field(label, value, longest, changed) {
  return h(
    "label",
    { class: "page-field" },
    h("span", null, label),
    h("input", {
      value,
      maxLength: longest,
      autocomplete: "off",
      onInput: (/** @type {Event} */ { target }) => changed(/** @type {HTMLInputElement} */ (target).value),
    }),
  );
}
