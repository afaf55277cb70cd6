/** Makes `demo/dist`: the page of development mode, with the console in it. */

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { scripts, writeDist } from "../bundle.js";

const here = path.dirname(fileURLToPath(import.meta.url));

const files = await scripts("demo", {
  entryPoints: { demo: path.join(here, "main.js") },
  splitting: true,
  format: "esm",
});
const sheet = await build({ entryPoints: [path.join(here, "demo.css")], bundle: true, minify: true, write: false });
await writeDist(
  "demo",
  new Map([
    ...files,
    ["demo.css", Buffer.from(sheet.outputFiles[0]?.contents ?? "")],
    ["icon.svg", await readFile(path.join(here, "../ui/icon.svg"))],
    ["index.html", await readFile(path.join(here, "index.html"))],
  ]),
);
