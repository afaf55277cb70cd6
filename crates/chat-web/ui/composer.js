/** The box in which a message is written. It grows with its text, and files wait in it until Enter. */

import { Component, createRef } from "preact"

import { accept, isPicture, size } from "./files.js"
import { html } from "./html.js"
import { Icon } from "./icons.js"
import { Picture } from "./picture.js"

/** @import { Ui } from "./ui.js" */

/**
 * @typedef {object} ComposerProps
 * @property {Ui} ui
 * @property {string} draft what is in the box at first
 * @property {(text: string) => void} changed
 * @property {(text: string, files: File[]) => void} send
 */

/** @extends {Component<ComposerProps, { files: File[], refused: string[], isEmpty: boolean }>} */
export class Composer extends Component {
  /** @type {import("preact").RefObject<HTMLTextAreaElement>} */
  box = createRef()
  /** A copy of the text that is as high as it is: the box has the height of its copy. @type {import("preact").RefObject<HTMLElement>} */
  copy = createRef()
  /** @type {import("preact").RefObject<HTMLInputElement>} */
  picker = createRef()
  /** @type {import("preact").RefObject<HTMLInputElement>} */
  camera = createRef()
  state = { files: /** @type {File[]} */ ([]), refused: /** @type {string[]} */ ([]), isEmpty: true }

  componentDidMount() {
    this.set(this.props.draft)
  }

  focus() {
    this.box.current?.focus()
  }

  /** Puts a text before what is in the box already, and files behind those that wait. @param {string} text @param {File[]} files */
  take(text, files) {
    const rest = this.box.current?.value
    this.set(rest ? `${text}\n${rest}` : text)
    this.changed()
    this.add(files)
    this.focus()
  }

  /** @param {string} text */
  set(text) {
    if (this.box.current) this.box.current.value = text
    this.fit()
  }

  fit() {
    const { value = "" } = this.box.current ?? {}
    // A line that has nothing in it has no height without a character.
    if (this.copy.current) this.copy.current.textContent = `${value}\u200b`
    this.setState({ isEmpty: !/\S/.test(value) })
  }

  changed = () => {
    this.fit()
    this.props.changed(this.box.current?.value ?? "")
  }

  /** @param {Iterable<File> | null | undefined} added */
  add = (added) => {
    const list = [...(added ?? [])]
    if (list.length === 0) return
    const { files, refused } = accept(this.state.files, list)
    this.setState({ files, refused: refused.map(({ reason, name }) => this.props.ui.t(reason, { name })) })
    this.focus()
  }

  /** @param {File} file */
  drop = (file) => {
    this.setState({ files: this.state.files.filter((other) => other !== file), refused: [] })
    this.focus()
  }

  send = () => {
    const { files } = this.state
    const text = this.box.current?.value ?? ""
    if (!/\S/.test(text) && files.length === 0) return
    this.props.send(/\S/.test(text) ? text.trim() : "", files)
    this.set("")
    this.setState({ files: [], refused: [] })
    this.focus()
  }

  /** @param {KeyboardEvent} event */
  key = (event) => {
    // With an input method Enter takes what it offers. Safari ends the composition before the key, with the code 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return
    event.preventDefault()
    this.send()
  }

  /** @param {ClipboardEvent} event */
  pasted = (event) => {
    const files = event.clipboardData?.files
    if (!files?.length) return
    event.preventDefault()
    this.add(files)
  }

  /** @param {Event} event */
  picked = (event) => {
    const input = /** @type {HTMLInputElement} */ (event.currentTarget)
    this.add(input.files)
    // The same file may be picked again.
    input.value = ""
  }

  /** @param {ComposerProps} props @param {Composer["state"]} state */
  render({ ui }, { files, refused, isEmpty }) {
    return html`<div class="composer" part="composer">
      <div class="refused" role="alert">${refused.map((text) => html`<p>${text}</p>`)}</div>
      ${files.length > 0 &&
      html`<ul class="waiting" aria-label=${ui.t("filesWaiting")}>
        ${files.map((file) => html`<${Waiting} key=${keyOf(file)} ui=${ui} file=${file} drop=${this.drop} />`)}
      </ul>`}
      <div class="row">
        <button type="button" class="button" aria-label=${ui.t("attach")} title=${ui.t("attach")} onClick=${() => this.picker.current?.click()}>
          <${Icon} name="attach" />
        </button>
        <button type="button" class="button camera" aria-label=${ui.t("camera")} onClick=${() => this.camera.current?.click()}>
          <${Icon} name="camera" />
        </button>
        <input type="file" multiple hidden ref=${this.picker} onChange=${this.picked} />
        <input type="file" accept="image/*" capture="environment" hidden ref=${this.camera} onChange=${this.picked} />
        <div class="grow">
          <div class="copy" aria-hidden="true" ref=${this.copy} />
          <textarea
            part="input"
            rows="1"
            dir="auto"
            maxlength="10000"
            enterkeyhint="send"
            aria-label=${ui.t("message")}
            placeholder=${ui.t("writeMessage")}
            ref=${this.box}
            onInput=${this.changed}
            onKeyDown=${this.key}
            onPaste=${this.pasted}
          />
        </div>
        <button type="button" class="button send" part="send" aria-label=${ui.t("send")} title=${ui.t("send")} disabled=${isEmpty && files.length === 0} onClick=${this.send}>
          <${Icon} name="send" />
        </button>
      </div>
    </div>`
  }
}

/** @param {{ ui: Ui, file: File, drop: (file: File) => void }} props */
const Waiting = ({ ui, file, drop }) =>
  html`<li class="chip">
    ${isPicture(file) ? html`<${Picture} ui=${ui} file=${{ id: null, file, type: file.type, name: file.name, size: file.size }} />` : html`<${Icon} name="file" />`}
    <span class="label"><bdi>${file.name}</bdi><small>${size(ui.lang, file.size)}</small></span>
    <button type="button" class="button small" aria-label=${ui.t("removeFile", { name: file.name })} onClick=${() => drop(file)}>
      <${Icon} name="close" />
    </button>
  </li>`

/** Two files may have one name. @type {WeakMap<File, number>} */
const keys = new WeakMap()
let lastKey = 0

/** @param {File} file */
function keyOf(file) {
  const key = keys.get(file) ?? ++lastKey
  keys.set(file, key)
  return key
}
