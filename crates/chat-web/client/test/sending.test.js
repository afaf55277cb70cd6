import assert from "node:assert/strict";
import { test } from "node:test";
import { idbStorage } from "../src/storage/idb.js";
import { shownBy, truthOf, World } from "./support/world.js";

const texts = (session) => session.messages.map(({ content }) => content);

/** A world with one session that is open and live. */
const opened = (options) => new World().opened(options);

test("a message is shown at once, stored before it is sent, and then sent once", async () => {
  const { world, session, view, network } = await opened();
  network.log.length = 0;
  const stored = [];
  network.answer = ({ method }) =>
    void (method === "POST" && world.browser.records.all().then((all) => stored.push(...all)));
  const outgoing = view.send("hello");
  const [entry] = view.view.messages;
  assert.deepEqual([entry.content, entry.delivery, entry.own, entry.id], ["hello", "queued", true, null]);
  assert.deepEqual(network.log, []);
  await world.advance(1_000);
  const message = await outgoing.done;
  assert.deepEqual(texts(session), ["hello"]);
  assert.deepEqual(
    stored.map(({ key }) => key),
    [outgoing.key],
    "it was in the storage when the server got it",
  );
  assert.deepEqual(shownBy(view), truthOf(world, session));
  assert.equal(view.view.messages[0].key, outgoing.key, "the key of the list stays the same");
  assert.equal(view.view.messages[0].id, message.id);
  assert.deepEqual(await world.browser.records.all(), []);
  assert.deepEqual(world.errors, []);
});

test("messages are sent one after the other, in the order of sending", async () => {
  const { world, session, view, network } = await opened();
  network.jitter = 200;
  const wanted = Array.from({ length: 20 }, (_, number) => `text ${number}`);
  for (const text of wanted) view.send(text);
  await world.advance(60_000);
  assert.deepEqual(texts(session), wanted);
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("an answer that is lost is asked for again with the same key", async () => {
  const { world, session, view, network } = await opened();
  // Without the echo, so that only the repetition can find it.
  network.refusesSockets = true;
  network.cut();
  let lost = 0;
  network.answer = (request) => {
    const answer = world.server.handle(request);
    return request.method === "POST" && request.path.endsWith("/messages") && ++lost < 3
      ? { ...answer, status: 502 }
      : answer;
  };
  view.send("once");
  await world.advance(10_000);
  assert.equal(lost, 3);
  assert.deepEqual(texts(session), ["once"]);
  assert.deepEqual(shownBy(view), truthOf(world, session), "without a socket as well");
});

test("an echo that comes before the answer is the message, and the next one is sent at once", async () => {
  const { world, session, view, network } = await opened();
  network.answer = (request) => {
    if (request.method !== "POST" || session.messages.length > 0) return undefined;
    world.server.handle(request);
    return { never: true };
  };
  const first = view.send("first");
  view.send("second");
  await world.advance(2_000);
  assert.equal((await first.done).content, "first");
  assert.deepEqual(texts(session), ["first", "second"], "without waiting for the time limit of the request");
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("a refused message fails alone, keeps its text, and is sent when asked again with its key", async () => {
  const { world, session, view } = await opened();
  world.server.change(session, { status: "closed" });
  const refused = view.send("too late");
  await world.advance(2_000);
  await assert.rejects(refused.done, { code: "SESSION_CLOSED", status: 409, retryable: false });
  let [entry] = view.view.messages;
  assert.deepEqual([entry.content, entry.delivery, entry.error.code], ["too late", "failed", "SESSION_CLOSED"]);
  world.server.change(session, { status: "active" });
  view.send("next");
  await world.advance(2_000);
  assert.deepEqual(texts(session), ["next"]);
  view.outgoing(entry.key).retry();
  await world.advance(2_000);
  assert.deepEqual(texts(session), ["next", "too late"]);
  assert.equal((await view.view.messages[1]).key, entry.key);
  assert.equal((await refused.done).content, "too late", "the handle's promise is that of the new attempt");
});

test("a message that was refused is still there after a reload, and can be removed", async () => {
  const { world, session, view, ...page } = await opened();
  world.server.change(session, { status: "closed" });
  view.send("too late");
  await world.advance(2_000);
  world.crash(page);
  const again = world.client().client.open(session.id);
  await world.until("live", () => again.view.state === "live");
  const [entry] = again.view.messages;
  assert.deepEqual([entry.content, entry.delivery, entry.error.code], ["too late", "failed", "SESSION_CLOSED"]);
  again.outgoing(entry.key).cancel();
  await world.advance(100);
  assert.deepEqual(again.view.messages, []);
  assert.deepEqual(await world.browser.records.all(), []);
});

test("a cancelled message is not sent", async () => {
  const { world, session, view, network } = await opened();
  network.mode = "silent";
  const outgoing = view.send("never");
  view.send("after");
  await world.advance(1_000);
  outgoing.cancel();
  await assert.rejects(outgoing.done, { code: "ABORTED" });
  network.recover();
  await world.advance(60_000);
  assert.deepEqual(texts(session), ["after"]);
});

test("one that nothing asks about rejects without an unhandled rejection", async () => {
  const unhandled = [];
  const listen = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", listen);
  const { world, view } = await opened();
  view.send("").cancel();
  view.send("");
  await world.advance(5_000);
  process.off("unhandledRejection", listen);
  assert.equal(view.view.messages[0].delivery, "failed");
  assert.deepEqual(unhandled, []);
});

for (const status of [429, 503]) {
  test(`${status} waits the seconds of Retry-After, whatever else happens`, async () => {
    const { world, session, view, network } = await opened();
    let refusals = 1;
    network.answer = ({ method }) =>
      method === "POST" && refusals-- > 0 ? world.server.failure(status, "LATER", { "Retry-After": "20" }) : undefined;
    view.send("later");
    await world.advance(1_000);
    assert.equal(view.view.messages[0].error.retryAfter, 20);
    network.emit("online");
    network.emit("visible");
    view.retryNow();
    await world.advance(17_000);
    assert.deepEqual(texts(session), []);
    await world.advance(3_000);
    assert.deepEqual(texts(session), ["later"]);
  });
}

test("a request into a black hole ends by its time limit, and at once when the network is back", async () => {
  const { world, session, view, network } = await opened();
  network.goSilent();
  view.send("wait");
  await world.advance(15_100);
  assert.equal(view.view.messages[0].error.code, "TIMEOUT");
  await world.advance(5_000);
  network.recover();
  network.emit("online");
  await world.advance(500);
  assert.deepEqual(texts(session), ["wait"]);
});

test("nothing waits any longer when the client is closed, also not for as long as the server has asked", async () => {
  const { world, view, client, network } = await opened();
  network.answer = ({ method }) =>
    method === "POST" ? world.server.failure(503, "UNAVAILABLE", { "Retry-After": "3600" }) : undefined;
  view.send("later");
  await world.advance(1_000);
  assert.equal(view.view.messages[0].error.retryAfter, 3_600);
  client.close();
  await world.advance(100);
  assert.equal(world.clock.pending, 0);
});

test("keys need no `crypto.randomUUID`, which pages over plain http do not have", async () => {
  const { world, session, view, client } = await opened();
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  try {
    const keys = new Set(Array.from({ length: 20 }, () => view.send("hello").key));
    assert.equal(keys.size, 20);
    for (const key of keys) assert.match(key, /^[!-~]{20,128}$/);
    const creating = client.sessions.create();
    await world.advance(5_000);
    assert.equal((await creating).userId, "alice");
    assert.equal(session.messages.length, 20);
  } finally {
    delete crypto.randomUUID;
  }
});

test("sessions do not wait for each other", async () => {
  const { world, session, view, client, network } = await opened();
  const second = world.server.open("alice");
  const other = client.open(second.id);
  network.answer = ({ path, method }) =>
    method === "POST" && path.includes(session.id)
      ? world.server.failure(503, "UNAVAILABLE", { "Retry-After": "30" })
      : undefined;
  view.send("stuck");
  other.send("goes");
  await world.advance(2_000);
  assert.deepEqual(texts(second), ["goes"]);
  assert.equal(view.view.messages[0].delivery, "queued");
});

test("files are uploaded one by one, with progress, and a reload goes on where it was", async () => {
  const { world, session, view, network, ...page } = await opened();
  const files = [
    new File(["12345"], "a photo (1).png", { type: "image/png" }),
    new File(["12345"], "b.txt", { type: "text/plain" }),
  ];
  let uploads = 0;
  network.answer = ({ path }) => {
    if (!path.endsWith("/attachments")) return undefined;
    return ++uploads > 1 ? world.server.failure(503, "UNAVAILABLE", { "Retry-After": "60" }) : undefined;
  };
  view.send("look", { files });
  const [entry] = view.view.messages;
  assert.deepEqual(
    entry.attachments.map(({ id, name, size }) => [id, name, size]),
    [
      [null, "a photo (1).png", 5],
      [null, "b.txt", 5],
    ],
  );
  const seen = [];
  view.subscribe(() => {
    const [{ delivery, progress }] = view.view.messages;
    if (delivery === "uploading" && seen.at(-1) !== progress) seen.push(progress);
  });
  await world.advance(2_000);
  assert.deepEqual(seen, [0, 0.5]);
  world.crash({ network, ...page });
  const again = world.client();
  const reopened = again.client.open(session.id);
  await world.advance(10_000);
  assert.equal(
    again.network.log.filter((line) => line.endsWith("/attachments")).length,
    1,
    "the first file is there already",
  );
  const [message] = session.messages;
  assert.equal(message.attachments[0].name, "attachment; filename*=UTF-8''a%20photo%20%281%29.png");
  assert.equal(message.attachments.length, 2);
  assert.deepEqual(shownBy(reopened), truthOf(world, session));
});

test("uploads that the server has removed meanwhile are uploaded again", async () => {
  const { world, session, view, network } = await opened();
  network.answer = ({ path, method }) =>
    method === "POST" && path.endsWith("/messages") && world.server.uploads.size === 1
      ? world.server.failure(503, "UNAVAILABLE")
      : undefined;
  view.send("", { files: [new Blob(["x"])] });
  await world.advance(3_000);
  world.server.uploads.clear();
  network.answer = undefined;
  await world.advance(20_000);
  assert.equal(session.messages[0].attachments.length, 1);
  assert.equal(view.view.messages[0].delivery, "sent");
});

test("a storage that does not take a message says so, and the text is kept", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const storage = {
    ...world.browser.storage(),
    add: async () => {
      throw new Error("quota");
    },
  };
  const { client } = world.client({ storage });
  const view = client.open(session.id);
  const outgoing = view.send("large");
  await world.advance(2_000);
  await assert.rejects(outgoing.done, { code: "STORAGE", retryable: true });
  assert.equal(view.view.messages[0].delivery, "failed");
  assert.equal(view.view.messages[0].content, "large");
});

test("without a shared storage each tab sends its own, once", async () => {
  const { world, session, view } = await opened({ storage: null });
  const other = world.client({ storage: null }).client.open(session.id);
  await world.until("live", () => other.view.state === "live");
  view.send("one");
  other.send("two");
  await world.advance(3_000);
  assert.deepEqual(texts(session).sort(), ["one", "two"]);
  for (const each of [view, other]) assert.deepEqual(shownBy(each), truthOf(world, session));
  assert.deepEqual(world.errors, []);
});

test("closing a client leaves what is queued, also what is not stored yet, to the next one", async () => {
  const { world, session, view, client, network } = await opened();
  network.mode = "silent";
  const outgoing = view.send("still to send");
  client.close();
  await assert.rejects(outgoing.done, { code: "ABORTED" });
  await world.advance(100);
  const next = world.client().client.open(session.id);
  await world.advance(5_000);
  assert.deepEqual(texts(session), ["still to send"]);
  assert.deepEqual(shownBy(next), truthOf(world, session));
});

test("a message that the storage refuses twice is failed again, and not queued without end", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const storage = world.browser.storage();
  let isFull = true;
  const add = async (record) => {
    if (isFull) throw new DOMException("full", "QuotaExceededError");
    return storage.add(record);
  };
  const { client } = world.client({ storage: { ...storage, add } });
  const view = client.open(session.id);
  await world.until("live", () => view.view.state === "live");
  const outgoing = view.send("hello");
  await world.advance(1_000);
  assert.equal(view.view.messages[0].delivery, "failed");
  outgoing.retry();
  await world.advance(60_000);
  world.errors.splice(0);
  assert.equal(view.view.messages[0].delivery, "failed");
});

/** What is not answered well is sent again with pauses. */
async function assertPauses({ world, view, network }) {
  network.log.length = 0;
  view.send("hello");
  await world.advance(10_000);
  const posts = network.log.filter((line) => line.startsWith("POST")).length;
  assert.ok(posts > 0 && posts < 20, `${posts} requests in 10 s`);
}

test("an empty answer with 200 is not asked for again without a pause", async () => {
  const { world, view, network } = await new World().opened();
  network.answer = ({ method, path }) =>
    method === "POST" && path.endsWith("/messages") ? { status: 200, headers: {}, text: "", body: null } : undefined;
  await assertPauses({ world, view, network });
});

test("without sockets, one message is one bubble when its answer comes late", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const { client, network } = world.client();
  network.refusesSockets = true;
  const view = client.open(session.id);
  await world.advance(30_000);
  let lost = 1;
  network.answer = (request) => {
    const answer = world.server.handle(request);
    return request.path.endsWith("/messages") && request.method === "POST" && lost-- > 0 ? { never: true } : answer;
  };
  view.send("once");
  let seen = 0;
  for (let step = 0; step < 900; step++) {
    const ids = view.view.messages.map(({ id }) => id).filter(Boolean);
    if (new Set(ids).size < ids.length) seen++;
    await world.advance(100);
  }
  assert.equal(seen, 0, `twice in the view for ${seen / 10} s`);
});

test("of what is sent in the moment of logout nothing stays stored, and `done` ends", async () => {
  const world = new World();
  const { clock, browser } = world;
  const { records } = browser;
  // As IndexedDB: transactions run in the order in which they begin.
  const slow = (run) => new Promise((resolve) => clock.setTimeout(() => resolve(run()), 2));
  const storage = {
    shared: async () => true,
    add: (record) => slow(() => records.add(structuredClone(record))),
    put: (record) => slow(() => records.put(structuredClone(record))),
    delete: (id) => slow(() => records.delete(id)),
    all: () => slow(() => records.all()),
    close() {},
  };
  const { view, client } = await world.opened({ storage });
  const logout = client.logout();
  let outcome = "pending";
  view.send("secret").done.then(
    () => (outcome = "sent"),
    ({ code }) => (outcome = code),
  );
  await world.advance(1_000);
  await logout;
  const left = (await records.all()).map(({ content }) => content);
  assert.deepEqual([left, outcome], [[], "ABORTED"]);
});

test("Retry-After of a month is no request without a pause", async () => {
  const world = new World();
  const { clock } = world;
  // As browsers and Node.js have it: more than 2^31 - 1 ms is none.
  const setTimeout = (run, ms) => clock.setTimeout(run, ms > 2 ** 31 - 1 ? 1 : ms);
  const { view, network } = await world.opened({ clock: { ...clock, now: clock.now, clearTimeout: clock.clearTimeout, setTimeout } });
  network.answer = ({ method }) =>
    method === "POST" ? world.server.failure(503, "UNAVAILABLE", { "Retry-After": String(31 * 86_400) }) : undefined;
  await assertPauses({ world, view, network });
});

test("a file that is refused does not make the others be uploaded again", async () => {
  const { world, view, network } = await new World().opened();
  network.answer = ({ path, body }) =>
    path.endsWith("/attachments") && body.size === 0 ? world.server.failure(400, "VALIDATION_FAILED") : undefined;
  network.log.length = 0;
  view.send("look", { files: [new File(["large"], "a"), new File(["large"], "b"), new File([], "empty")] });
  await world.advance(10_000);
  assert.equal(view.view.messages[0].delivery, "failed");
  assert.equal(network.log.filter((line) => line.endsWith("/attachments")).length, 3);
});

test("the progress of an empty file is a number", async () => {
  const { world, view } = await new World().opened();
  const seen = [];
  view.subscribe(() => view.view.messages[0]?.progress !== undefined && seen.push(view.view.messages[0].progress));
  view.send("x", { files: [new File([], "empty")] });
  await world.advance(1_000);
  assert.ok(seen.length > 0 && seen.every(Number.isFinite), String(seen));
});

test("a database that never answers does not keep messages from being sent", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const real = globalThis.setTimeout;
  // The storage has no clock of its own.
  globalThis.setTimeout = (run, ms, ...more) => (ms > 1_000 ? world.clock.setTimeout(run, ms) : real(run, ms, ...more));
  try {
    const { client } = world.client({ storage: idbStorage({ open: () => ({}) }, "chat") });
    const view = client.open(session.id);
    view.send("hello");
    await world.advance(60_000);
    assert.deepEqual(texts(session), ["hello"]);
  } finally {
    globalThis.setTimeout = real;
  }
});
