/** Makes `console/dist`: the page, and its scripts with the client library. */

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { scripts, writeDist } from "../bundle.js";

const here = path.dirname(fileURLToPath(import.meta.url));

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
