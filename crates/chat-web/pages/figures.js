/**
 * Figures of what people see: `node pages/figures.js` in `crates/chat-web`, with a release build in `CHAT_TEST_SERVER_BIN`.
 *
 * - The widget on a slow machine and a slow network: from the click on the launcher until one can type, the first time.
 * - One's own message: from Enter until its bubble is in the page.
 * - From the agent's Enter in the console until the customer's page shows the message, with both at one node.
 * - The same with the two at two nodes, if `CHAT_DATABASE_URL` (an empty PostgreSQL database) and `CHAT_REDIS_URL` are set.
 *
 * Each is the median of several rounds, with the least and the most. All pages, the browser and the nodes share this machine.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { launch, serve } from "./browser.js";
import { start } from "./server.js";

const ROUNDS = 21;
/** A middle-class phone, and what browsers call a slow 3G network. */
const SLOW = { cpu: 4, latency: 400, bytesPerSecond: 50_000 };

/** @param {string} what @param {number[]} times in milliseconds */
function report(what, times) {
  const sorted = times.toSorted((a, b) => a - b);
  const [least, middle, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  console.log(`${what}: ${middle?.toFixed(0)} ms (${least?.toFixed(0)}–${most?.toFixed(0)}, ${times.length} rounds)`);
}

/** A page with the widget, signed in. @param {string} origin @param {string} token */
const shop = (origin, token) =>
  `<!doctype html><html lang=en><title>Shop</title><link rel=icon href=data:,>` +
  `<script async src="${origin}/widget.js"></script>` +
  `<script>(window.chatWidget ||= []).push(["identify", { token: () => "${token}" }])</script>`;

/**
 * Notes when a bubble with a text is in the page, by the clock of the machine, which all pages share.
 *
 * @param {import("playwright-core").Page} page @param {string} text
 */
async function shown(page, text) {
  await page.evaluate((text) => {
    const root = document.querySelector("chat-widget")?.shadowRoot ?? document.body;
    const seen = new Promise((resolve) => {
      const look = () => {
        if ([...root.querySelectorAll(".bubble")].every((bubble) => bubble.textContent !== text)) return;
        observer.disconnect();
        resolve(Date.now());
      };
      const observer = new MutationObserver(look);
      observer.observe(root, { childList: true, subtree: true, characterData: true });
      look();
    });
    Object.assign(window, { seen });
  }, text);
  return () => /** @type {Promise<number>} */ (page.evaluate("seen"));
}

/** Notes when Enter is pressed. @param {import("playwright-core").Page} page */
async function entered(page) {
  await page.evaluate(() => {
    const pressed = new Promise((resolve) => {
      const note = (/** @type {KeyboardEvent} */ { key }) => key === "Enter" && resolve(Date.now());
      addEventListener("keydown", note, { capture: true });
    });
    Object.assign(window, { pressed });
  });
  return () => /** @type {Promise<number>} */ (page.evaluate("pressed"));
}

/** @param {import("playwright-core").Browser} browser @param {import("./server.js").TestServer} server */
async function widgetOnASlowMachine(browser, server) {
  body = shop(server.url, server.mint("carol"));
  const times = [];
  for (let round = 0; round < 7; round++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: SLOW.cpu });
    await devtools.send("Network.enable");
    const { latency, bytesPerSecond } = SLOW;
    await devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency,
      downloadThroughput: bytesPerSecond,
      uploadThroughput: bytesPerSecond,
    });
    await page.goto(site.localhost);
    await page.locator("chat-widget .launcher").waitFor();
    times.push(
      await page.evaluate(async () => {
        const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
        const begun = performance.now();
        /** @type {HTMLElement} */ (root.querySelector(".launcher")).click();
        const isReady = () => root.querySelector("input, textarea") !== null;
        while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 5));
        return performance.now() - begun;
      }),
    );
    await context.close();
  }
  report(`widget, click until one can type, processor ÷ ${SLOW.cpu}, ${SLOW.latency} ms and 50 kB/s`, times);
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {import("./server.js").TestServer} customers the node of the customer
 * @param {import("./server.js").TestServer} agents the node of the agent
 * @param {string} what
 */
async function conversation(browser, customers, agents, what) {
  const [alice, bob] = [customers.mint("alice"), agents.mint("bob", { role: "agent" })];
  const root = agents.mint("root", { role: "admin" });
  await agents.call(root, "PUT", "/api/chat/agents/bob", {});
  const { id } = await customers.call(alice, "POST", "/api/chat/sessions", { subject: "Figures" });
  await agents.call(bob, "PUT", `/api/chat/sessions/${id}/assign`, { agentId: "bob" });
  body = shop(customers.url, alice);
  const customer = await (await browser.newContext()).newPage();
  await customer.goto(site.localhost);
  await customer.locator("chat-widget .launcher").click();
  const agent = await (await browser.newContext()).newPage();
  await agent.goto(`${agents.url}/console#token=${bob}`);
  await agent.getByRole("listitem").filter({ hasText: "Figures" }).first().click();
  const boxes = [customer, agent].map((page) => page.getByRole("textbox", { name: "Message", exact: true }));
  const [hers, his] = /** @type {[import("playwright-core").Locator, import("playwright-core").Locator]} */ (boxes);
  await Promise.all([hers.waitFor(), his.waitFor()]);
  /** @type {{ own: number[], other: number[] }} */
  const times = { own: [], other: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const [question, answer] = [`question ${round}`, `answer ${round}`];
    await hers.fill(question);
    const [pressedHere, ownShown, arrived] = [
      await entered(customer),
      await shown(customer, question),
      await shown(agent, question),
    ];
    await hers.press("Enter");
    times.own.push((await ownShown()) - (await pressedHere()));
    await arrived();
    await his.fill(answer);
    const [pressed, seen] = [await entered(agent), await shown(customer, answer)];
    await his.press("Enter");
    times.other.push((await seen()) - (await pressed()));
  }
  report(`own message of the customer, Enter until its bubble, ${what}`, times.own);
  report(`agent's Enter until the customer sees it, ${what}`, times.other);
}

const secret = { CHAT_JWT_SECRET: "a secret of the figures, of more than thirty-two bytes" };
let body = "";
const site = await serve(() => ({ body }));
const common = { ...secret, CHAT_CORS_ORIGINS: site.localhost };
const browser = await launch();
const one = await start({ env: common });
await widgetOnASlowMachine(browser, one);
await conversation(browser, one, one, "one node on SQLite");
await one.stop();

const { CHAT_DATABASE_URL, CHAT_REDIS_URL } = process.env;
if (CHAT_DATABASE_URL && CHAT_REDIS_URL) {
  const data = await mkdtemp(path.join(tmpdir(), "chat-figures-"));
  const env = { ...common, CHAT_DATABASE_URL, CHAT_REDIS_URL, CHAT_DATA_DIR: data };
  const [first, second] = [await start({ env }), await start({ env })];
  await conversation(browser, first, second, "two nodes on PostgreSQL and Redis");
  await Promise.all([first.stop(), second.stop()]);
  await rm(data, { recursive: true, force: true });
}
await browser.close();
await site.close();
