/** `/widget.js` and its assets as the server has them, in a page of another site, under a policy that allows nothing else. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, serve, watch } from "./browser.js";
import { start } from "./server.js";

test("a page of another site has the widget with one line and a token callback", async () => {
  /** @type {Awaited<ReturnType<typeof start>>} */
  let server;
  const site = await serve(() => ({
    body:
      "<!doctype html><html lang=en><title>shop</title><link rel=icon href=data:,><h1>Shop</h1>" +
      `<script async src="${server.url}/widget.js"></script>`,
    headers: {
      "Content-Security-Policy":
        `default-src 'none'; script-src ${server.url}; connect-src ${server.url} ws://127.0.0.1:${server.port}; ` +
        `img-src data: blob: ${server.url}; require-trusted-types-for 'script'`,
    },
  }));
  server = await start({ env: { CHAT_CORS_ORIGINS: site.url } });
  const browser = await launch();
  try {
    const page = await (await browser.newContext()).newPage();
    const problems = watch(page);
    await page.goto(site.url);
    await page.evaluate((token) => {
      const host = /** @type {{ chatWidget?: { push(call: unknown[]): void } }} */ (/** @type {unknown} */ (window));
      (host.chatWidget ??= /** @type {any} */ ([])).push(["identify", { token: () => token }]);
    }, server.tokens.alice);
    await page.getByRole("button", { name: "Chat" }).click();
    await page.getByRole("textbox").first().fill("Where is my parcel?");
    await page.getByRole("button", { name: "Start chat" }).click();
    const composer = page.getByRole("textbox", { name: "message" });
    await composer.fill("It has not arrived.");
    await composer.press("Enter");
    await page.getByRole("log").getByText("It has not arrived.").waitFor();
    await page.getByRole("listitem").filter({ hasText: "It has not arrived." }).getByText("Sent").waitFor();
    const { sessions } = await server.call(server.tokens.root, "GET", "/api/chat/sessions");
    assert.deepEqual(
      sessions.map((/** @type {{ subject: string }} */ session) => session.subject),
      ["Where is my parcel?"],
    );
    assert.deepEqual(problems, []);
  } finally {
    await browser.close();
    await server.stop();
    await site.close();
  }
});
