/** The box in which a message is written. It grows with its text, and files wait in it until Enter. */

import { Component, createRef, h } from "preact";

import { icon } from "./icons.js";

/** @import { Ui } from "./ui.js" */

/**
 * @typedef {object} ComposerProps
 * @property {{ current: Composer | null }} handle by which others put texts and files into it
 * @property {Ui} ui
 * @property {string} draft what is in the box at first
 * @property {(text: string) => void} changed
 * @property {(text: string, files: File[]) => void} send
 *
 * @typedef {object} ComposerState
 * @property {File[]} files that wait
 * @property {string[]} refused why others do not
 * @property {boolean} isEmpty
 */

/** @extends {Component<ComposerProps, ComposerState>} */
export class Composer extends Component {
  /** @type {import("preact").RefObject<HTMLTextAreaElement | null>} */
  box = createRef();
  /** A copy of the text: it is as high as its lines, and the box is as high as it. @type {import("preact").RefObject<HTMLElement | null>} */
  copy = createRef();
  /** @type {ComposerState} */
  state = { files: [], refused: [], isEmpty: true };

  componentDidMount() {
    this.props.handle.current = this;
    this.set(this.props.draft);
  }

  componentWillUnmount() {
    this.props.handle.current = null;
  }

  get text() {
    return this.box.current?.value ?? "";
  }

  focus() {
    this.box.current?.focus();
  }

  /**
   * Puts a text before what is in the box already, and files behind those that wait. If some do not fit, everything stays
   * where it is.
   *
   * @param {string} text
   * @param {File[]} added
   * @param {() => void} taken
   */
  take(text, added, taken) {
    /** @param {import("./files.js").Files["accept"]} accept */
    const put = (accept) => {
      // The session may have ended while the part that knows files was loaded.
      if (!this.box.current) return;
      let isTaken = true;
      this.setState(({ files }) => {
        const accepted = accept(files, added);
        isTaken = !accepted.refused.length;
        return isTaken ? accepted : { refused: accepted.refused };
      });
      if (!isTaken) return;
      this.set(this.text ? `${text}\n${this.text}` : text);
      this.changed();
      this.focus();
      taken();
    };
    if (added.length) this.props.ui.withFiles(({ accept }) => put(accept));
    else put((files) => ({ files: [...files], refused: [] }));
  }

  /** @param {string} text */
  set(text) {
    if (this.box.current) this.box.current.value = text;
    this.fit();
  }

  fit() {
    // A last line with nothing in it has no height without a character.
    if (this.copy.current) this.copy.current.textContent = `${this.text}\u200b`;
    this.setState({ isEmpty: !this.text.trim() });
  }

  changed = () => {
    this.fit();
    this.props.changed(this.text);
  };

  /** @param {Iterable<File> | null | undefined} added */
  add(added) {
    const list = [...(added ?? [])];
    if (!list.length) return;
    this.focus();
    // Others may have been added while the part that knows files was loaded.
    this.props.ui.withFiles(({ accept }) => this.setState(({ files }) => accept(files, list)));
  }

  /** @param {File} file */
  drop = (file) => {
    this.setState({ files: this.state.files.filter((other) => other !== file), refused: [] });
    this.focus();
  };

  send = () => {
    const { files } = this.state;
    const text = this.text.trim();
    if (!text && !files.length) return;
    this.props.send(text, files);
    this.set("");
    this.setState({ files: [], refused: [] });
    this.focus();
  };

  /** @param {KeyboardEvent} event */
  key = (event) => {
    // With an input method Enter takes what it offers. Safari ends the composition before the key, with the code 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.send();
  };

  /** @param {ClipboardEvent} event */
  pasted = (event) => {
    const data = event.clipboardData;
    // Office programs add a picture of a text that has a form. A file manager adds a name, and a page no text.
    if (!data?.files.length || (data.getData("text/html") && data.getData("text"))) return;
    event.preventDefault();
    this.add(data.files);
  };

  /** @param {"attach" | "camera"} name */
  picker(name) {
    const label = this.props.ui.t(name);
    /** @type {import("preact").RefObject<HTMLInputElement | null>} */
    const input = createRef();
    const onChange = () => {
      this.add(input.current?.files);
      // The same file may be picked again.
      if (input.current) input.current.value = "";
    };
    return [
      h(
        "button",
        { class: `button ${name}`, "aria-label": label, title: label, onClick: () => input.current?.click() },
        icon(name),
      ),
      h("input", {
        type: "file",
        hidden: true,
        ref: input,
        onChange,
        ...(name === "camera" ? { accept: "image/*", capture: "environment" } : { multiple: true }),
      }),
    ];
  }

  /** @param {ComposerProps} props @param {ComposerState} state */
  render({ ui: { t, files: loaded } }, { files, refused, isEmpty }) {
    return h(
      "div",
      { class: "composer", part: "composer" },
      // Another one each time, so that the same is said again.
      h(
        "div",
        { key: refused, class: "refused", role: "alert" },
        refused.map((text) => h("p", null, text)),
      ),
      files.length > 0 && loaded()?.waiting(files, this.drop),
      h(
        "div",
        { class: "row" },
        this.picker("attach"),
        this.picker("camera"),
        h(
          "div",
          { class: "grow" },
          h("div", { class: "copy", "aria-hidden": true, ref: this.copy }),
          h("textarea", {
            part: "input",
            rows: 1,
            dir: "auto",
            enterkeyhint: "send",
            "aria-label": t("message"),
            placeholder: t("writeMessage"),
            ref: this.box,
            onInput: this.changed,
            onKeyDown: this.key,
            onPaste: this.pasted,
          }),
        ),
        h(
          "button",
          {
            class: "button send",
            part: "send",
            "aria-label": t("send"),
            title: t("send"),
            disabled: isEmpty && !files.length,
            onClick: this.send,
          },
          icon("send"),
        ),
      ),
    );
  }
}
