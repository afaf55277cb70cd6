/** How fast a large desk is: 2,000 sessions and 10,000 messages. It measures, and so needs a machine of its own. */

import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { test } from "node:test";

import { createWorld, heap, long, until } from "./support.js";

/** So many sessions are assigned to one agent, who may have 1,000, and the others wait. */
const MINE = 900;
const SESSIONS = 2_000;
const MESSAGES = 10_000;
/** The session with the most messages. */
const LARGEST = 2_000;
/** So many of them are read before one types. */
const READ = 500;
const AT_ONCE = 16;

/** @param {number[]} values @param {number} share */
const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? NaN;

/** @param {import("playwright-core").Page} page */
const megabytes = async (page) => ((await heap(page)) / 2 ** 20).toFixed(1);

/** Runs tasks, some at a time. @param {number} count @param {(at: number) => Promise<unknown>} run */
async function all(count, run) {
  let next = 0;
  const worker = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

test("a thread opens within 300 ms and a key takes 50 ms at most, with 2,000 sessions and 10,000 messages", long, async () => {
  const { server, console: openConsole } = await createWorld();
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const bob = server.mint("bob", { role: "agent" });

  /** @param {string} token @param {string} method @param {string} path @param {object} body @returns {Promise<any>} */
  const call = (token, method, path, body) =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const headers = {
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(text),
      };
      const sent = request({ agent, host: "127.0.0.1", port: server.port, method, path, headers }, (response) => {
        let answer = "";
        response.setEncoding("utf8").on("data", (piece) => (answer += piece));
        response.on("end", () =>
          Number(response.statusCode) < 300
            ? resolve(answer && JSON.parse(answer))
            : reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`)),
        );
      });
      sent.on("error", reject).end(text);
    });

  /** @type {{ path: string, customer: string, isMine: boolean }[]} */
  const sessions = [];
  const each = Math.floor((MESSAGES - LARGEST) / (SESSIONS - 1));
  await all(SESSIONS, async (at) => {
    // A customer may have 20 open.
    const customer = server.mint(`customer-${Math.floor(at / 15)}`, { name: `Customer ${Math.floor(at / 15)}` });
    const { id } = await call(customer, "POST", "/api/chat/sessions", { subject: `Session ${at}` });
    const path = `/api/chat/sessions/${id}`;
    const isMine = at < MINE;
    if (isMine) await call(bob, "PUT", `${path}/assign`, { agentId: "bob" });
    sessions[at] = { path, customer, isMine };
    for (let count = 0; at > 0 && count < each; count++) {
      await call(customer, "POST", `${path}/messages`, { content: `Message ${count} of a talk about ${at}` });
    }
  });
  const [largest] = sessions;
  await all(LARGEST, async (at) => {
    await call(at % 3 ? String(largest?.customer) : bob, "POST", `${largest?.path}/messages`, {
      content: `Message ${at} of the largest session, with some words so that it has more than one line in a bubble`,
    });
  });
  agent.destroy();
  // They were sent some at a time.
  const [newest] = (await server.call(bob, "GET", `${largest?.path}/messages?limit=1`)).messages;
  const figures = await server.call(server.tokens.root, "GET", "/api/chat/stats");
  assert.equal(figures.totalSessions, SESSIONS);
  assert.ok(figures.messagesExchanged >= MESSAGES - SESSIONS);

  const page = await openConsole({ viewport: { width: 1440, height: 900 } });
  await page.row("Session 0").first().waitFor();
  // Until the sessions that are kept live are loaded.
  await page.waitForLoadState("networkidle");

  const atFirst = await megabytes(page);

  /** Clicks a row and returns the milliseconds until the thread is on the screen. @param {number} at @param {string} last */
  async function open(at, last) {
    const row = page.locator("li:not([role=log] *)").filter({ hasText: new RegExp(`Session ${at}\\b`) }).first();
    await row.scrollIntoViewIfNeeded();
    await page.evaluate((last) => {
      Object.assign(window, { tookMs: 0 });
      addEventListener(
        "click",
        ({ timeStamp }) => {
          const look = () => {
            const bubbles = document.querySelectorAll("[role=log] .bubble");
            if (!bubbles[bubbles.length - 1]?.textContent?.includes(last)) return requestAnimationFrame(look);
            // The picture is drawn behind the callbacks of its frame.
            requestAnimationFrame(() => setTimeout(() => Object.assign(window, { tookMs: performance.now() - timeStamp })));
          };
          look();
        },
        { capture: true, once: true },
      );
    }, last);
    await row.click();
    await until(() => page.evaluate("tookMs > 0"), { what: `the thread of ${at}` });
    return Number(await page.evaluate("tookMs"));
  }

  /** The first rows of the list that is shown. */
  const visible = async () =>
    (await page.locator("li:not([role=log] *)").allInnerTexts())
      .map((text) => Number(/Session (\d+)/.exec(text)?.[1]))
      .filter((at) => at > 0)
      .slice(0, 40);
  // Those that wait are not live before: their messages have to be read first.
  await page.view("Waiting").click();
  await page.row(`Session ${MINE}`).first().waitFor();
  /** @type {number[]} */
  const cold = [];
  for (const at of await visible()) cold.push(await open(at, `talk about ${at}`));
  await page.view("Mine").click();
  await page.row("Session 0").first().waitFor();
  /** @type {number[]} */
  const opened = [];
  for (const at of await visible()) {
    opened.push(await open(at, `talk about ${at}`));
    opened.push(await open(0, newest.content));
  }

  // With more messages than anybody reads.
  for (let shown = await page.messages.count(); shown < READ; shown = await page.messages.count()) {
    await page.log.evaluate((element) => element.scrollTo(0, 0));
    await until(async () => (await page.messages.count()) > shown, { what: "older messages" });
  }
  await page.box.click();
  await page.evaluate(() => {
    const keys = /** @type {number[]} */ ([]);
    Object.assign(window, { keys });
    addEventListener(
      "keydown",
      ({ timeStamp }) => requestAnimationFrame(() => setTimeout(() => keys.push(performance.now() - timeStamp))),
      { capture: true },
    );
  });
  await page.keyboard.type("A sentence of an agent who types as fast as people do, and then some more of it.", { delay: 30 });
  const keys = /** @type {number[]} */ (await page.evaluate("keys"));
  assert.ok(keys.length > 60);

  console.log(
    `open for the first time: median ${quantile(cold, 0.5).toFixed(0)} ms, p95 ${quantile(cold, 0.95).toFixed(0)} ms of ${cold.length}; ` +
      `open: median ${quantile(opened, 0.5).toFixed(0)} ms, p95 ${quantile(opened, 0.95).toFixed(0)} ms of ${opened.length}; ` +
      `key: median ${quantile(keys, 0.5).toFixed(0)} ms, p95 ${quantile(keys, 0.95).toFixed(0)} ms of ${keys.length}; ` +
      `heap: ${atFirst} MiB at first, ${await megabytes(page)} MiB then`,
  );
  assert.ok(quantile(cold, 0.95) <= 300, "a thread opens within 300 ms for the first time");
  assert.ok(quantile(opened, 0.95) <= 300, "a thread opens within 300 ms");
  assert.ok(quantile(keys, 0.95) <= 50, "a key takes 50 ms at most");
});
