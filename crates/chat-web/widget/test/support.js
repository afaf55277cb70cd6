/**
 * What the tests of the widget share: a shop whose pages have it, its customers and agents, and the hands of a customer.
 */

import assert from "node:assert/strict";
import { after } from "node:test";

import { OF_THE_NETWORK } from "../../pages/browser.js";
import { openHost, policyFor } from "../../pages/host.js";
import { until } from "../../pages/until.js";

/** @import { BrowserContext, BrowserContextOptions, Page } from "playwright-core" */

export { until };

/**
 * @typedef {object} Shop
 * @property {string} [user] whose token the page gives; "" for no `identify`
 * @property {string} [name]
 * @property {Record<string, string>} [data] attributes of the script, without `data-`
 * @property {string} [css]
 * @property {string} [body] HTML
 * @property {string} [script] runs before the widget's
 * @property {string} [origin] of the widget: that of a proxy with faults
 * @property {boolean} [csp] whether the page has the strict policy, as it has unless a test says otherwise
 * @property {number} [lifetime] of tokens, in seconds
 */

/**
 * A world for the tests of a file, which ends behind the last one.
 *
 * @param {{ env?: Record<string, string> }} [options]
 */
export async function createWorld({ env } = {}) {
  /** @type {Map<string, Shop>} */
  const shops = new Map();
  const host = await openHost(respond, { env });
  const { server, browser, site, origin } = host;

  /** @type {Parameters<typeof openHost>[0]} */
  function respond(address, origin) {
    const shop = shops.get(address.split("/")[1] ?? "") ?? {};
    if (address.endsWith("/token")) {
      const body = server.mint(shop.user ?? "alice", { name: shop.name, lifetime: shop.lifetime ?? 3600 });
      return { body, headers: { "Cache-Control": "no-store" } };
    }
    const from = shop.origin ?? origin;
    return {
      body: shopPage(shop, from),
      headers: shop.csp === false ? undefined : { "Content-Security-Policy": policyFor(from, "shop") },
    };
  }

  return {
    server,
    origin,
    site,
    browser,
    /** Resets all connections: what a browser that is offline does not do to its sockets. */
    cut: () => host.proxy.cut(),

    /**
     * A page of the shop, in a browser of its own. By the end of the test nothing may have gone wrong in it but requests;
     * a test that expects more takes it out of `problems`.
     *
     * @param {Shop} [shop]
     * @param {BrowserContextOptions & { context?: BrowserContext }} [options]
     */
    async visit(shop = {}, options) {
      const path = `shop${shops.size + 1}`;
      shops.set(path, shop);
      const { page, problems } = await host.visit(`/${path}/`, options);
      after(() => assert.deepEqual(problems.filter((line) => !OF_THE_NETWORK.test(line)), []));
      return Object.assign(hands(page), { problems, path, url: `${site}/${path}/` });
    },

    /** Changes what the pages under a path get from now on. @param {string} path @param {Shop} changes */
    change(path, changes) {
      shops.set(path, { ...shops.get(path), ...changes });
    },

    /** A session of a customer, with an agent if one is named. @param {string} user @param {{ agent?: string, subject?: string, name?: string }} [options] */
    async session(user, { agent, subject, name } = {}) {
      const customer = server.mint(user, { name });
      const session = await server.call(customer, "POST", "/api/chat/sessions", subject ? { subject } : {});
      const path = `/api/chat/sessions/${session.id}`;
      const bob = server.mint(agent ?? "bob", { role: "agent", name: agent === undefined ? "Bob" : undefined });
      if (agent !== "") await server.call(bob, "PUT", `${path}/assign`, { agentId: agent ?? "bob" });
      return {
        id: /** @type {string} */ (session.id),
        path,
        /** @param {string} content */
        say: (content) => server.call(bob, "POST", `${path}/messages`, { content }),
        /** @param {string} content */
        write: (content) => server.call(customer, "POST", `${path}/messages`, { content }),
        close: () => server.call(bob, "PUT", `${path}/close`),
        /** @returns {Promise<any[]>} */
        messages: async () => (await server.call(bob, "GET", `${path}/messages?limit=100`)).messages,
        bob,
        customer,
      };
    },
  };
}

/** @param {Shop} shop @param {string} origin */
function shopPage(shop, origin) {
  const data = Object.entries({ lang: "en", ...shop.data }).map(([name, value]) => ` data-${name}="${value}"`);
  const identify =
    shop.user === ""
      ? ""
      : `(window.chatWidget ||= []).push(["identify", {
          token: async (why) => { (window.asked ||= []).push(why); return (await fetch("token")).text() },
        }])`;
  return `<!doctype html>
<html lang="en">
<head>
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Shop</title>
<style nonce="shop">body{margin:0;font-family:sans-serif}main{padding:24px;max-width:60ch}${shop.css ?? ""}</style>
<script nonce="shop">${shop.script ?? ""}</script>
<script async src="${origin}/widget.js"${data.join("")}></script>
<script nonce="shop">${identify}</script>
</head>
<body>${shop.body ?? `<main><h1>Shop</h1><p>A page of a shop. <a href="#more">More</a></p></main>`}</body>
</html>`;
}

/** What a customer does with the widget. @param {Page} page */
export function hands(page) {
  const launcher = page.locator("chat-widget .launcher");
  const panel = page.getByRole("dialog").first();
  const log = page.getByRole("log");
  const box = panel.getByRole("textbox", { name: "Message", exact: true });
  return {
    page,
    launcher,
    panel,
    log,
    box,
    messages: log.getByRole("listitem"),
    /** @param {string} text */
    message: (text) => log.getByRole("listitem").filter({ hasText: text }),
    async open() {
      await launcher.click();
      await panel.waitFor();
    },
    /** @param {string} subject @param {string} [text] */
    async begin(subject, text = "") {
      await panel.getByRole("textbox").first().fill(subject);
      if (text) await panel.getByRole("textbox").nth(1).fill(text);
      await panel.getByRole("button", { name: "Start chat" }).click();
      await box.waitFor();
    },
    /** @param {string} text */
    async send(text) {
      await box.fill(text);
      await box.press("Enter");
    },
  };
}

export { isLong, long } from "../../pages/long.js";

/**
 * When a message with this text is shown in a page, by the clock of the machine: what a busy test sees later is not counted.
 *
 * @param {Page} page @param {string} text
 * @returns {Promise<() => Promise<number>>}
 */
export async function whenShown(page, text) {
  await page.evaluate((text) => {
    const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
    Object.assign(window, { shownAt: 0 });
    const observer = new MutationObserver(() => {
      if (![...root.querySelectorAll(".bubble")].some((bubble) => bubble.textContent === text)) return;
      observer.disconnect();
      Object.assign(window, { shownAt: Date.now() });
    });
    observer.observe(root, { childList: true, subtree: true, characterData: true });
  }, text);
  return async () => {
    await until(() => page.evaluate("shownAt > 0"), { what: `"${text}" is shown` });
    return Number(await page.evaluate("shownAt"));
  };
}

/**
 * What a browser has stored for the pages of the shop: the rows of its databases, and its items.
 *
 * @param {Page} page
 * @returns {Promise<{ rows: any[], local: Record<string, string>, session: Record<string, string>, cookie: string }>}
 */
export const stored = (page) =>
  page.evaluate(async () => {
    /** @type {any[]} */
    const rows = [];
    for (const { name = "" } of await indexedDB.databases()) {
      /** @type {IDBDatabase | null} */
      const database = await new Promise((resolve) => {
        const request = indexedDB.open(name);
        // It was deleted meanwhile, and must not come back without its stores.
        request.onupgradeneeded = () => request.transaction?.abort();
        request.onerror = () => resolve(null);
        request.onsuccess = () => resolve(request.result);
      });
      for (const store of database?.objectStoreNames ?? []) {
        const request = database?.transaction(store).objectStore(store).getAll();
        if (request) await new Promise((resolve) => (request.onsuccess = resolve));
        rows.push(...(request?.result ?? []));
      }
      database?.close();
    }
    // Files become empty objects.
    const plain = JSON.parse(JSON.stringify(rows));
    return { rows: plain, local: { ...localStorage }, session: { ...sessionStorage }, cookie: document.cookie };
  });

/** What the server answers when it refuses, for `route.fulfill`. @param {number} status @param {string} code */
export function refusal(status, code) {
  const error = { code, message: code, details: [], requestId: "0" };
  return {
    status,
    json: { success: false, message: code, error },
    headers: { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After" },
  };
}

/**
 * Nothing is sent any more, until `unroute` of the same addresses.
 *
 * @param {Page | BrowserContext} where
 * @param {string} [addresses]
 */
export const abortPosts = (where, addresses = "**/messages") =>
  where.route(addresses, (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));

/** A promise that a test resolves. */
export function deferred() {
  /** @type {() => void} */
  let resolve = () => {};
  /** @type {Promise<void>} */
  const promise = new Promise((fulfil) => (resolve = fulfil));
  return { promise, resolve };
}
