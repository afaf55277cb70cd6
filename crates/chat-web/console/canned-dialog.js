/** The dialog in which canned replies are written, changed, and carried to another browser as a file. */

import { Component, createRef, h } from "preact";

import { save } from "../ui/files.js";
import { replyName } from "./canned.js";
import { openDialog } from "./dialog.js";

/** @import { Parts } from "./types.js" */

/** The largest file that is read: no list of replies is longer, and a wrong file must not stop the page. */
const LARGEST_FILE = 5 * 1024 * 1024;

/**
 * What stands in the form and is not saved: a dialog closes easily.
 *
 * @type {WeakMap<object, { name: string, text: string, editing: string }>}
 */
const unsaved = new WeakMap();

/** @param {Parts} parts */
export function openCannedReplies(parts) {
  const { root, ui, desk } = parts;
  const dialog = openDialog(root, {
    title: ui.t("cannedReplies"),
    kind: "canned",
    body: ({ close }) => h(CannedReplies, { parts, close }),
    closed() {
      unsubscribe();
      parts.composer.current?.focus();
    },
  });
  const unsubscribe = desk.canned.subscribe(dialog.update);
}

/**
 * @typedef {object} CannedRepliesProps
 * @property {Parts} parts
 * @property {() => void} close
 *
 * @typedef {object} CannedRepliesState
 * @property {string} editing the name of the reply that is being changed, else empty
 * @property {string} problem with the form
 * @property {string} done what was done last
 * @property {{ name: string, text: string } | null} deleted what can be brought back
 */

/** @extends {Component<CannedRepliesProps, CannedRepliesState>} */
class CannedReplies extends Component {
  /** @type {CannedRepliesState} */
  state = { editing: "", problem: "", done: "", deleted: null };
  /** @type {import("preact").RefObject<HTMLInputElement | null>} */
  name = createRef();
  /** @type {import("preact").RefObject<HTMLTextAreaElement | null>} */
  text = createRef();
  /** @type {import("preact").RefObject<HTMLInputElement | null>} */
  file = createRef();

  get canned() {
    return this.props.parts.desk.canned;
  }

  componentDidMount() {
    const { name, text, editing } = unsaved.get(this.canned) ?? { name: "", text: "", editing: "" };
    this.fill(name, text);
    this.setState({ editing });
  }

  componentWillUnmount() {
    const { editing } = this.state;
    unsaved.set(this.canned, { name: this.name.current?.value ?? "", text: this.text.current?.value ?? "", editing });
  }

  /** @param {string} name @param {string} text */
  fill(name, text) {
    if (this.name.current) this.name.current.value = name;
    if (this.text.current) this.text.current.value = text;
  }

  submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const { t } = this.props.parts.ui;
    const { editing } = this.state;
    const name = replyName(this.name.current?.value ?? "");
    try {
      this.canned.put(name, this.text.current?.value ?? "", editing);
    } catch (error) {
      return this.setState({ problem: /** @type {Error} */ (error).message, done: "" });
    }
    this.fill("", "");
    this.setState({ editing: "", problem: "", done: t("cannedSaved", { name: `/${name}` }), deleted: null });
    this.name.current?.focus();
  };

  /** @param {{ name: string, text: string }} reply */
  edit({ name, text }) {
    this.fill(name, text);
    this.setState({ editing: name, problem: "", done: "", deleted: null });
    this.text.current?.focus();
  }

  stop = () => {
    this.fill("", "");
    this.setState({ editing: "", problem: "" });
    this.name.current?.focus();
  };

  /** @param {{ name: string, text: string }} reply */
  remove(reply) {
    const { t } = this.props.parts.ui;
    this.canned.remove(reply.name);
    this.setState({ done: t("cannedDeleted", { name: `/${reply.name}` }), deleted: reply, problem: "" });
    // The button that was pressed is gone.
    this.name.current?.focus();
  }

  undo = () => {
    const { deleted } = this.state;
    try {
      if (deleted) this.canned.put(deleted.name, deleted.text);
      this.setState({ done: "", deleted: null });
    } catch (error) {
      // Another window has added one with its name meanwhile.
      this.setState({ problem: /** @type {Error} */ (error).message });
    }
    this.name.current?.focus();
  };

  export = () => save(new Blob([this.canned.export()]), "canned-replies.json");

  import = async () => {
    const { t } = this.props.parts.ui;
    const input = this.file.current;
    const file = input?.files?.[0];
    if (!input || !file) return;
    try {
      if (file.size > LARGEST_FILE) throw new Error(t("cannedBadFile"));
      const { added, replaced } = this.canned.import(await file.text());
      const done = [t("cannedImported", { n: added }), replaced > 0 && t("cannedReplaced", { n: replaced })];
      this.setState({ problem: "", done: done.filter(Boolean).join(" "), deleted: null });
    } catch (error) {
      this.setState({ problem: /** @type {Error} */ (error).message, done: "" });
    }
    // The same file may be picked again.
    input.value = "";
  };

  /** @param {CannedRepliesProps} props @param {CannedRepliesState} state */
  render({ parts, close }, { editing, problem, done, deleted }) {
    const { t } = parts.ui;
    const { all } = this.canned;
    return [
      h("p", { class: "sheet-note" }, t("cannedHint", { customer: "{customer}" })),
      !this.canned.isStored && h("p", { class: "refused", role: "alert" }, t("cannedNotStored")),
      all.length > 0 &&
        h(
          "ul",
          { class: "canned-all" },
          all.map((reply) =>
            h(
              "li",
              { key: reply.name, class: "canned-item" },
              h("bdi", { class: "canned-name" }, `/${reply.name}`),
              h("p", { class: "canned-text", dir: "auto" }, reply.text),
              h(
                "button",
                {
                  class: "link",
                  "aria-label": t("cannedEdit", { name: `/${reply.name}` }),
                  onClick: () => this.edit(reply),
                },
                t("edit"),
              ),
              h(
                "button",
                {
                  class: "link",
                  "aria-label": t("cannedDelete", { name: `/${reply.name}` }),
                  onClick: () => this.remove(reply),
                },
                t("delete"),
              ),
            ),
          ),
        ),
      h(
        "form",
        { class: "canned-form", onSubmit: this.submit },
        h("h3", null, t(editing ? "cannedChange" : "cannedAdd")),
        h(
          "label",
          null,
          h("span", null, t("cannedName")),
          h("input", {
            class: "field focus-first",
            ref: this.name,
            autocomplete: "off",
            maxLength: 41,
            placeholder: "hello",
          }),
        ),
        h(
          "label",
          null,
          h("span", null, t("cannedText")),
          h("textarea", {
            class: "field",
            ref: this.text,
            rows: 3,
            dir: "auto",
            placeholder: t("cannedExample", { customer: "{customer}" }),
          }),
        ),
        h("p", { class: "refused", role: "alert" }, problem),
        h(
          "div",
          { class: "canned-row" },
          h("button", { class: "primary", type: "submit" }, t("cannedSave")),
          editing && h("button", { class: "link", type: "button", onClick: this.stop }, t("cancel")),
          h(
            "p",
            { class: "canned-done", role: "status" },
            done,
            deleted && [" ", h("button", { class: "link", type: "button", onClick: this.undo }, t("undo"))],
          ),
        ),
      ),
      h(
        "footer",
        { class: "sheet-actions canned-footer" },
        h("input", { type: "file", accept: ".json,application/json", hidden: true, ref: this.file, onChange: this.import }),
        h("button", { class: "link", onClick: () => this.file.current?.click() }, t("cannedImport")),
        all.length > 0 && h("button", { class: "link", onClick: this.export }, t("cannedExport")),
        h("button", { class: "primary canned-close", onClick: close }, t("done")),
      ),
    ];
  }
}
