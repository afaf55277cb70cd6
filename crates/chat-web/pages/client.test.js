/** `/client.js` in a page of another site, under a policy that allows nothing else. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch, serve, watch } from "./browser.js";
import { start } from "./server.js";

test("a page of another site imports the library and sends a message", async () => {
  /** @type {Awaited<ReturnType<typeof start>>} */
  let server;
  const site = await serve(() => ({
    body: "<!doctype html><title>shop</title><link rel=icon href=data:,>",
    headers: {
      "Content-Security-Policy":
        `default-src 'none'; script-src ${server.url}; connect-src ${server.url} ws://127.0.0.1:${server.port}; ` +
        "img-src data:; require-trusted-types-for 'script'",
    },
  }));
  server = await start({ env: { CHAT_CORS_ORIGINS: site.url } });
  const browser = await launch();
  try {
    const page = await (await browser.newContext()).newPage();
    const problems = watch(page);
    await page.goto(site.url);
    const sent = await page.evaluate(
      async ({ url, token }) => {
        const { createClient } = await import(`${url}/client.js`);
        const client = createClient({ url, token: () => token });
        const { id } = await client.sessions.create({ subject: "Hello" });
        const message = await client.open(id).send("Where is my parcel?").done;
        client.close();
        return { id, content: message.content };
      },
      { url: server.url, token: server.tokens.alice },
    );
    assert.equal(sent.content, "Where is my parcel?");
    const { messages } = await server.call(server.tokens.root, "GET", `/api/chat/sessions/${sent.id}/messages`);
    assert.deepEqual(messages.map((/** @type {{ content: string }} */ message) => message.content), [sent.content]);
    assert.deepEqual(problems, []);
  } finally {
    await browser.close();
    await server.stop();
    await site.close();
  }
});
