/** What all pieces of the user interface are given: texts, times, and what a person may do with a message. */

/** @import { Attachment, Entry, LocalAttachment } from "../client/index.js" */

/**
 * @typedef {Attachment | LocalAttachment} AnyFile
 *
 * @typedef {object} Ui
 * @property {string} lang
 * @property {(key: import("../widget/texts/en.js").Key, values?: import("./words.js").Values) => string} t
 * @property {import("./time.js").Times} times
 * @property {boolean} avatars whether pictures of people are loaded from their addresses
 * @property {(file: Attachment, thumbnail: boolean) => Promise<Blob>} download
 * @property {(file: AnyFile) => void} save
 * @property {(file: AnyFile, from: HTMLElement | null) => void} view opens the lightbox
 * @property {(entry: Entry) => void} retry
 * @property {(entry: Entry) => void} edit
 * @property {(entry: Entry) => void} remove
 */
export {}
