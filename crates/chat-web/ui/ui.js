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
 * @property {() => import("./files.js").Files | null} files the part that shows files; the first call loads it
 * @property {(run: (files: import("./files.js").Files) => void) => void} withFiles runs a function once it is loaded
 * @property {(file: Attachment, thumbnail: boolean) => Promise<Blob>} download
 * @property {(file: AnyFile) => void} save
 * @property {(file: AnyFile) => void} view opens the lightbox
 * @property {(entry: Entry) => void} retry
 * @property {(entry: Entry) => void} edit
 * @property {(entry: Entry) => void} remove
 */
export {};
