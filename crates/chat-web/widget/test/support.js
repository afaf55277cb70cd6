/**
 * What the tests of the widget share: a server that has the widget, a shop whose pages have it, and the hands of a customer.
 */

import { createServer, request as forward } from "node:http";
import { once } from "node:events";
import { connect } from "node:net";

import { launch, watch } from "../../pages/browser.js";
import { start } from "../../pages/server.js";
import { bundle } from "../build.js";

/** @import { Browser, BrowserContextOptions, Page } from "playwright-core" */

/**
 * Serves the widget as it is built now, and hands everything else over to the API, so that a test needs no new build of the
 * server.
 *
 * @param {() => number} port of the API
 */
async function startFront(port) {
  const files = await bundle();
  const common = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
  };
  const front = createServer((request, response) => {
    const url = request.url ?? "/";
    const asset = url === "/widget.js" ? "widget.js" : /^\/assets\/test\/widget\/([^?]+)/.exec(url)?.[1];
    const bytes = asset && files.get(asset);
    if (bytes) {
      const caching = url === "/widget.js" ? "no-cache" : "public, max-age=31536000, immutable";
      const text = bytes.toString().replaceAll("__ASSETS__", "assets/test");
      response.writeHead(200, { ...common, "Cache-Control": caching }).end(text);
      return;
    }
    const { method, headers } = request;
    const upstream = forward({ port: port(), host: "127.0.0.1", path: url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  });
  front.on("upgrade", (request, socket, head) => {
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      lines.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
    }
    const upstream = connect(port(), "127.0.0.1", () => {
      upstream.write(`${lines.join("\r\n")}\r\n\r\n`);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ]) {
      one?.on("error", () => other?.destroy());
      one?.on("close", () => other?.destroy());
    }
  });
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  front.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  const address = /** @type {import("node:net").AddressInfo} */ (front.address());
  return {
    port: address.port,
    /** Resets all connections: what a browser that is offline does not do to its sockets. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      front.close();
      front.closeAllConnections();
      await once(front, "close");
    },
  };
}

/** What a page of the shop is, if a test says nothing else. */
export const PAGE = {
  /** The policy of web.md: nothing but the widget's origin. @param {string} origin */
  csp: (origin) =>
    `default-src 'none'; script-src ${origin} 'nonce-shop'; connect-src ${origin} ${origin.replace("http", "ws")}; ` +
    `img-src blob: ${origin}; style-src 'nonce-shop'; require-trusted-types-for 'script'`,
};

/**
 * @typedef {object} Shop
 * @property {string} [user] whose token the page gives; "" for no `identify`
 * @property {string} [name]
 * @property {Record<string, string>} [data] attributes of the script, without `data-`
 * @property {string} [css]
 * @property {string} [head] HTML
 * @property {string} [body] HTML
 * @property {string} [script] runs before the widget's
 * @property {string} [origin] of the widget: that of a proxy with faults
 * @property {boolean} [csp] whether the page has the strict policy, as it has unless a test says otherwise
 * @property {number} [lifetime] of tokens, in seconds
 */

/** A world for the tests of a file: call `close` behind the last one. @param {{ env?: Record<string, string> }} [options] */
export async function createWorld({ env = {} } = {}) {
  /** @type {Map<string, Shop>} */
  const shops = new Map();
  const site = createServer((request, response) => respond(request, response));
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const sitePort = /** @type {import("node:net").AddressInfo} */ (site.address()).port;
  const siteUrl = `http://localhost:${sitePort}`;
  const server = await start({ env: { CHAT_CORS_ORIGINS: siteUrl, ...env } });
  const front = await startFront(() => server.port);
  const origin = `http://127.0.0.1:${front.port}`;
  /** @type {Browser} */
  const browser = await launch();

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  function respond(request, response) {
    const url = new URL(request.url ?? "/", siteUrl);
    const shop = shops.get(url.pathname.split("/")[1] ?? "") ?? {};
    if (url.pathname.endsWith("/token")) {
      const token = server.mint(shop.user ?? "alice", { name: shop.name, lifetime: shop.lifetime ?? 3600 });
      response.writeHead(200, { "Cache-Control": "no-store" }).end(token);
      return;
    }
    const widget = shop.origin ?? origin;
    const policy = `${PAGE.csp(widget)}; form-action 'none'`.replace("connect-src", `connect-src ${siteUrl}`);
    response.writeHead(200, {
      "Content-Type": "text/html; charset=utf-8",
      ...(shop.csp === false ? {} : { "Content-Security-Policy": policy }),
    });
    response.end(shopPage(shop, widget));
  }

  return {
    server,
    origin,
    site: siteUrl,
    browser,
    /** The widget's server, for a proxy with faults in front of it. */
    frontPort: front.port,
    cut: front.cut,

    /**
     * A page of the shop, in a browser of its own.
     *
     * @param {Shop} [shop]
     * @param {BrowserContextOptions & { context?: import("playwright-core").BrowserContext, path?: string }} [options]
     */
    async visit(shop = {}, { context, path, ...options } = {}) {
      const key = path ?? `shop${shops.size + 1}`;
      if (!path) shops.set(key, shop);
      const page = await (
        context ?? (await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options }))
      ).newPage();
      const problems = watch(page);
      await page.goto(`${siteUrl}/${key}/`);
      return Object.assign(hands(page), { problems, path: key, url: `${siteUrl}/${key}/` });
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

    async close() {
      await browser.close();
      await front.close();
      await server.stop();
      site.close();
      site.closeAllConnections();
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
${shop.head ?? ""}
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

/**
 * Whether the tests run that take long, and those that measure times. They need a machine that does nothing else: what is
 * measured on a busy one is the machine.
 */
export const isLong = process.env.CHAT_TEST_LONG === "1";
/** The options of a test that runs then alone. */
export const long = { skip: !isLong && "with CHAT_TEST_LONG=1" };

/** Waits until something holds. @param {() => unknown} holds @param {{ within?: number, what?: string }} [options] */
export async function until(holds, { within = 10_000, what = "it" } = {}) {
  const end = Date.now() + within;
  for (;;) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(`${what} did not hold within ${within} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

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
    await until(() => page.evaluate("shownAt > 0"));
    return Number(await page.evaluate("shownAt"));
  };
}
