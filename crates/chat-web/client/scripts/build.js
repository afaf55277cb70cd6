// Makes `dist/client.js`, the one file that is served as `/client.js`: all modules, without comments and with short local
// names. It is checked in, so that neither the server's build nor its users need Node.js; a test compares it.
//
// esbuild does it because whitespace and comments are half of the sources, and because a change of names by hand or by a
// script of ours could not be trusted. Nothing of it is needed where the library runs.
import { build } from "esbuild";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

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
    banner: { js: "// Built from crates/chat-web/client/src by `npm run build`. Do not edit." },
    write: false,
  });
  return outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(here("../dist/client.js"), await bundle());
