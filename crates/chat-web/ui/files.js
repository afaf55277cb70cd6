/**
 * Files: which are accepted before anything is uploaded, and how those of a message are shown. It is loaded with the first
 * file, so it is given Preact instead of importing it: one copy of it stays in the panel.
 */

import styles from "./files.css";

/** @import { Attachment } from "../client/index.js" */
/** @import { AnyFile, Ui } from "./ui.js" */

/** The defaults of the server. What it refuses beyond them fails with its reason. */
const MOST_FILES = 10;
const LARGEST_FILE = 25 * 1024 * 1024;
const LARGEST_MESSAGE = 50 * 1024 * 1024;

/** A picture that cannot be had is asked for again so often at least, in seconds. */
const LONGEST_PAUSE = 60;

/** Raster images alone. SVG and HTML could run a script, so they are never rendered, whatever they are called. */
const PICTURES = /^image\/(?:avif|gif|jpeg|png|webp)$/;

/** @typedef {ReturnType<typeof createFiles>} Files */

/**
 * @param {Pick<typeof import("preact"), "Component" | "createRef" | "h">} preact
 * @param {(name: import("./icons.js").IconName) => import("preact").VNode} icon
 * @param {Ui} ui
 */
export function createFiles({ Component, createRef, h }, icon, ui) {
  const { t } = ui;

  /**
   * A small picture: of a file that is not sent yet, or a thumbnail of the server once it comes into sight.
   *
   * @extends {Component<{ file: AnyFile, open?: (event: Event) => void }, { address: string, isBroken: boolean }>}
   */
  class Picture extends Component {
    /** @type {import("preact").RefObject<any>} */
    box = createRef();
    state = { address: "", isBroken: false };
    isOver = false;
    /** Until it is asked for again, in seconds. */
    pause = 1;
    observer = new IntersectionObserver(([change]) => {
      if (!change?.isIntersecting) return;
      this.observer.disconnect();
      ui.download(/** @type {Attachment} */ (this.props.file), true).then(this.show, this.failed);
    });

    componentDidMount() {
      const { file } = this.props;
      const colour = file.id === null ? undefined : file.metadata?.dominantColor;
      if (colour) this.box.current.style.setProperty("background-color", colour);
      this.load();
    }

    /** What has just been sent is shown from here until its thumbnail comes, so that nothing flashes. */
    componentDidUpdate(/** @type {{ file: AnyFile }} */ { file }) {
      if (file.id !== this.props.file.id) this.load();
    }

    componentWillUnmount() {
      this.isOver = true;
      this.observer.disconnect();
      URL.revokeObjectURL(this.state.address);
    }

    load() {
      const { file } = this.props;
      if (file.id === null) this.show(file.file);
      else this.observer.observe(this.box.current);
    }

    show = (/** @type {Blob} */ blob) => {
      if (this.isOver) return;
      URL.revokeObjectURL(this.state.address);
      this.setState({ address: URL.createObjectURL(blob), isBroken: false });
    };

    /** One that may come later is asked for again while it is in sight. */
    failed = (/** @type {Partial<import("../client/index.js").ChatError>} */ { code, retryable, retryAfter }) => {
      if (this.isOver) return;
      this.setState({ isBroken: true });
      // Who has to sign in again sees another view then.
      if (!retryable || code === "AUTH") return;
      setTimeout(() => this.isOver || this.load(), 1_000 * Math.max(retryAfter ?? 0, this.pause));
      this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
    };

    render() {
      const { file, open } = this.props;
      const { address, isBroken } = this.state;
      const image = address ? h("img", { src: address, alt: "" }) : isBroken && icon("file");
      const common = { class: "picture", part: "picture", ref: this.box };
      if (!open) return h("span", common, image);
      return h(
        "button",
        { ...common, title: file.name, "aria-label": t("openPicture", { name: file.name }), onClick: open },
        image,
      );
    }
  }

  /** @param {AnyFile | File} file */
  const isPicture = (file) => PICTURES.test(file.type);

  /** @param {AnyFile | File} file */
  const label = (file) => h("span", { class: "label" }, h("bdi", null, file.name), h("small", null, size(file.size)));

  /** Such as "1.4 MB". @param {number} bytes */
  function size(bytes) {
    const step = bytes >= 1e6 ? 2 : bytes >= 1e3 ? 1 : 0;
    const value = bytes / 1e3 ** step;
    return new Intl.NumberFormat(ui.lang, {
      style: "unit",
      unit: ["byte", "kilobyte", "megabyte"][step] ?? "byte",
      // The short form of bytes is "byte" in English, whatever their number.
      unitDisplay: step ? "short" : "long",
      maximumFractionDigits: value < 10 ? 1 : 0,
    }).format(value);
  }

  /** @param {readonly File[]} waiting @param {File} file */
  function refusal(waiting, file) {
    if (file.size === 0) return "emptyFile";
    if (file.size > LARGEST_FILE) return "tooLarge";
    if (waiting.length >= MOST_FILES) return "tooMany";
    return waiting.reduce((sum, { size }) => sum + size, file.size) > LARGEST_MESSAGE ? "tooLargeTogether" : null;
  }

  return {
    styles,
    isPicture,

    /** Which files wait then, and why others do not. @param {readonly File[]} waiting @param {readonly File[]} added */
    accept(waiting, added) {
      const files = [...waiting];
      /** @type {string[]} */
      const refused = [];
      for (const file of added) {
        const reason = refusal(files, file);
        if (reason) refused.push(t(reason, { name: file.name }));
        else files.push(file);
      }
      return { files, refused };
    },

    /** The files of a message. @param {readonly AnyFile[]} files */
    list(files) {
      const pictures = files.filter(isPicture);
      return [
        pictures.length > 0 &&
          h(
            "div",
            { class: pictures.length > 1 ? "pictures several" : "pictures" },
            pictures.map((file, at) => h(Picture, { key: at, file, open: () => ui.view(file) })),
          ),
        files
          .filter((file) => !isPicture(file))
          .map((file) =>
            h(
              "button",
              { class: "file", part: "file", onClick: () => ui.save(file) },
              icon("file"),
              label(file),
              h("span", { class: "unseen" }, t("download")),
              icon("download"),
            ),
          ),
      ];
    },

    /** The files that wait in the composer. @param {readonly File[]} files @param {(file: File) => void} drop */
    waiting: (files, drop) =>
      files.length > 0 &&
      h(
        "ul",
        { class: "waiting", "aria-label": t("filesWaiting") },
        files.map((file) =>
          h(
            "li",
            { class: "chip", key: keyOf(file) },
            isPicture(file)
              ? h(Picture, { file: { id: null, file, type: file.type, name: file.name, size: file.size } })
              : icon("file"),
            label(file),
            h(
              "button",
              { class: "button small", "aria-label": t("removeFile", { name: file.name }), onClick: () => drop(file) },
              icon("close"),
            ),
          ),
        ),
      ),
  };
}

/** Two files may have one name. @type {WeakMap<File, number>} */
const keys = new WeakMap();
let lastKey = 0;

/** @param {File} file */
function keyOf(file) {
  const key = keys.get(file) ?? ++lastKey;
  keys.set(file, key);
  return key;
}

/** Saves bytes under a name. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = document.createElement("a");
  // As bytes without a type: the browser saves them and shows nothing.
  link.href = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  // The browser has taken the bytes when the click is handled; the address holds them until it is given back.
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}

/** A file of a message that was not sent goes back into the composer. @param {AnyFile} file */
export function asFile({ id, ...local }) {
  if (id !== null || !("file" in local)) return [];
  return [local.file instanceof File ? local.file : new File([local.file], local.name, { type: local.type })];
}
