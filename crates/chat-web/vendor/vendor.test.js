/** The copies of files from npm. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

for (const [copy, original] of [
  ["preact.mjs", "preact/dist/preact.mjs"],
  ["LICENSE-preact", "preact/LICENSE"],
]) {
  test(`${copy} is that of the package`, async () => {
    const [own, theirs] = await Promise.all(
      [copy, `../node_modules/${original}`].map((file) => readFile(new URL(file, import.meta.url))),
    );
    assert.ok(own.equals(theirs), `${copy} differs from ${original}`);
  });
}
