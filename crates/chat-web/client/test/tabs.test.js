import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenOf } from "./support/tokens.js";
import { shownBy, truthOf, World } from "./support/world.js";

const texts = (session) => session.messages.map(({ content }) => content);

async function twoTabs() {
  const world = new World();
  const session = world.server.open("alice");
  const pages = [world.client(), world.client()];
  const views = pages.map(({ client }) => client.open(session.id));
  await world.until("live", () => views.every(({ view }) => view.state === "live"));
  return { world, session, pages, views };
}

test("what one tab sends shows in the other at once, with how far it is", async () => {
  const { world, session, pages, views } = await twoTabs();
  for (const { network } of pages) network.answer = ({ method }) => (method === "POST" ? { never: true } : undefined);
  const { key } = views[0].send("hello");
  await world.advance(200);
  const [entry] = views[1].view.messages;
  assert.deepEqual([entry.key, entry.content, entry.delivery, entry.own], [key, "hello", "sending", true]);
  for (const { network } of pages) network.answer = undefined;
  await world.advance(20_000);
  for (const view of views) {
    assert.deepEqual(shownBy(view), truthOf(world, session));
    assert.equal(view.view.messages[0].key, key);
  }
});

test("one tab sends for all: two send nothing twice and each in its order", async () => {
  const { world, session, pages, views } = await twoTabs();
  const posts = () =>
    pages.flatMap(({ network }) => network.log.filter((line) => line.startsWith("POST") && line.endsWith("/messages")));
  for (let number = 0; number < 20; number++) {
    views[number % 2].send(`${number % 2}-${String(number).padStart(2, "0")}`);
    await world.advance(number * 3);
  }
  await world.advance(10_000);
  assert.equal(posts().length, 20);
  for (const tab of ["0", "1"]) {
    const own = texts(session).filter((text) => text.startsWith(tab));
    assert.deepEqual(own, [...own].sort());
  }
  for (const view of views) assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("the queue of a closed tab is taken over, also one that was sending", async () => {
  const { world, session, pages, views } = await twoTabs();
  // The request is stored, its answer never comes: the tab is gone.
  pages[0].network.answer = (request) => {
    if (request.method !== "POST") return undefined;
    world.server.handle(request);
    return { never: true };
  };
  pages[1].network.refusesSockets = true;
  pages[1].network.cut();
  for (const text of ["one", "two", "three"]) views[0].send(text);
  await world.advance(30);
  world.crash(pages[0]);
  await world.advance(10_000);
  assert.deepEqual(texts(session), ["one", "two", "three"]);
  pages[1].network.refusesSockets = false;
  await world.advance(30_000);
  assert.deepEqual(shownBy(views[1]), truthOf(world, session));
  assert.deepEqual(await world.browser.records.all(), []);
});

test("a tab that takes over goes on with the files that the other one has uploaded", async () => {
  const { world, session, pages, views } = await twoTabs();
  // The message is stored, and neither its answer nor its echo comes: the tab is gone.
  pages[0].network.answer = (request) => {
    if (!request.path.endsWith("/messages") || request.method !== "POST") return undefined;
    world.server.handle(request);
    return { never: true };
  };
  for (const { network } of pages) {
    network.refusesSockets = true;
    network.cut();
  }
  views[0].send("look", { files: [new Blob(["x"])] });
  await world.until("stored", () => session.messages.length === 1);
  assert.equal(views[1].view.messages.length, 1);
  world.crash(pages[0]);
  await world.advance(10_000);
  assert.equal(views[1].view.messages[0].delivery, "sent");
  assert.equal(world.server.uploads.size, 1, "nothing is uploaded twice");
  assert.deepEqual(await world.browser.records.all(), []);
});

test("a tab that takes over does not send what the server has refused without this tab having heard of it", async () => {
  const { world, session, pages, views } = await twoTabs();
  pages[0].network.mode = pages[1].network.mode = "silent";
  views[0].send("refused");
  await world.advance(100);
  const [record] = await world.browser.records.all();
  const failed = { code: "VALIDATION_FAILED", message: "", status: 400, retryable: false };
  await world.browser.records.put({ ...record, failed });
  pages[1].network.mode = "works";
  world.crash(pages[0]);
  await world.advance(10_000);
  assert.equal(views[1].view.messages[0].delivery, "failed");
  assert.equal(views[1].view.messages[0].error.code, "VALIDATION_FAILED");
  assert.deepEqual(texts(session), []);
});

test("what was written before it was known by whom stays where it is while other messages are sent", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const record = { key: "k", user: null, sessionId: session.id, content: "whose?", files: [], uploads: [], createdAt: 0 };
  await world.browser.records.add({ ...record, failed: null });
  const view = world.client().client.open(session.id);
  await world.until("shown", () => view.view.messages.length === 1);
  for (const text of ["one", "two"]) {
    view.send(text);
    await world.advance(2_000);
  }
  assert.deepEqual(texts(session), ["one", "two"]);
  assert.equal(view.view.messages.at(-1).error.code, "AUTH");
  view.outgoing("k").retry();
  await world.advance(2_000);
  assert.deepEqual(texts(session), ["one", "two", "whose?"]);
});

test("what another tab had sent before this one listened leaves the list", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const other = world.browser.tab().join("chat https://chat.test");
  let release;
  const held = () => new Promise((resolve) => (release = resolve));
  other.lock("chat https://chat.test alice", new AbortController().signal, held);
  const record = {
    key: "k",
    user: "alice",
    sessionId: session.id,
    content: "one",
    files: [],
    uploads: [],
    createdAt: 0,
  };
  const id = await world.browser.records.add({ ...record, failed: null });
  const view = world.client().client.open(session.id);
  await world.until("shown", () => view.view.messages.length === 1);
  // The other tab sends it, says so to no one who listens, and removes it.
  world.server.say(session, "alice", "one");
  await world.browser.records.delete(id);
  release();
  await world.advance(1_000);
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("a tab that is opened later sends what an earlier page has left, for all sessions", async () => {
  const world = new World();
  const [one, two] = [world.server.open("alice"), world.server.open("alice")];
  const page = world.client();
  page.network.mode = "silent";
  page.client.open(one.id).send("first");
  page.client.open(two.id).send("second");
  await world.advance(100);
  world.crash(page);
  world.client().client.open(one.id);
  await world.advance(5_000);
  assert.deepEqual([texts(one), texts(two)], [["first"], ["second"]]);
});

test("a message that another tab has cancelled is gone in both", async () => {
  const { world, session, pages, views } = await twoTabs();
  for (const { network } of pages)
    network.answer = ({ method }) => (method === "POST" ? world.server.failure(503, "UNAVAILABLE") : undefined);
  const outgoing = views[0].send("never");
  await world.advance(300);
  views[1].outgoing(outgoing.key).cancel();
  await world.advance(300);
  await assert.rejects(outgoing.done, { code: "ABORTED" });
  for (const { network } of pages) network.answer = undefined;
  await world.advance(30_000);
  assert.deepEqual(texts(session), []);
  for (const view of views) assert.deepEqual(view.view.messages, []);
});

test("one that failed is sent again from another tab, with its key", async () => {
  const { world, session, views } = await twoTabs();
  world.server.change(session, { status: "closed" });
  const outgoing = views[0].send("again");
  await world.advance(2_000);
  assert.equal(views[1].view.messages[0].delivery, "failed");
  world.server.change(session, { status: "active" });
  views[1].outgoing(outgoing.key).retry();
  await world.advance(2_000);
  assert.deepEqual(texts(session), ["again"]);
  for (const view of views) assert.deepEqual(shownBy(view), truthOf(world, session));
  assert.equal((await outgoing.done).content, "again");
});

test("what waits in another tab is tried at once when a person asks for it in this one", async () => {
  const { world, session, pages, views } = await twoTabs();
  for (const { network } of pages) network.mode = "refuses";
  views[0].send("waits");
  await world.advance(60_000);
  for (const { network } of pages) network.recover();
  views[1].retryNow();
  await world.advance(100);
  assert.deepEqual(texts(session), ["waits"]);
});

test("a suspended page that keeps the lock does not stop the others for good", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const suspended = world.browser.tab().join("chat https://chat.test");
  suspended.lock("chat https://chat.test alice", new AbortController().signal, () => new Promise(() => {}));
  const view = world.client().client.open(session.id);
  view.send("not for hours");
  await world.advance(59_000);
  assert.deepEqual(texts(session), []);
  await world.advance(3_000);
  assert.deepEqual(texts(session), ["not for hours"]);
  view.send("the next");
  await world.advance(1_000);
  assert.deepEqual(texts(session), ["not for hours", "the next"]);
});

test("the other tabs wait as long as the server has asked, also one that was opened later", async () => {
  const { world, session, pages, views } = await twoTabs();
  let refusals = 1;
  const answer = ({ method }) =>
    method === "POST" && refusals-- > 0 ? world.server.failure(429, "LATER", { "Retry-After": "300" }) : undefined;
  for (const { network } of pages) network.answer = answer;
  const outgoing = views[0].send("later");
  await world.advance(10_000);
  pages.push(world.client());
  pages[2].client.open(session.id);
  const posts = () => pages.flatMap(({ network }) => network.log.filter((line) => line.startsWith("POST /")));
  await world.advance(285_000);
  assert.equal(posts().filter((line) => line.endsWith("/messages")).length, 1);
  await world.advance(10_000);
  assert.equal((await outgoing.done).content, "later");
  // One that was suspended while it waited does not stop the others for good.
  refusals = 1;
  views[0].send("suspended");
  await world.advance(1_000);
  pages[0].tab.isOpen = false;
  pages[0].network.mode = "silent";
  await world.advance(430_000);
  assert.deepEqual(texts(session), ["later", "suspended"]);
});

test("logout erases everything in all tabs of the person, and in those alone", async () => {
  const { world, session, pages, views } = await twoTabs();
  const agent = world.client({ user: "bob", role: "agent" });
  const agentView = agent.client.open(session.id);
  world.server.say(session, "bob", "secret");
  await world.until("shown", () => views.every(({ view }) => view.messages.length === 1));
  for (const { network } of pages) network.answer = ({ method }) => (method === "POST" ? { never: true } : undefined);
  agent.network.answer = ({ method }) => (method === "POST" ? world.server.failure(503, "UNAVAILABLE") : undefined);
  agentView.send("from bob");
  views[0].send("stored");
  await world.advance(200);
  const late = views[1].send("being stored");
  const done = pages[0].client.logout();
  await world.advance(1_000);
  await done;
  await assert.rejects(late.done, { code: "ABORTED" });
  const left = await world.browser.records.all();
  assert.deepEqual(
    left.map(({ user, content }) => [user, content]),
    [["bob", "from bob"]],
  );
  assert.doesNotMatch(JSON.stringify(left.filter(({ user }) => user !== "bob")), /alice|session/);
  for (const view of views)
    assert.deepEqual([view.view.state, view.view.messages, view.view.session], ["stopped", [], null]);
  assert.equal(agentView.view.state, "live");
  const before = pages.map(({ network }) => network.log.length);
  agent.client.close();
  await world.advance(3_600_000);
  assert.deepEqual(
    pages.map(({ network }) => network.log.length),
    before,
    "nothing runs any more",
  );
  assert.throws(() => pages[0].client.open(session.id));
  assert.equal(world.clock.pending, 0);
});

test("logout that could not erase what is stored says so, also when it is asked again", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const storage = world.browser.storage();
  let isBroken = false;
  const all = async () => {
    if (isBroken) throw new Error("the database is gone");
    return storage.all();
  };
  const { client, network } = world.client({ storage: { ...storage, all } });
  network.mode = "silent";
  const view = client.open(session.id);
  view.send("stays");
  await world.advance(100);
  isBroken = true;
  for (let count = 0; count < 2; count++) {
    const done = assert.rejects(client.logout(), { code: "STORAGE" });
    await world.advance(100);
    await done;
  }
  assert.deepEqual([view.view.state, view.view.messages], ["stopped", []]);
  assert.equal((await world.browser.records.all()).length, 1);
});

test("logout of a client that was closed before erases what it left, in all tabs of the person", async () => {
  const { world, pages, views } = await twoTabs();
  const agent = world.client({ user: "bob", role: "agent" });
  for (const { network } of [...pages, agent]) network.answer = ({ method }) => (method === "POST" ? { never: true } : undefined);
  views[0].send("stored");
  agent.client.open(views[0].id).send("from bob");
  await world.advance(200);
  pages[0].client.close();
  for (let count = 0; count < 2; count++) {
    const done = pages[0].client.logout();
    await world.advance(1_000);
    await done;
  }
  assert.deepEqual(
    (await world.browser.records.all()).map(({ content }) => content),
    ["from bob"],
  );
  assert.deepEqual([views[1].view.state, views[1].view.messages, views[1].view.session], ["stopped", [], null]);
  agent.client.close();
  await world.advance(200);
  assert.equal(world.clock.pending, 0);
});

test("logout before it is known who is logged in erases what there is", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const page = world.client();
  page.network.mode = "silent";
  page.client.open(session.id).send("left behind");
  await world.advance(100);
  world.crash(page);
  const { client } = world.client();
  const done = client.logout();
  await world.advance(100);
  await done;
  assert.deepEqual(await world.browser.records.all(), []);
});

test("what one person has queued is neither shown to nor sent for the next one", async () => {
  const world = new World();
  const session = world.server.open("alice", { agentId: "bob" });
  const page = world.client();
  page.network.mode = "silent";
  page.client.open(session.id).send("alice wrote this");
  await world.advance(100);
  world.crash(page);
  const bob = world.client({ user: "bob", role: "agent" });
  const view = bob.client.open(session.id);
  await world.advance(60_000);
  assert.deepEqual([view.view.messages, texts(session)], [[], []]);
  world.client().client.open(session.id);
  await world.advance(5_000);
  assert.deepEqual(texts(session), ["alice wrote this"]);
  assert.equal(session.messages[0].author.id, "alice");
});

test("read in one tab is read in the other", async () => {
  const { world, session, views } = await twoTabs();
  world.server.say(session, "bob", "hello");
  await world.advance(100);
  assert.deepEqual(
    views.map(({ view }) => view.unread),
    [1, 1],
  );
  views[0].read();
  await world.advance(2_000);
  assert.deepEqual(
    views.map(({ view }) => view.unread),
    [0, 0],
  );
});

test("a message that is cancelled while it is being stored is not sent by another tab", async () => {
  const world = new World();
  const [one, two] = [world.server.open("alice"), world.server.open("alice")];
  const pages = [world.client()];
  const slow = world.browser.storage();
  const add = (record) => new Promise((resolve) => world.clock.setTimeout(resolve, 500)).then(() => slow.add(record));
  pages.push(world.client({ storage: { ...slow, add } }));
  const views = pages.map(({ client }) => client.open(one.id));
  const busy = pages[0].client.open(two.id);
  await world.until("live", () => [...views, busy].every(({ view }) => view.state === "live"));
  // The first tab sends something that takes its time: it has the lock.
  pages[0].network.answer = ({ method, path }) =>
    method === "POST" && path.includes(two.id) ? world.server.failure(503, "UNAVAILABLE", { "Retry-After": "20" }) : undefined;
  busy.send("waits");
  await world.advance(100);
  const outgoing = views[1].send("secret", { files: [new Blob(["a large file"])] });
  await world.advance(100);
  outgoing.cancel();
  await world.advance(10_000);
  assert.deepEqual(views[1].view.messages, []);
  assert.deepEqual(texts(one), []);
});

test("what other tabs say is no sign of life of a suspended one that holds the lock", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const suspended = world.browser.tab().join("chat https://chat.test");
  suspended.lock("chat https://chat.test alice", new AbortController().signal, () => new Promise(() => {}));
  const pages = [world.client(), world.client()];
  const views = pages.map(({ client }) => client.open(session.id));
  await world.until("live", () => views.every(({ view }) => view.state === "live"));
  views[0].send("not for hours");
  for (let count = 0; count < 40; count++) {
    pages[count % 2].network.emit("visible");
    await world.advance(30_000);
  }
  assert.deepEqual(texts(session), ["not for hours"]);
});

test("a tab that has no token does not stop one that has", async () => {
  const world = new World();
  const session = world.server.open("alice");
  let isSignedIn = true;
  const pages = [
    world.client({
      token: () => {
        if (!isSignedIn) throw new Error("no");
        return tokenOf("alice", "user", world.clock.now() + 60_000);
      },
    }),
    world.client(),
  ];
  const views = pages.map(({ client }) => client.open(session.id));
  await world.until("live", () => views.every(({ view }) => view.state === "live"));
  isSignedIn = false;
  await world.advance(61_000);
  views[0].send("from the tab that is signed out");
  await world.advance(1_000);
  views[1].send("from the other");
  await world.advance(600_000);
  assert.deepEqual(texts(session), ["from the tab that is signed out", "from the other"]);
});
