/** Which sessions are live, without a page: those of Mine come, and those that were taken away go. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createLiveSessions } from "../live-sessions.js";

/** A desk whose sessions do nothing by themselves. */
function desk() {
  /** @type {Map<string, any>} */
  const opened = new Map();
  const client = {
    /** @param {string} id */
    open(id) {
      const session = { id, view: { state: "live" }, subscribe() {}, close: () => opened.delete(id) };
      opened.set(id, session);
      return session;
    },
  };
  /** @type {any} */
  const inbox = { view: { state: "live", items: { mine: [] } } };
  const route = { session: /** @type {string | null} */ (null) };
  const live = createLiveSessions({
    client: /** @type {any} */ (client),
    inbox,
    current: () => route.session,
    changed() {},
  });
  return { live, inbox, route, opened };
}

test("one that was taken away goes unless it is open, and one that has ended stays", () => {
  const { live, route, opened } = desk();
  for (const id of ["taken", "open", "ended"]) live.get(id);
  opened.get("taken").view = opened.get("open").view = { state: "stopped", error: { code: "FORBIDDEN" } };
  opened.get("ended").view = { state: "stopped", error: null };
  route.session = "open";
  live.keep();
  assert.deepEqual([...opened.keys()], ["open", "ended"]);
  assert.equal(live.view("taken"), null);
});

test("those of Mine are live also after many others", () => {
  const { live, inbox, route, opened } = desk();
  for (let n = 1; n <= 60; n++) live.get(`other-${n}`);
  route.session = "other-60";
  inbox.view.items.mine = Array.from({ length: 10 }, (_, at) => ({ id: `mine-${at}` }));
  // A few at a time.
  for (let turn = 0; turn < 4; turn++) live.keep();
  assert.deepEqual(
    inbox.view.items.mine.filter((/** @type {{ id: string }} */ { id }) => !opened.has(id)),
    [],
  );
  assert.equal(opened.size, 50);
  assert.ok(opened.has("other-60"));
});

test("one that the server refuses although Mine has it is opened once more, and again when the inbox says something new", () => {
  const { live, inbox, opened } = desk();
  let opens = 0;
  const item = { id: "lost" };
  inbox.view.items.mine = [item];
  const refuse = () => {
    live.keep();
    opens += opened.get("lost").view.state === "live" ? 1 : 0;
    opened.get("lost").view = { state: "stopped", error: { code: "FORBIDDEN" } };
  };
  for (let turn = 0; turn < 10; turn++) refuse();
  assert.equal(opens, 2);
  inbox.view.items.mine = [{ ...item }];
  for (let turn = 0; turn < 10; turn++) refuse();
  assert.equal(opens, 3);
});
