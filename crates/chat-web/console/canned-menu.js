/**
 * What stands around the composer: the line that says who types, and the canned replies that `/name` at the beginning of a
 * message offers. The focus stays in the box: arrows choose, Enter and Tab insert, Escape leaves the text as it is.
 */

import { Component, h } from "preact";

import { filled, matching } from "./canned.js";
import { openCannedReplies } from "./canned-dialog.js";

/** @import { CannedReplies, Parts } from "./types.js" */

/**
 * @typedef {object} CannedMenuProps
 * @property {Parts} parts
 * @property {string} customer the name that `{customer}` stands for
 * @property {import("preact").ComponentChildren} line who types
 * @property {import("preact").ComponentChildren} [children] the composer
 *
 * @typedef {object} CannedMenuState
 * @property {CannedReplies["all"]} found
 * @property {number} at the one that Enter inserts
 * @property {boolean} isEmpty whether "/" was typed and there are none at all
 * @property {string} unknown what was not sent at the first Enter, since it looks like the name of a reply that there is not
 */

const NONE = { found: [], at: 0, isEmpty: false, unknown: "" };
const LIST = "canned-list";

/** @extends {Component<CannedMenuProps, CannedMenuState>} */
export class CannedMenu extends Component {
  /** @type {CannedMenuState} */
  state = NONE;

  get box() {
    return this.props.parts.composer.current?.box.current ?? null;
  }

  componentDidUpdate() {
    const { found, at } = this.state;
    const { box } = this;
    if (!box) return;
    // Readers say the option that is chosen, and that there are some.
    const values = found.length
      ? { "aria-controls": LIST, "aria-activedescendant": `${LIST}-${at}`, "aria-autocomplete": "list" }
      : {};
    for (const name of ["aria-controls", "aria-activedescendant", "aria-autocomplete"]) {
      const value = /** @type {Record<string, string>} */ (values)[name];
      if (value === undefined) box.removeAttribute(name);
      else if (box.getAttribute(name) !== value) box.setAttribute(name, value);
    }
    this.element?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  /** @type {HTMLElement | null} */
  element = null;

  /** What stands before the caret. A selection is about to be replaced, and offers nothing. */
  get typed() {
    const { box } = this;
    return box && box.selectionStart === box.selectionEnd ? box.value.slice(0, box.selectionEnd) : "";
  }

  offer = () => {
    const { all } = this.props.parts.desk.canned;
    const { typed } = this;
    const found = matching(all, typed);
    const isEmpty = all.length === 0 && typed === "/";
    if (found.length || isEmpty || this.isOpen || this.state.unknown) {
      this.setState({ found, at: 0, isEmpty, unknown: "" });
    }
  };

  hide = () => (this.isOpen || this.state.unknown) && this.setState(NONE);

  get isOpen() {
    return this.state.found.length > 0 || this.state.isEmpty;
  }

  /** @param {KeyboardEvent} event */
  key = (event) => {
    const { found, at } = this.state;
    if (event.target !== this.box || event.isComposing || event.keyCode === 229) return;
    if (event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!this.isOpen && (event.key !== "Enter" || !this.isHeld())) return;
    const { length } = found;
    if (!this.isOpen) this.warn();
    else if (event.key === "Escape") {
      this.agreed = this.box?.value ?? "";
      this.setState(NONE);
    } else if (length === 0 && event.key === "Enter") this.manage();
    else if (length === 0) return;
    else if (event.key === "ArrowDown") this.setState({ at: (at + 1) % length });
    else if (event.key === "ArrowUp") this.setState({ at: (at + length - 1) % length });
    else if (event.key === "Enter" || event.key === "Tab") this.insert(found[at]);
    else return;
    // The composer would send, and the page would leave the thread.
    event.preventDefault();
    event.stopPropagation();
  };

  /** The text that may be sent although it looks like a name: the person was asked, or has chosen none of the replies. */
  agreed = "";

  /** Whether Enter asks first: what is typed is the name of no reply, and would be sent as it is. */
  isHeld() {
    const { value = "" } = this.box ?? {};
    if (value === this.agreed) return void this.hide();
    return this.props.parts.desk.canned.all.length > 0 && /^\/\S+$/.test(value);
  }

  warn() {
    const { parts } = this.props;
    const { value: unknown = "" } = this.box ?? {};
    this.agreed = unknown;
    this.setState({ ...NONE, unknown });
    parts.desk.say(parts.ui.t("cannedUnknown", { name: unknown }));
  }

  /**
   * Puts a reply in the place of its name. What stands behind that stays.
   *
   * @param {CannedReplies["all"][number] | undefined} reply
   */
  insert(reply) {
    const { parts, customer } = this.props;
    const { box } = this;
    if (!box || !reply) return;
    box.setRangeText(filled(reply.text, customer), 0, this.typed.length, "end");
    parts.composer.current?.changed();
    this.setState(NONE);
    box.focus();
    box.scrollTop = box.scrollHeight;
  }

  manage = () => {
    this.hide();
    openCannedReplies(this.props.parts);
  };

  /** @param {CannedMenuProps} props @param {CannedMenuState} state */
  render({ parts, line, children }, { found, at, isEmpty, unknown }) {
    const { t } = parts.ui;
    return h(
      "div",
      {
        class: "thread-foot",
        ref: (/** @type {HTMLElement | null} */ element) => void (this.element = element),
        onInput: this.offer,
        onKeyDownCapture: this.key,
        onFocusOut: this.hide,
      },
      h(
        "div",
        { class: "canned-line" },
        h("p", { class: "typing" }, line),
        h("button", { class: "link", onClick: this.manage }, t("cannedReplies")),
      ),
      found.length > 0 &&
        h(
          "div",
          { class: "canned-menu", role: "listbox", id: LIST, "aria-label": t("cannedReplies") },
          found.map((reply, index) =>
            h(
              "div",
              {
                key: reply.name,
                class: "canned-option",
                role: "option",
                id: `${LIST}-${index}`,
                "aria-selected": index === at,
                // The box keeps the focus.
                onMouseDown: (/** @type {Event} */ event) => event.preventDefault(),
                onClick: () => this.insert(reply),
              },
              h("bdi", { class: "canned-name" }, `/${reply.name}`),
              h("span", { class: "canned-text", dir: "auto" }, reply.text),
            ),
          ),
        ),
      isEmpty &&
        h(
          "div",
          { class: "canned-menu canned-none" },
          h("p", null, t("cannedNone")),
          h(
            "button",
            { class: "link", onMouseDown: (/** @type {Event} */ event) => event.preventDefault(), onClick: this.manage },
            t("cannedAdd"),
          ),
        ),
      unknown && h("div", { class: "canned-menu canned-none" }, h("p", null, t("cannedUnknown", { name: unknown }))),
      children,
    );
  }
}
