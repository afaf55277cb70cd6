/**
 * Minutes of faults, with people who write all the time: kills, drains, cut connections, black holes and tokens that end.
 * Whatever happens, each message is in the thread once and in its order, and the pages have no error.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { startProxy } from "../../pages/proxy.js";
import { createWorld, heap, isLong, until } from "./support.js";

const world = await createWorld();
const { server } = world;
const MINUTES = isLong ? Number(process.env.CHAT_TEST_MINUTES ?? 30) : 0;
/** How many bytes a page may have more at the end than after its first minute. */
const MOST_GROWTH = 10 * 1024 * 1024;
/** How much later than the fault all is well again. */
const PATIENCE_MS = 90_000;

/** The runner's own limit is shorter than the long run. */
const TIMES = { timeout: (MINUTES + 15) * 60_000 };

/** @typedef {Awaited<ReturnType<typeof world.console>>} Console */

/**
 * Calls the API as the customer's client does: until there is an answer, with one key.
 *
 * @param {string} token @param {string} address @param {string} content
 */
async function post(token, address, content) {
  const headers = {
    Authorization: `Bearer ${token}`,
    "Content-Type": "application/json",
    "Idempotency-Key": crypto.randomUUID(),
  };
  for (;;) {
    try {
      const response = await fetch(server.url + address, { method: "POST", headers, body: JSON.stringify({ content }) });
      if (response.ok) return;
      if (response.status < 500 && response.status !== 429) throw new Error(`${response.status} ${await response.text()}`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await sleep(100);
  }
}

test("each message is there once and in order after kills, drains, cuts, black holes and ended tokens", TIMES, async () => {
  const proxy = await startProxy(server.port);
  after(() => proxy.close());
  const origin = `${proxy.url}`;
  /** @type {string[]} */
  const written = [];
  /** Two agents with a session each; what one of them has written so far is in `count`. */
  const desks = await Promise.all(
    ["bob", "carol"].map(async (as, at) => {
      const talk = await world.session(`customer-${as}`, { subject: `Talk of ${as}`, agent: as, messages: ["Hello"] });
      const page = await world.console({ as, origin, faults: true, lifetime: 24 * 3600 });
      await page.evaluate((id) => location.assign(`#/s/${id}`), talk.id);
      await page.message("Hello").waitFor();
      return { as, at, talk, page, sent: /** @type {string[]} */ ([]) };
    }),
  );
  let isOver = false;

  /** The customer writes all the time. @param {typeof desks[number]} desk */
  async function customer({ as, talk }) {
    for (let at = 1; !isOver; at++) {
      const text = `customer of ${as} ${at}`;
      await post(talk.customer, `${talk.path}/messages`, text);
      written.push(text);
      await sleep(isLong ? 4_000 : 400);
    }
  }

  /** The agent writes all the time that there is a composer. @param {typeof desks[number]} desk */
  async function agent({ as, page, sent }) {
    for (let at = 1; !isOver; at++) {
      const text = `${as} ${at}`;
      if (await page.box.isVisible()) {
        await page.box.fill(text, { timeout: PATIENCE_MS });
        await page.box.press("Enter", { timeout: PATIENCE_MS });
        sent.push(text);
      }
      await sleep(isLong ? 5_000 : 500);
    }
  }

  /** Everything that was written so far is shown, once, as the server has it. */
  async function settle() {
    for (const { as, talk, page, sent } of desks) {
      const last = sent.at(-1);
      await until(
        async () => {
          const stored = (await talk.messages().catch(() => [])).map(({ content }) => content);
          return last === undefined || stored.includes(last);
        },
        { within: PATIENCE_MS, what: `what ${as} has sent is stored` },
      );
      const stored = (await talk.messages()).map(({ content }) => content);
      await until(async () => (await texts(page)).includes(String(stored.at(-1))), {
        within: PATIENCE_MS,
        what: `the newest message is shown to ${as}`,
      });
    }
  }

  const writing = Promise.all([...desks.map(customer), ...desks.map(agent)]);
  // What fails in there is found when it is waited for.
  writing.catch(() => {});

  /** @type {Record<string, () => Promise<unknown>>} */
  const faults = {
    kill: async () => {
      await server.kill();
      await sleep(500);
      await server.restart();
    },
    drain: async () => {
      await server.terminate();
      await server.restart();
    },
    cut: async () => proxy.cut(),
    "black hole": async () => {
      proxy.stall();
      await sleep(isLong ? 45_000 : 2_000);
      proxy.flow();
    },
    refusal: async () => {
      proxy.refuse();
      await sleep(isLong ? 5_000 : 1_000);
      proxy.flow();
    },
    expiry: async () => {
      const { as, page, talk } = /** @type {typeof desks[number]} */ (desks[1]);
      // The server refuses all tokens of before, as if they had ended.
      await server.call(server.tokens.root, "POST", `/api/chat/people/${as}/sign-out`);
      await page.getByRole("textbox", { name: "Token" }).waitFor({ timeout: PATIENCE_MS });
      // Tokens of the same second are refused as well.
      await sleep(1_100);
      await page.getByRole("textbox", { name: "Token" }).fill(server.mint(as, { role: "agent", lifetime: 24 * 3600 }));
      await page.button("Sign in").click();
      await page.view("Mine").waitFor();
      await page.evaluate((id) => location.assign(`#/s/${id}`), talk.id);
      await page.log.waitFor();
    },
  };

  /** @type {number[]} */
  let before = [];
  const end = Date.now() + MINUTES * 60_000;
  do {
    for (const [name, cause] of Object.entries(faults)) {
      await cause();
      await settle().catch((error) => {
        throw new Error(`after ${name}: ${error.message}`, { cause: error });
      });
      if (isLong) await sleep(10_000);
    }
    if (isLong && before.length === 0) before = await Promise.all(desks.map(({ page }) => heap(page)));
  } while (Date.now() < end);
  isOver = true;
  await writing;
  await settle();

  for (const { as, talk, page, sent } of desks) {
    const stored = (await talk.messages()).map(({ content }) => content);
    assert.ok(sent.length > 5 && written.length > 10, "all have written all the time");
    assert.deepEqual(stored.toSorted(), ["Hello", ...sent, ...written.filter((text) => text.includes(as))].toSorted());
    assert.deepEqual(stored.filter((text) => text.startsWith(`${as} `)), sent, "an agent's messages in their order");
    const shown = await texts(page);
    assert.deepEqual(shown, stored.slice(-shown.length), `what ${as} sees is what is stored`);
    assert.ok(shown.length >= Math.min(stored.length, 50));
  }
  if (isLong) {
    const now = await Promise.all(desks.map(({ page }) => heap(page)));
    const growth = now.map((bytes, at) => bytes - Number(before[at]));
    console.log(`the heaps have grown by ${growth.map((bytes) => `${Math.round(bytes / 1024)} KiB`).join(" and ")}`);
    for (const bytes of growth) assert.ok(bytes <= MOST_GROWTH, `${bytes} bytes more`);
  }
});

/** What the thread shows, from top to bottom. @param {Console} page */
const texts = (page) => page.log.locator(".bubble").allInnerTexts();

test("when a token ends, one signs in again, and what was typed and not sent is there", async () => {
  const talk = await world.session("eve", { subject: "Ends soon", agent: "bob", messages: ["Hello"] });
  const page = await world.console({ lifetime: 8, faults: true, path: `/s/${talk.id}` });
  await page.message("Hello").waitFor();
  await page.box.fill("half a sent");
  await page.getByRole("textbox", { name: "Token" }).waitFor({ timeout: PATIENCE_MS });
  await page.button("Sign in as bob").click();
  await page.message("Hello").waitFor();
  await until(async () => (await page.box.inputValue()) === "half a sent", { what: "the draft is there" });
});
