// Makes `dist/client.js`, the one file that is served as `/client.js`: all modules, without comments and with short local
// names. It is checked in, so that neither the server's build nor its users need Node.js; a test compares it.
//
// esbuild does it because whitespace and comments are half of the sources, and because a change of names by hand or by a
// script of ours could not be trusted. What it leaves, terser shortens by a twentieth. Nothing of them is needed where the
// library runs.
import { build } from "esbuild";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

const BANNER = "// Built from crates/chat-web/client/src by `npm run build`. Do not edit.";

/** The contents of the file. */
export async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [here("../src/index.js")],
    bundle: true,
    minify: true,
    format: "esm",
    // What browsers of the last three years have.
    target: "es2022",
    legalComments: "none",
    write: false,
  });
  const { code } = await minify(outputFiles[0].text, { module: true, ecma: 2020, compress: { passes: 3 } });
  return `${BANNER}\n${code}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(here("../dist/client.js"), await bundle());
