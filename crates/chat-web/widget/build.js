/** Makes `widget/dist`: the loader, the panel with the client library, what it loads when it is needed, and the texts of each language. */

import path from "node:path";
import { fileURLToPath } from "node:url";

import { scripts, writeDist } from "../bundle.js";

const here = path.dirname(fileURLToPath(import.meta.url));

/** The widget has no inbox, and does nothing that agents do: these modules of the client are empty here. */
const EMPTY = {
  "inboxes.js": "export const createInboxes = () => ({ size: 0, open() {}, receive() {}, onSocketState() {}, end() {} });",
  "library-operations.js": "export const createLibraryOperations = () => ({});",
};

/** @type {import("esbuild").Plugin} */
const withoutDesk = {
  name: "without a desk",
  setup(plugin) {
    plugin.onLoad({ filter: /client.src.(?:inboxes|library-operations)\.js$/ }, ({ path: file }) => ({
      contents: EMPTY[/** @type {keyof typeof EMPTY} */ (path.basename(file))],
    }));
  },
};

const languages = ["en", "de", "fr", "es", "ar"].map((lang) => path.join(here, `texts/${lang}.js`));

const files = await scripts(
  "widget",
  {
    entryPoints: { widget: path.join(here, "loader.js") },
    format: "iife",
    define: { ASSETS: JSON.stringify("/__ASSETS__/widget/") },
  },
  {
    entryPoints: [path.join(here, "panel.js"), ...languages],
    splitting: true,
    format: "esm",
    plugins: [withoutDesk],
  },
);
await writeDist("widget", files);
