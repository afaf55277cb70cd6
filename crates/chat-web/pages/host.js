/**
 * The page of another company that has a script of ours: a site of another origin, the server whose script it is, and a
 * browser. They end with the test that opens them, or with the last one of the file.
 *
 * ```js
 * const host = await openHost((path, origin) => ({
 *   body: `<!doctype html><title>shop</title><script async src="${origin}/widget.js"></script>`,
 *   headers: { "Content-Security-Policy": policyFor(origin) },
 * }));
 * const { page, problems } = await host.visit("/shoes");
 * ```
 */

import { after } from "node:test";

import { launch, serve, watch } from "./browser.js";
import { startProxy } from "./proxy.js";
import { start } from "./server.js";

/** @import { BrowserContext, BrowserContextOptions } from "playwright-core" */

/** How long a page may take for what has to come, on a machine that is busy. */
const PATIENCE_MS = 60_000;

/**
 * @param {(path: string, origin: string) => ReturnType<Parameters<typeof serve>[0]>} respond makes the pages; `origin` is that
 *   of our scripts
 * @param {{ env?: Record<string, string> }} [options] `env` is added to the server's environment
 */
export async function openHost(respond, { env = {} } = {}) {
  const closeLater = closeAfter();
  const site = await serve((path) => respond(path, proxy.url));
  closeLater(() => site.close());
  const server = await start({ env: { CHAT_CORS_ORIGINS: site.localhost, ...env } });
  closeLater(() => server.stop());
  const proxy = await startProxy(server.port);
  closeLater(() => proxy.close());
  const browser = await launch();
  closeLater(() => browser.close());

  return {
    server,
    /** Stands between the pages and the server. */
    proxy,
    origin: proxy.url,
    site: site.localhost,
    browser,

    /**
     * A page of the site, in a context of its own unless one is given. The context ends with the test.
     *
     * @param {string} path
     * @param {BrowserContextOptions & { context?: BrowserContext }} [options]
     */
    async visit(path, { context, ...options } = {}) {
      const own = context ?? (await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options }));
      after(() => own.close());
      own.setDefaultTimeout(PATIENCE_MS);
      const page = await own.newPage();
      const problems = watch(page);
      await page.goto(site.localhost + path);
      return { page, problems };
    },
  };
}

/**
 * The policy of a page that may have our scripts, and the requests to its own server, and nothing else. The page's own
 * scripts and styles have a nonce, if it has any.
 *
 * @param {string} origin of our scripts
 * @param {string} [nonce]
 */
export function policyFor(origin, nonce) {
  const own = nonce ? `'nonce-${nonce}'` : "";
  return [
    "default-src 'none'",
    `script-src ${origin} ${own}`,
    `style-src ${own || "'none'"}`,
    `connect-src 'self' ${origin} ${origin.replace("http", "ws")}`,
    "img-src blob:",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
}

/** Closes what has been opened, the last first, and each whatever becomes of the others: one that stays keeps the process. */
function closeAfter() {
  /** @type {(() => Promise<unknown>)[]} */
  const closers = [];
  after(async () => {
    /** @type {unknown[]} */
    const failures = [];
    for (const close of closers.reverse()) await close().catch((failure) => failures.push(failure));
    if (failures.length > 0) throw new AggregateError(failures, "not everything could be closed");
  });
  return (/** @type {() => Promise<unknown>} */ close) => void closers.push(close);
}
