/**
 * Debian's Chromium for the tests of pages, and a site that stands for another company's.
 *
 * ```js
 * const site = await serve((path) => ({ body: "<!doctype html>…", headers: { "Content-Security-Policy": "…" } }));
 * const browser = await launch();
 * const page = await (await browser.newContext()).newPage();
 * const problems = watch(page);   // errors of the console, unhandled rejections, violations of the policy
 * …
 * await browser.close();
 * await site.close();
 * ```
 */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";

import { chromium } from "playwright-core";

/**
 * Starts a headless browser. Without a sandbox, which root has no right to make: it opens pages of tests alone.
 *
 * @param {import("playwright-core").LaunchOptions} [options]
 */
export async function launch(options = {}) {
  const executablePath = process.env.CHAT_TEST_CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    throw new Error(`${executablePath} is missing: install Debian's package chromium, or set CHAT_TEST_CHROMIUM`);
  }
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-quic", "--disable-background-networking"],
    ...options,
  });
}

/** What a browser itself says of a request that failed: no page can keep it from that. */
export const OF_THE_NETWORK = /^Failed to load resource:|^WebSocket connection to .* failed:/;

/**
 * Collects what goes wrong in a page and is not seen: errors of the console, which violations of a policy are among, and
 * errors that are not caught. Call it before the page goes anywhere.
 *
 * @param {import("playwright-core").Page} page
 * @returns {string[]} grows while the page lives
 */
export function watch(page) {
  /** @type {string[]} */
  const problems = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  return problems;
}

/**
 * Serves pages of another origin on a free port.
 *
 * @param {(path: string) => { body: string, status?: number, headers?: Record<string, string> }} respond
 */
export async function serve(respond) {
  const server = createServer((request, response) => {
    const { body, status = 200, headers = {} } = respond(request.url ?? "/");
    response.writeHead(status, { "Content-Type": "text/html; charset=utf-8", ...headers }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    /** Another host than the server's for the browser, with the same content. */
    localhost: `http://localhost:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
