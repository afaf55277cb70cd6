/** The lists without a page: what becomes of them when the inbox begins again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as soon } from "node:timers/promises";

import { createLists } from "../lists.js";

/** @param {number} count @param {object} [fields] @returns {any[]} */
const sessions = (count, fields) =>
  Array.from({ length: count }, (_, at) => {
    const startedAt = new Date(1e12 - at * 1_000).toISOString();
    return { id: `s${at}`, subject: `Session ${at}`, userId: "ann", agentId: null, status: "active", tags: [], startedAt, endedAt: null, ...fields };
  });

/** A desk whose server has so many sessions, and pages of fifty. @param {number} count */
function desk(count) {
  const ending = new AbortController();
  const all = sessions(count);
  const items = all.map((session) => ({ ...session, lastMessage: null, lastActivityAt: session.startedAt, seq: 1 }));
  /** @param {string} state @param {number} loaded */
  const view = (state, loaded) => ({
    state,
    items: { waiting: items.slice(0, loaded) },
    hasMore: { waiting: loaded < count },
    counts: { waiting: count },
    error: null,
  });
  /** Answers that are on their way. @type {(() => void)[]} */
  const held = [];
  const server = { reads: 0, isHeld: false };
  /** @type {any} */
  const inbox = {
    view: view("live", Math.min(50, count)),
    async more() {
      inbox.view = view("live", Math.min(count, inbox.view.items.waiting.length + 50));
      lists.update();
    },
  };
  const client = {
    sessions: {
      /** @param {{ limit: number, cursor?: string }} options */
      async list({ limit, cursor = "0" }) {
        if (limit > 1) server.reads++;
        const from = Number(cursor);
        const page = { sessions: all.slice(from, from + limit), nextCursor: from + limit < count ? String(from + limit) : null, totalCount: all.length };
        if (server.isHeld && limit > 1) await new Promise((resolve) => held.push(() => resolve(null)));
        return page;
      },
    },
  };
  const lists = createLists({
    client: /** @type {any} */ (client),
    inbox,
    names: ["waiting", "all"],
    changed() {},
    signal: ending.signal,
  });
  lists.update();
  return {
    lists,
    server,
    all,
    ids: (/** @type {"waiting" | "all"} */ name) => lists.get(name).items.map(({ id }) => id),
    answer: () => held.splice(0).forEach((run) => run()),
    /** The connection is lost, and a new snapshot has come. */
    async reconnect() {
      inbox.view = { ...inbox.view, state: "waiting" };
      lists.update();
      inbox.view = view("live", Math.min(50, count));
      lists.update();
      await soon();
    },
  };
}

test("after a reconnect as many pages are read again as there were", async () => {
  const { lists, ids, reconnect } = desk(130);
  await lists.more("waiting");
  await lists.more("waiting");
  assert.equal(ids("waiting").length, 130);
  await reconnect();
  await soon();
  assert.equal(ids("waiting").length, 130);
});

test("the list of all is read again after a reconnect, also when a page of it was on its way", async () => {
  const { lists, server, ids, all, answer, reconnect } = desk(60);
  await lists.more("all");
  server.isHeld = true;
  const page = lists.more("all");
  await reconnect();
  all.unshift({ ...all[0], id: "new", startedAt: new Date(2e12).toISOString() });
  server.isHeld = false;
  answer();
  await page;
  for (let turn = 0; turn < 5; turn++) await soon();
  assert.equal(ids("all")[0], "new");
});

test("of a session that only the list of all has, the last message is not known", async () => {
  const { lists } = desk(60);
  await lists.more("all");
  await lists.more("all");
  const items = lists.get("all").items;
  assert.equal(items[0]?.lastMessage, null);
  assert.equal(items.at(-1)?.lastMessage, undefined);
});
