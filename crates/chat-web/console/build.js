/** Makes `console/dist`: the page, its script, and what is loaded when it is needed. */

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { scripts, writeDist } from "../bundle.js";

const here = path.dirname(fileURLToPath(import.meta.url));

// What the script and the pages for admins share becomes `chunk.js`, which the page names, so that both load at once.
const files = await scripts("console", {
  entryPoints: { console: path.join(here, "main.js") },
  splitting: true,
  format: "esm",
});
await writeDist(
  "console",
  new Map([
    ...files,
    ["icon.svg", await readFile(path.join(here, "../ui/icon.svg"))],
    ["index.html", await readFile(path.join(here, "index.html"))],
  ]),
);
