// The library against a real server, through a network that fails. The server is that of the tests of pages:
// `CHAT_TEST_SERVER_BIN`, or the debug build. Each test has people of its own, so that none meets those of another.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { WebSocket } from "ws";
import { startProxy } from "../../../pages/proxy.js";
import { start } from "../../../pages/server.js";
import { createClient } from "../../src/index.js";
import { systemClock } from "../../src/clock.js";
import { memoryStorage } from "../../src/storage/memory.js";

const server = await start();
after(() => server.stop());

/** The end of a test that would never end, on a machine that is busy. */
const PATIENCE_MS = 120_000;

const api = (token, method, path, body) => server.call(token, method, `/api/chat${path}`, body);
const { root } = server.tokens;

/** All messages of a session, over REST and past the proxy. */
async function history(id) {
  const messages = [];
  for (let before = ""; ; ) {
    const page = await api(root, "GET", `/sessions/${id}/messages?limit=100${before && `&before=${before}`}`);
    messages.unshift(...page.messages);
    if (!page.hasMore) return messages;
    before = page.messages[0].id;
  }
}

/** A clock that is faster where the library waits long: its time limits, not its order of events. */
const hurried = { ...systemClock, setTimeout: (run, ms) => setTimeout(run, ms >= 5_000 ? ms / 10 : ms) };

function clientOf(t, url, token, options = {}) {
  const errors = [];
  const client = createClient({
    url,
    token,
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
  return new Promise((resolve, reject) => {
    const tooLate = setTimeout(() => {
      stop();
      const { state, error, messages = [] } = source.view;
      reject(new Error(`not within ${PATIENCE_MS} ms: ${isSo}; it is ${state}, ${messages.length} messages`, { cause: error }));
    }, PATIENCE_MS);
    const look = () => {
      if (!isSo(source.view)) return;
      clearTimeout(tooLate);
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

/** A customer with a session, and the agent who has it. The names of a test are its own. */
async function desk(customer, agent) {
  const tokens = { customer: () => server.mint(customer), agent: () => server.mint(agent, { role: "agent" }) };
  await api(root, "PUT", `/agents/${agent}`, {});
  const { id } = await api(tokens.customer(), "POST", "/sessions", { subject: "A test" });
  await api(root, "PUT", `/sessions/${id}/assign`, { agentId: agent });
  return { ...tokens, id };
}

/** A proxy in front of the server. */
async function network(t) {
  const proxy = await startProxy(server.port);
  t.after(() => proxy.close());
  return proxy;
}

test("two people talk: messages, receipts, typing, files, the inbox", async (t) => {
  const { customer: asAda, agent: asBen, id } = await desk("ada", "ben");
  const [customer, agent] = [clientOf(t, server.url, asAda), clientOf(t, server.url, asBen)];
  const [hers, his] = [customer.open(id), agent.open(id)];
  const inbox = agent.inbox(["mine", "waiting"]);
  await Promise.all([hers, his, inbox].map((each) => until(each, isLive)));
  const typing = until(his, ({ typing }) => typing.includes("ada"));
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
  await agent.sessions.assign(second.id, "ben");
  await until(inbox, ({ items }) => items.mine.some((item) => item.id === second.id));
  await customer.sessions.close(second.id);
  const closed = customer.open(second.id);
  await assert.rejects(closed.send("too late").done, { code: "SESSION_CLOSED" });
});

test("a token that ends soon is renewed on the open socket", async (t) => {
  const { id } = await desk("cleo", "carl");
  const reasons = [];
  // The server says a minute before the end that a token ends.
  const session = clientOf(t, server.url, (why) => {
    reasons.push(why);
    return server.mint("cleo", { lifetime: reasons.length === 1 ? 50 : 3_600 });
  }).open(id);
  await until(session, isLive);
  await session.send("before").done;
  await until(session, () => reasons.length > 1);
  assert.deepEqual(reasons, ["first", "expiring"]);
  await session.send("after").done;
  assert.deepEqual(reasons, ["first", "expiring"]);
});

test("a network that cuts, stalls and loses answers: each message once, in order, and equal views", async (t) => {
  const { customer: asDora, agent: asDan, id } = await desk("dora", "dan");
  const proxy = await network(t);
  const customer = clientOf(t, proxy.url, asDora).open(id);
  const agent = clientOf(t, server.url, asDan).open(id);
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
  const lost = Array.from({ length: 3 }, () => proxy.dropAnswer({ path: /\/messages$/ }));
  await write(10);
  await Promise.all(lost);
  // Connections are cut in the middle of what runs.
  const cut = write(10);
  proxy.cut();
  await cut;
  await until(customer, isLive);
  // The network goes silent, while the agent goes on writing, and nothing says that it has.
  proxy.stall();
  const stalled = write(5);
  for (let index = 0; index < 20; index++) await agent.send(`heard ${index}`).done;
  await until(customer, ({ messages }) => messages.some(({ error }) => error?.code === "TIMEOUT"));
  proxy.flow();
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
  const { customer: asEva, id } = await desk("eva", "emil");
  const proxy = await network(t);
  const storage = { ...memoryStorage(), shared: async () => true };
  // Its socket brings nothing, so that it hears of no message but by the answer.
  class Deaf extends WebSocket {
    set onmessage(_listener) {}
  }
  const first = clientOf(t, proxy.url, asEva, { storage, WebSocket: Deaf });
  const session = first.open(id);
  const lost = proxy.dropAnswer({ path: /\/messages$/, how: "hang" });
  for (let index = 0; index < 3; index++) session.send(`left ${index}`);
  await lost;
  first.close();
  assert.deepEqual(await own(id, "left"), ["left 0"]);
  assert.deepEqual(
    (await storage.all()).map(({ content }) => content),
    ["left 0", "left 1", "left 2"],
  );
  const next = clientOf(t, proxy.url, asEva, { storage }).open(id);
  await until(
    next,
    ({ state, messages }) => state === "live" && messages.length === 3 && messages.every(({ id }) => id !== null),
  );
  assert.deepEqual(await own(id, "left"), ["left 0", "left 1", "left 2"]);
  assert.deepEqual(await storage.all(), []);
});

test("more than a thousand missed events are reloaded, and what replays is complete", async (t) => {
  const { customer: asFay, agent: asFritz, id } = await desk("fay", "fritz");
  const proxy = await network(t);
  const customer = clientOf(t, proxy.url, asFay).open(id);
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
    proxy.refuse();
    await until(customer, ({ state }) => state === "waiting");
    // Each at its time: a message in a request of its own, a hundred at once in flight.
    for (let done = 0; done < count; done += 100) {
      const batch = Array.from({ length: Math.min(100, count - done) }, (_, index) => `missed ${done + index}`);
      await Promise.all(batch.map((content) => api(asFritz(), "POST", `/sessions/${id}/messages`, { content })));
    }
    proxy.flow();
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
