/** What a person changes in sessions, without a page: answers come in the order in which the test lets them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatError } from "../../client/src/index.js";
import { createChanges } from "../changes.js";

/** A desk whose only session is "one". @param {() => Promise<unknown>} respond to each call of the server */
function desk(respond) {
  const released = /** @type {string[]} */ ([]);
  const told = /** @type {string[]} */ ([]);
  const ports = {
    client: { sessions: { assign: respond, transfer: respond, close: respond } },
    me: { id: "bob", role: "agent" },
    router: { route: { view: "mine", session: null }, go() {} },
    sessionNow: () => null,
    subjectOf: () => "Parcel",
    nameOf: String,
    t: (/** @type {string} */ key) => key,
    tell: (/** @type {string} */ text) => told.push(text),
    say() {},
    released: (/** @type {string} */ id) => released.push(id),
    changed() {},
    signal: new AbortController().signal,
  };
  return { changes: createChanges(/** @type {any} */ (ports)), released, told };
}

// What was given away is remembered for ten seconds, which the runner need not wait for.
const { setTimeout } = globalThis;
Object.assign(globalThis, { setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms).unref() });

test("what was given away is released, whatever comes first: the answer or the end of the subscription", async () => {
  const { changes, released } = desk(async () => {});
  assert.equal(await changes.transfer("one", "carol"), true);
  assert.deepEqual(released, ["one"]);
  // The end comes later, and is said already.
  assert.equal(changes.takeGiven("one"), true);
  assert.equal(changes.takeGiven("one"), false);
});

test("what failed was not done: nothing is released, and the list keeps its row", async () => {
  const { changes, released, told } = desk(async () => {
    throw new ChatError("ALREADY_ASSIGNED", "no", { status: 409 });
  });
  assert.equal(await changes.transfer("one", "carol"), false);
  assert.equal(await changes.close("one"), false);
  assert.deepEqual([released, told], [[], ["fasterAgent", "fasterAgent"]]);
  assert.equal(changes.takeGiven("one"), false);
  assert.equal(changes.hasActed("one"), false);
});

test("one thing at a time is done with a session, and it counts as done when it is", async () => {
  let answer = () => {};
  let calls = 0;
  const { changes } = desk(() => {
    calls++;
    return new Promise((resolve) => (answer = () => resolve(undefined)));
  });
  const closing = changes.close("one");
  assert.deepEqual([changes.isBusy("one"), changes.hasActed("one")], [true, false]);
  assert.equal(await changes.close("one"), false);
  answer();
  assert.equal(await closing, true);
  assert.deepEqual([calls, changes.isBusy("one"), changes.hasActed("one")], [1, false, true]);
});
