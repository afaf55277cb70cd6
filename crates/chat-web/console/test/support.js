/**
 * What the tests of the console share: a server that has it, and people at desks.
 *
 * ```js
 * const world = await createWorld();                          // once for a file; it closes itself
 * const parcel = await world.session("alice", { subject: "Parcel", agent: "bob", messages: ["Where is it?"] });
 * const bob = await world.console({ as: "bob" });             // a page, with what an agent does
 * await bob.row("Parcel").click();
 * await bob.send("On its way.");
 * await parcel.write("Thanks");
 * await bob.message("Thanks").waitFor();                      // at the end of the test `bob.problems` must be empty
 * ```
 */

import assert from "node:assert/strict";
import { after } from "node:test";

import { launch, OF_THE_NETWORK, watch } from "../../pages/browser.js";
import { start } from "../../pages/server.js";
import { until } from "../../pages/until.js";

/** @import { BrowserContext, BrowserContextOptions, Page } from "playwright-core" */

export { isLong, long } from "../../pages/long.js";
export { until };

/**
 * @typedef {object} Desk
 * @property {string} [as] the id of the person, `bob` by default
 * @property {"agent" | "admin" | "user"} [role]
 * @property {string} [name]
 * @property {number} [lifetime] of the token, in seconds
 * @property {string} [token] instead of a new one; with `""` the page shows the sign-in
 * @property {string} [path] what stands behind `#` once one is signed in, such as `/s/<id>`
 * @property {string} [origin] that of a proxy with faults in front of the server
 * @property {{ width: number, height: number }} [viewport]
 * @property {BrowserContext} [context] that of another window, for a second one of the same browser
 * @property {BrowserContextOptions} [options]
 * @property {() => void} [init] runs in the page before anything of it does
 * @property {(page: Page) => Promise<void>} [beforeOpening] such as routes for what the page asks for at first
 * @property {boolean} [faults] whether requests may fail: what the browser itself says of that is no problem then
 */

/** @typedef {{ subject?: string, priority?: string, tags?: string[] }} SessionOptions */
/** @typedef {Awaited<ReturnType<typeof createWorld>>} World */

/**
 * A server and a browser for the tests of a file, or of the test that calls this.
 *
 * @param {{ env?: Record<string, string> }} [options]
 */
export async function createWorld({ env = {} } = {}) {
  /** @type {(() => Promise<unknown>)[]} */
  const closers = [];
  after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const server = await start({ env });
  closers.push(() => server.stop());
  const browser = await launch();
  closers.push(() => browser.close());

  return {
    server,
    browser,

    /** A window with the console, signed in as an agent unless the test says otherwise. @param {Desk} [desk] */
    async console(desk = {}) {
      const { as = "bob", role = "agent", name, lifetime, path = "", origin = server.url, faults = false } = desk;
      /** @type {string[]} */
      let problems = [];
      // The hook belongs to the test that runs now.
      after(() => assert.deepEqual(faults ? problems.filter((line) => !OF_THE_NETWORK.test(line)) : problems, []));
      const viewport = desk.viewport ?? { width: 1280, height: 800 };
      const context = desk.context ?? (await browser.newContext({ viewport, ...desk.options }));
      const page = await context.newPage();
      // A window that is shared lives as long as the test of the first one.
      if (desk.context === undefined) after(() => context.close());
      if (desk.init) await page.addInitScript(desk.init);
      await desk.beforeOpening?.(page);
      problems = watch(page);
      const token = desk.token ?? server.mint(as, { role, name, lifetime });
      await page.goto(`${origin}/console${token ? `#token=${token}` : path && `#${path}`}`);
      if (token) {
        // Not by `waitForFunction`, which the policy of the page forbids.
        const isIn = () => page.evaluate(() => !location.hash.includes("token") && document.querySelector(".console") !== null);
        await until(isIn, { what: "the sign-in" });
        if (path) await page.evaluate((path) => location.assign(`#${path}`), path);
      }
      return Object.assign(page, { problems, ...hands(page) });
    },

    /** Enters an agent into the directory, as transfers need it. @param {string} id @param {string} [displayName] */
    agent: (id, displayName) => server.call(server.tokens.root, "PUT", `/api/chat/agents/${id}`, { displayName }),

    /**
     * A session of a customer. It waits, unless an agent is named.
     *
     * @param {string} user
     * @param {SessionOptions & { agent?: string, name?: string, messages?: number | string[] }} [options] `messages` of the customer, or how many: "Message 1" and so on, in turn with the agent if there is one
     */
    async session(user, { agent, messages = [], name, ...fields } = {}) {
      const customer = server.mint(user, { name });
      const root = server.tokens.root;
      let at = agent ?? "";
      const made = await server.call(customer, "POST", "/api/chat/sessions", fields);
      const path = `/api/chat/sessions/${made.id}`;
      const bearer = () => (at ? server.mint(at, { role: "agent" }) : root);
      /** @param {string} token @param {string} content */
      const post = (token, content) => server.call(token, "POST", `${path}/messages`, { content });
      const verbs = {
        id: /** @type {string} */ (made.id),
        path,
        customer,
        /** The agent says something. @param {string} content */
        say: (content) => post(bearer(), content),
        /** The customer writes something. @param {string} content */
        write: (content) => post(customer, content),
        /** An agent takes it. @param {string} agent */
        async claim(agent) {
          at = agent;
          await server.call(bearer(), "PUT", `${path}/assign`, { agentId: agent });
        },
        /** @param {string | null} to an agent, or the queue */
        async transfer(to) {
          await server.call(bearer(), "PUT", `${path}/transfer`, { agentId: to });
          at = to ?? "";
        },
        close: () => server.call(bearer(), "PUT", `${path}/close`),
        /** @param {object} fields */
        update: (fields) => server.call(bearer(), "PATCH", path, fields),
        get: () => server.call(root, "GET", path),
        /** All its messages in their order. @returns {Promise<any[]>} */
        async messages() {
          /** @type {any[]} */
          let all = [];
          for (let more = true; more; ) {
            const before = all.length ? `&before=${all[0].id}` : "";
            const page = await server.call(root, "GET", `${path}/messages?limit=100${before}`);
            all = [...page.messages, ...all];
            more = page.hasMore;
          }
          return all;
        },
      };
      if (agent) await verbs.claim(agent);
      const count = typeof messages === "number" ? messages : messages.length;
      for (let at = 0; at < count; at += 1) {
        if (typeof messages !== "number") await verbs.write(messages[at] ?? "");
        else await (agent && at % 2 ? verbs.say : verbs.write)(`Message ${at + 1}`);
      }
      return verbs;
    },
  };
}

/** What an agent does in the console. @param {Page} page */
export function hands(page) {
  const log = page.getByRole("log");
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  return {
    log,
    box,
    /** The column of the open thread. Rows of the list have buttons too. */
    middle: page.getByRole("region", { name: "Chat console" }),
    /** The messages of the open thread. */
    messages: log.getByRole("listitem"),
    /** @param {string} text */
    message: (text) => log.getByRole("listitem").filter({ hasText: text }),
    /** A row of the list, which is outside the thread. @param {string} text */
    row: (text) => page.locator("li:not([role=log] *)").filter({ hasText: text }),
    /** What leads to a view, such as Waiting. Its count is in its name. @param {string} name */
    view: (name) => page.locator("a, button, [role=tab]").filter({ hasText: new RegExp(`^\\s*${name}(\\s|\\d|$)`) }),
    /** The server has sent the lists. What has happened before that is in them, and no news. */
    listed: () => page.locator(".view-count", { hasText: /\d/ }).first().waitFor(),
    /** @param {string} name */
    button: (name) => page.getByRole("button", { name, exact: true }),
    /** @param {string} text */
    async send(text) {
      await box.fill(text);
      await box.press("Enter");
    },
  };
}

/** The bytes of the heap in use, without what is garbage. @param {Page} page */
export async function heap(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}
