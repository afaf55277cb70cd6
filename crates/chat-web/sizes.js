/**
 * How large the built files may be: `sizes.json` has the bounds, in bytes after `gzip -9`. The size of several files is the
 * sum of theirs, each compressed by itself, as a browser loads them. Of files of which a browser loads one, such as a list of
 * languages, the largest counts.
 *
 * Run it with `node sizes.js`, or as a step of `cargo xtask web`.
 */

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** @type {{ what: string, files: (string | string[])[], most: number }[]} */
const bounds = JSON.parse(readFileSync(new URL("sizes.json", import.meta.url), "utf8"));

/** As long as what the server puts into their address, and as little to be compressed. */
const ASSETS = "assets/9c41e07ba5d3f826";

/** @param {string} file as a browser loads it */
function compressed(file) {
  const text = readFileSync(new URL(file, import.meta.url), "utf8").replaceAll("__ASSETS__", ASSETS);
  return gzipSync(text, { level: 9 }).length;
}

for (const { what, files, most } of bounds) {
  const sizes = files.map((file) => Math.max(...[file].flat().map(compressed)));
  const size = sizes.reduce((sum, each) => sum + each, 0);
  const verdict = size <= most ? "of at most" : "is more than";
  console.log(`${String(size).padStart(7)} ${verdict} ${String(most).padStart(7)} bytes: ${what}`);
  if (size > most) {
    console.log(`        make it smaller, or change the bound in crates/chat-web/sizes.json with a reason: ${files.flat().join(" ")}`);
    process.exitCode = 1;
  }
}
