/** `/client.js` in a page of another site, under a policy that allows nothing else. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { openHost, policyFor } from "./host.js";

test("a page of another site imports the library and sends a message", async () => {
  const { server, origin, visit } = await openHost((_path, origin) => ({
    body: "<!doctype html><title>shop</title>",
    headers: { "Content-Security-Policy": policyFor(origin) },
  }));
  const { page, problems } = await visit("/");
  const sent = await page.evaluate(
    async ({ url, token }) => {
      const { createClient } = await import(`${url}/client.js`);
      const client = createClient({ url, token: () => token });
      const { id } = await client.sessions.create({ subject: "Hello" });
      const message = await client.open(id).send("Where is my parcel?").done;
      client.close();
      return { id, content: message.content };
    },
    { url: origin, token: server.tokens.alice },
  );
  assert.equal(sent.content, "Where is my parcel?");
  const { messages } = await server.call(server.tokens.root, "GET", `/api/chat/sessions/${sent.id}/messages`);
  assert.deepEqual(messages.map((/** @type {{ content: string }} */ message) => message.content), [sent.content]);
  assert.deepEqual(problems, []);
});
