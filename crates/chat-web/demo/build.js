/** Makes `demo/dist`: the page of development mode, with the console in it. */

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { scripts, writeDist } from "../bundle.js";

const here = path.dirname(fileURLToPath(import.meta.url));

const files = await scripts("demo", {
  entryPoints: { demo: path.join(here, "main.js") },
  splitting: true,
  format: "esm",
});
await writeDist("demo", new Map([...files, ["index.html", await readFile(path.join(here, "index.html"))]]));
