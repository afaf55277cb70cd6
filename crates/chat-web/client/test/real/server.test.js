// The library against a real server, through a network that fails. It starts one of its own, or takes one whose tokens are
// signed with HS256:
//
//   CHAT_CLIENT_SERVER=http://127.0.0.1:8080 CHAT_CLIENT_SECRET=… npm run test:server
//
// The packages are those of this folder, or of the one that CHAT_TEST_NODE_PACKAGES names.
import assert from "node:assert/strict";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { createClient } from "../../src/index.js";
import { systemClock } from "../../src/clock.js";
import { start } from "../../../pages/server.js";
import { startProxy } from "./proxy.js";

const { CHAT_CLIENT_SERVER, CHAT_CLIENT_SECRET, CHAT_TEST_NODE_PACKAGES: packages } = process.env;
assert.equal(!CHAT_CLIENT_SERVER, !CHAT_CLIENT_SECRET, "a server comes with its secret");
const secret = CHAT_CLIENT_SECRET ?? randomBytes(32).toString("hex");
const ownServer = CHAT_CLIENT_SERVER ? null : await start({ env: { CHAT_JWT_SECRET: secret } });
const server = CHAT_CLIENT_SERVER ?? ownServer.url;
after(() => ownServer?.stop());
const { WebSocket } = createRequire(packages ? join(packages, "package.json") : import.meta.url)("ws");

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
function tokenOf(sub, role, seconds = 3_600) {
  const now = Math.floor(Date.now() / 1_000);
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, role, iat: now - 1, exp: now + seconds })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

// Each test has people of its own, so that they can run again against the same server.
const run = randomUUID().slice(0, 8);
const name = (who) => `${who}-${run}`;

async function api(who, role, method, path, body) {
  const response = await fetch(`${server}/api/chat${path}`, {
    method,
    headers: { Authorization: `Bearer ${tokenOf(who, role)}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}

/** All messages of a session, over REST and past the proxy. */
async function history(id) {
  const messages = [];
  for (let after = ""; ; ) {
    const page = await api("root", "admin", "GET", `/sessions/${id}/messages?limit=100${after && `&before=${after}`}`);
    messages.unshift(...page.messages);
    if (!page.hasMore) return messages;
    after = page.messages[0].id;
  }
}

/** A clock that is faster where the library waits long: its time limits, not its order of events. */
const hurried = { ...systemClock, setTimeout: (run, ms) => setTimeout(run, ms >= 5_000 ? ms / 10 : ms) };

function clientOf(t, url, who, role, options = {}) {
  const errors = [];
  const client = createClient({
    url,
    token: () => tokenOf(who, role),
    WebSocket,
    clock: hurried,
    onError: (error) => errors.push(error),
    ...options,
  });
  t.after(() => {
    client.close();
    assert.deepEqual(errors, []);
  });
  return client;
}

/** When something is so in a view. */
function until(source, isSo) {
  return new Promise((resolve) => {
    const look = () => {
      if (!isSo(source.view)) return;
      stop();
      resolve(source.view);
    };
    const stop = source.subscribe(look);
    queueMicrotask(look);
  });
}

const isLive = ({ state }) => state === "live";
const own = (id, prefix) =>
  history(id).then((all) => all.map(({ content }) => content).filter((text) => text.startsWith(prefix)));

async function desk() {
  const [alice, bob] = [name("alice"), name("bob")];
  await api("root", "admin", "PUT", `/agents/${bob}`, {});
  const { id } = await api(alice, "user", "POST", "/sessions", { subject: "A test" });
  await api("root", "admin", "PUT", `/sessions/${id}/assign`, { agentId: bob });
  return { alice, bob, id };
}

test("two people talk: messages, receipts, typing, files, the inbox", async (t) => {
  const { alice, bob, id } = await desk();
  const [customer, agent] = [clientOf(t, server, alice, "user"), clientOf(t, server, bob, "agent")];
  const [hers, his] = [customer.open(id), agent.open(id)];
  const inbox = agent.inbox(["mine", "waiting"]);
  await Promise.all([hers, his, inbox].map((each) => until(each, isLive)));
  const typing = until(his, ({ typing }) => typing.includes(alice));
  hers.typing();
  await typing;
  const sent = await hers.send("Where is my parcel?", {
    files: [new File(["bytes"], "bill.txt", { type: "text/plain" })],
  }).done;
  await until(his, ({ messages }) => messages.at(-1)?.id === sent.id);
  assert.deepEqual(his.view.typing, []);
  const bytes = await agent.download(his.view.messages.at(-1).attachments[0]);
  assert.equal(await bytes.text(), "bytes");
  await until(hers, ({ messages }) => messages.at(-1).delivery === "delivered");
  await until(inbox, ({ items, counts }) => items.mine[0]?.unreadCount === 1 && counts.mineUnread === 1);
  his.read();
  await until(hers, ({ messages }) => messages.at(-1).delivery === "read");
  await until(inbox, ({ items }) => items.mine[0].unreadCount === 0);
  assert.equal(his.view.unread, 0);
  const second = await customer.sessions.create({ subject: "Another" });
  await until(inbox, ({ items }) => items.waiting.some((item) => item.id === second.id));
  await agent.sessions.assign(second.id, bob);
  await until(inbox, ({ items }) => items.mine.some((item) => item.id === second.id));
  await customer.sessions.close(second.id);
  const closed = customer.open(second.id);
  await assert.rejects(closed.send("too late").done, { code: "SESSION_CLOSED" });
});

test("a token that ends soon is renewed on the open socket", async (t) => {
  const { alice, id } = await desk();
  const reasons = [];
  const session = clientOf(t, server, alice, "user", {
    token: (why) => {
      reasons.push(why);
      return tokenOf(alice, "user", reasons.length === 1 ? 20 : 3_600);
    },
  }).open(id);
  await until(session, isLive);
  await session.send("before").done;
  await until(session, () => reasons.length > 1);
  assert.deepEqual(reasons, ["first", "expiring"]);
  await session.send("after").done;
  assert.deepEqual(reasons, ["first", "expiring"]);
});

test("a network that cuts, stalls and loses answers: each message once, in order, and equal views", async (t) => {
  const { alice, bob, id } = await desk();
  const proxy = await startProxy(server);
  t.after(() => proxy.close());
  const customer = clientOf(t, proxy.url, alice, "user").open(id);
  const agent = clientOf(t, server, bob, "agent").open(id);
  await Promise.all([customer, agent].map((each) => until(each, isLive)));
  const typed = [];
  const write = (count) => {
    let last;
    for (let index = 0; index < count; index++) {
      typed.push(`typed ${typed.length}`);
      last = customer.send(typed.at(-1));
    }
    return last.done;
  };

  await write(5);
  // Answers are lost after the server has stored the message.
  proxy.loseAnswers(3);
  await write(10);
  assert.equal(proxy.answersToLose, 0);
  // Connections are cut in the middle of what runs.
  const cut = write(10);
  proxy.cut();
  await cut;
  await until(customer, isLive);
  // The network goes silent, while the agent goes on writing, and nothing says that it has.
  proxy.goSilent();
  const stalled = write(5);
  for (let index = 0; index < 20; index++) await agent.send(`heard ${index}`).done;
  await until(customer, ({ messages }) => messages.some(({ error }) => error?.code === "TIMEOUT"));
  proxy.recover();
  await stalled;
  await until(
    customer,
    ({ state, messages }) => state === "live" && messages.some(({ content }) => content === "heard 19"),
  );
  await write(3);

  assert.deepEqual(await own(id, "typed"), typed);
  const stored = (await history(id)).map(({ id, content }) => [id, content]);
  for (const session of [customer, agent]) {
    await until(
      session,
      ({ messages }) => messages.length >= Math.min(50, stored.length) && messages.every(({ id }) => id),
    );
    while (session.view.hasOlder) await session.older();
    assert.deepEqual(
      session.view.messages.map(({ id, content }) => [id, content]),
      stored,
    );
  }
});

test("what a page leaves in the outbox, its successor sends, once, although the answer was lost", async (t) => {
  const { alice, id } = await desk();
  const proxy = await startProxy(server);
  t.after(() => proxy.close());
  const { memoryStorage } = await import("../../src/storage/memory.js");
  const storage = { ...memoryStorage(), shared: async () => true };
  const first = clientOf(t, proxy.url, alice, "user", { storage });
  const session = first.open(id);
  await until(session, isLive);
  proxy.loseAnswers(1);
  proxy.goSilent();
  for (let index = 0; index < 3; index++) session.send(`left ${index}`);
  await until(session, ({ messages }) => messages[0]?.error !== undefined);
  first.close();
  proxy.recover();
  const next = clientOf(t, proxy.url, alice, "user", { storage }).open(id);
  await until(
    next,
    ({ state, messages }) => state === "live" && messages.length === 3 && messages.every(({ id }) => id !== null),
  );
  assert.deepEqual(await own(id, "left"), ["left 0", "left 1", "left 2"]);
  assert.deepEqual(await storage.all(), []);
});

test("more than a thousand missed events are reloaded, and what replays is complete", async (t) => {
  const { alice, bob, id } = await desk();
  const proxy = await startProxy(server);
  t.after(() => proxy.close());
  const customer = clientOf(t, proxy.url, alice, "user").open(id);
  await until(customer, isLive);
  await customer.send("before").done;
  const events = [];
  for (const event of ["gap", "reloaded", "message"])
    customer.on(event, (value) => events.push(value?.content ?? value?.reason ?? event));
  for (const [count, expected] of [
    [300, null],
    [1_010, "too_many_missed"],
  ]) {
    events.length = 0;
    proxy.goSilent();
    proxy.cut();
    // Each at its time: a message in a request of its own, a hundred at once in flight.
    for (let done = 0; done < count; done += 100) {
      const batch = Array.from({ length: Math.min(100, count - done) }, (_, index) => `missed ${done + index}`);
      await Promise.all(batch.map((content) => api(bob, "agent", "POST", `/sessions/${id}/messages`, { content })));
    }
    proxy.recover();
    proxy.cut();
    const all = (await history(id)).map(({ content }) => content);
    await until(customer, ({ state, messages }) => state === "live" && messages.at(-1)?.content === all.at(-1));
    if (expected) assert.deepEqual(events, [expected, "reloaded"]);
    else
      assert.deepEqual(
        events.filter((text) => text !== "before"),
        all.slice(-count),
      );
    const shown = customer.view.messages.map(({ content }) => content);
    assert.deepEqual(shown, all.slice(-shown.length));
  }
});
