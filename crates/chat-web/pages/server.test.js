/** The driver of the server, with the program under test. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";

import { start } from "./server.js";

test("a server has people with tokens, keeps its data over a kill, and leaves nothing behind", async (t) => {
  const server = await start();
  t.after(() => server.stop());
  const { url, port, tokens } = server;
  const session = await server.call(tokens.alice, "POST", "/api/chat/sessions", { subject: "Hello" });
  const path = `/api/chat/sessions/${session.id}`;
  assert.equal((await server.call(server.mint("dora", { role: "admin" }), "GET", path)).userId, "alice");
  await assert.rejects(server.call(server.mint("eve"), "GET", path), /403/);
  await assert.rejects(server.call(server.mint("alice", { lifetime: -1 }), "GET", path), /401/);

  await server.kill();
  await assert.rejects(fetch(url));
  await server.restart();
  assert.equal(server.port, port);
  assert.equal((await server.call(tokens.alice, "GET", path)).subject, "Hello");
  await server.terminate();
  assert.equal(server.pid, undefined);

  await server.stop();
  assert.ok(!existsSync(server.dataDir));
});

test("a server that does not start says why", async () => {
  await assert.rejects(start({ env: { CHAT_WORKERS: "many" } }), /CHAT_WORKERS/);
});

// A timer that is left keeps the process of the test for a minute.
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

for (const { what, program, reason } of [
  { what: "ends at once", program: "/bin/false", reason: /ended with 1/ },
  { what: "is not there", program: "/no/such/program", reason: /ENOENT/ },
]) {
  test(`a server that ${what} leaves no timer behind`, async () => {
    const before = timers();
    await assert.rejects(start({ binary: program }), reason);
    assert.equal(timers(), before);
  });
}
