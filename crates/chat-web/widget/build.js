/**
 * Makes `widget/dist`: the loader, the panel with the client library, the lightbox, and a file for each language, without
 * comments and with short local names. They are checked in, so that neither the server's build nor its users need Node.js;
 * a test compares them.
 *
 * `node widget/build.js` writes them. The names carry no hash, since the server puts one into their address: it replaces
 * `__ASSETS__` in the loader.
 */

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import { minify } from "terser";

const here = path.dirname(fileURLToPath(import.meta.url));
const vendor = path.join(here, "../vendor");

/** Style sheets become texts: a shadow root adopts them, so that no policy of a page has to allow them. */
const styles = {
  name: "styles",
  /** @param {import("esbuild").PluginBuild} plugin */
  setup(plugin) {
    plugin.onLoad({ filter: /\.css$/ }, async ({ path: file }) => {
      const { outputFiles } = await build({ entryPoints: [file], bundle: true, minify: true, write: false });
      return { contents: outputFiles[0]?.text.trim() ?? "", loader: "text" };
    });
  },
};

/** What agents alone do in `client/src/operations.js`: properties of one line, and groups of them. */
const OF_AGENTS = [
  ...["get", "assign", "transfer", "close", "update"].map((name) => new RegExp(`^ {6}${name}: .*\n`, "m")),
  ...["agents", "people"].map((name) => new RegExp(`^ {4}${name}: \\{\n(?: {6}.*\n)* {4}\\},\n`, "m")),
  /^ {4}stats: .*\n/m,
];

/** A customer's page has no inbox and does nothing that agents do: it is an eighth of the client. */
const withoutAgents = {
  name: "without agents",
  /** @param {import("esbuild").PluginBuild} plugin */
  setup(plugin) {
    plugin.onLoad({ filter: /client.src.inbox\.js$/ }, () => ({
      contents: "export const createInbox = () => {};",
    }));
    plugin.onLoad({ filter: /client.src.operations\.js$/ }, async ({ path: file }) => {
      let contents = await readFile(file, "utf8");
      for (const part of OF_AGENTS) {
        if (!part.test(contents)) throw new Error(`${file} has no ${part}`);
        contents = contents.replace(part, "");
      }
      return { contents };
    });
  },
};

/** @type {import("esbuild").BuildOptions & { write: false }} */
const common = {
  bundle: true,
  minify: true,
  // What browsers of the last three years have.
  target: "es2022",
  legalComments: "none",
  outdir: path.join(here, "dist"),
  define: { ASSETS: JSON.stringify("/__ASSETS__/widget/") },
  alias: {
    preact: path.join(vendor, "preact.mjs"),
  },
  plugins: [styles, withoutAgents],
  charset: "utf8",
  write: false,
};

/** Short, since it is a part of each file. */
const BANNER = "// built by widget/build.js";

/** The files by their names. @returns {Promise<Map<string, Buffer>>} */
export async function bundle() {
  const languages = ["en", "de", "fr", "es", "ar"].map((lang) => path.join(here, `texts/${lang}.js`));
  const results = await Promise.all([
    build({ ...common, entryPoints: { widget: path.join(here, "loader.js") }, format: "iife" }),
    build({
      ...common,
      entryPoints: [path.join(here, "panel.js"), ...languages],
      entryNames: "[name]",
      chunkNames: "[name]",
      splitting: true,
      format: "esm",
    }),
  ]);
  /** @type {Map<string, Buffer>} */
  const files = new Map();
  for (const { path: file, text } of results.flatMap(({ outputFiles }) => outputFiles)) {
    // What esbuild leaves, terser shortens by a thirtieth, which decides over the limit of the whole.
    const { code = "" } = await minify(text, { module: true, ecma: 2020, compress: { passes: 3 } });
    files.set(path.basename(file), Buffer.from(`${BANNER}\n${code}\n`));
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = path.join(here, "dist");
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist);
  for (const [name, bytes] of await bundle()) {
    await writeFile(path.join(dist, name), bytes);
    const [plain, gzip] = [bytes.length, gzipSync(bytes, { level: 9 }).length];
    console.log(name.padEnd(14), String(plain).padStart(6), "bytes,", String(gzip).padStart(6), "gzip");
  }
}
