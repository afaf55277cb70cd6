/**
 * What the build of each part shares: sources become a few files without comments and with short local names, in the part's
 * `dist`. These are checked in, so that neither the server's build nor its users need Node.js; `cargo xtask web` compares
 * them.
 *
 * The names carry no hash, since the server puts one into their address: it replaces `__ASSETS__` in the entries.
 */

import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { minify } from "terser";

const here = path.dirname(fileURLToPath(import.meta.url));

/** Style sheets become texts: a page adopts them, so that no policy has to allow them. */
export const styles = {
  name: "styles",
  /** @param {import("esbuild").PluginBuild} plugin */
  setup(plugin) {
    plugin.onLoad({ filter: /\.css$/ }, async ({ path: file }) => {
      const { outputFiles } = await build({ entryPoints: [file], bundle: true, minify: true, write: false });
      return { contents: outputFiles[0]?.text.trim() ?? "", loader: "text" };
    });
  },
};

/** @typedef {Omit<import("esbuild").BuildOptions, "write">} Options */

/**
 * The built scripts of a part by their names.
 *
 * @param {string} part its directory
 * @param {...Options} builds
 * @returns {Promise<Map<string, Buffer>>}
 */
export async function scripts(part, ...builds) {
  const results = await Promise.all(
    builds.map((options) =>
      build({
        bundle: true,
        minify: true,
        // What browsers of the last three years have.
        target: "es2022",
        legalComments: "none",
        outdir: path.join(here, part, "dist"),
        alias: { preact: path.join(here, "vendor/preact.mjs") },
        charset: "utf8",
        entryNames: "[name]",
        chunkNames: "[name]",
        ...options,
        plugins: [styles, ...(options.plugins ?? [])],
        write: false,
      }),
    ),
  );
  /** @type {Map<string, Buffer>} */
  const files = new Map();
  for (const { path: file, text } of results.flatMap(({ outputFiles }) => outputFiles)) {
    const { code = "" } = await minify(text, { module: true, ecma: 2020, compress: { passes: 3 } });
    // Short, since it is a part of each file.
    files.set(path.basename(file), Buffer.from(`// built from ${part}\n${code}\n`));
  }
  return files;
}

/** Replaces the `dist` of a part. @param {string} part @param {Map<string, string | Buffer>} files */
export async function writeDist(part, files) {
  const dist = path.join(here, part, "dist");
  const made = `${dist}.new`;
  await rm(made, { recursive: true, force: true });
  await mkdir(made);
  for (const [name, bytes] of files) await writeFile(path.join(made, name), bytes);
  await rm(dist, { recursive: true, force: true });
  await rename(made, dist);
}
