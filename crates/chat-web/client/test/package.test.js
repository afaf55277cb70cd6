// What is served and published: importing it does nothing, and its README and its package say what is true.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const read = (path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");

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

test("there are no dependencies at run time", () => {
  assert.equal(JSON.parse(read("../package.json")).dependencies, undefined);
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
