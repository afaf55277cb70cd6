/** What is checked in: a copy of a library, and the files that are served. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { bundle } from "../build.js";

/** KB are 1,024 bytes. */
const LOADER_LIMIT = 3 * 1024;
const WIDGET_LIMIT = 30 * 1024;

/** The hash of the file in the package of npm. */
const PREACT = "bdcbd9abdf2c77c5c45326eab42191e949222d479d0d5f69467387a77040cb55";

test("the library of others is that of npm, with its licence", async () => {
  const bytes = await readFile(new URL("../../vendor/preact.mjs", import.meta.url));
  assert.equal(createHash("sha256").update(bytes).digest("hex"), PREACT);
  assert.match(await readFile(new URL("../../vendor/LICENSE-preact", import.meta.url), "utf8"), /License/);
});

test("what is served is built from the sources", async () => {
  const built = await bundle();
  const dist = new URL("../dist/", import.meta.url);
  assert.deepEqual((await readdir(dist)).sort(), [...built.keys()].sort());
  for (const [name, bytes] of built) {
    assert.ok(bytes.equals(await readFile(new URL(name, dist))), `${name} is old: run \`node widget/build.js\``);
  }
});

test("2: the loader has at most 3 KB and the widget at most 30 KB, with the client library", async () => {
  const built = await bundle();
  /** @param {string} name */
  const size = (name) => gzipSync(built.get(name) ?? assert.fail(name), { level: 9 }).length;
  assert.ok(size("widget.js") <= LOADER_LIMIT, `the loader has ${size("widget.js")} bytes`);
  for (const lang of ["en", "de", "fr", "es", "ar"]) {
    const whole = size("widget.js") + size("panel.js") + size(`${lang}.js`);
    assert.ok(whole <= WIDGET_LIMIT, `the widget in ${lang} has ${whole} bytes`);
  }
});
