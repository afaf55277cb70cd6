// What is served and published: its size, that it is current, and that importing it does nothing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { bundle } from "../scripts/build.js";

const LIMIT = 12 * 1_024;
const read = (path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");

test("dist/client.js is what `npm run build` makes of the sources", async () => {
  assert.equal(read("../dist/client.js"), await bundle(), "run `npm run build` and commit the result");
});

test("the served file has at most 12 KiB", () => {
  const size = gzipSync(read("../dist/client.js"), { level: 9 }).length;
  assert.ok(size <= LIMIT, `${size} bytes of ${LIMIT}`);
});

test("importing it makes no request, no timer, no listener and no global", async () => {
  const touched = [];
  const before = Object.getOwnPropertyNames(globalThis).sort();
  const replaced = {
    fetch: null,
    setTimeout: null,
    setInterval: null,
    BroadcastChannel: null,
    addEventListener: null,
    indexedDB: null,
    document: null,
  };
  for (const name of Object.keys(replaced)) {
    replaced[name] = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { configurable: true, get: () => touched.push(name) });
  }
  const module = await import("../dist/client.js?untouched");
  for (const [name, descriptor] of Object.entries(replaced)) {
    delete globalThis[name];
    if (descriptor) Object.defineProperty(globalThis, name, descriptor);
  }
  assert.deepEqual(touched, []);
  assert.deepEqual(Object.getOwnPropertyNames(globalThis).sort(), before);
  assert.deepEqual(Object.keys(module).sort(), ["ChatError", "createClient"]);
});

test("there are no dependencies at run time, and those of development are pinned", () => {
  const { dependencies, devDependencies } = JSON.parse(read("../package.json"));
  assert.equal(dependencies, undefined);
  for (const version of Object.values(devDependencies)) assert.match(version, /^\d+\.\d+\.\d+$/);
});

test("the README's recipes use names that exist", async () => {
  const types = read("../index.d.ts");
  const blocks = read("../README.md")
    .split("```js\n")
    .slice(1)
    .map((rest) => rest.split("```")[0]);
  assert.ok(blocks.length >= 10);
  for (const block of blocks) {
    for (const [, name] of block.matchAll(/\b(?:client|session|inbox|outgoing|entry)\.(?!js\b)([a-zA-Z]+)/g)) {
      assert.match(types, new RegExp(`\\b${name}\\b`), name);
    }
  }
});
