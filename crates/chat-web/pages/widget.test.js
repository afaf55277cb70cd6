/** `/widget.js` in a page of another site, under a policy that allows nothing else. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { openHost, policyFor } from "./host.js";

test("a page of another site has the widget with one line and a token callback", async () => {
  const { server, visit } = await openHost((_path, origin) => ({
    body: `<!doctype html><html lang=en><title>shop</title><h1>Shop</h1><script async src="${origin}/widget.js"></script>`,
    headers: { "Content-Security-Policy": policyFor(origin) },
  }));
  const { page, problems } = await visit("/");
  await page.evaluate((token) => {
    const host = /** @type {{ chatWidget?: { push(call: unknown[]): void } }} */ (/** @type {unknown} */ (window));
    (host.chatWidget ??= /** @type {any} */ ([])).push(["identify", { token: () => token }]);
  }, server.tokens.alice);
  await page.getByRole("button", { name: "Chat" }).click();
  await page.getByRole("textbox").first().fill("Where is my parcel?");
  await page.getByRole("button", { name: "Start chat" }).click();
  const composer = page.getByRole("textbox", { name: "Message", exact: true });
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
});
