import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./support/world.js";

const BOB = { sub: "bob", role: "agent" };

async function opened(views = ["mine", "waiting"], options = { user: "bob", role: "agent" }) {
  const world = new World();
  const one = world.client(options);
  const inbox = one.client.inbox(views);
  await world.until("live", () => inbox.view.state === "live");
  return { world, inbox, ...one };
}

/** As it comes over the wire. */
const plain = (value) => JSON.parse(JSON.stringify(value));

function assertTrue(world, inbox, views = ["mine", "waiting"], claims = BOB) {
  for (const view of views)
    assert.deepEqual(inbox.view.items[view], plain(world.server.inboxItems(view, claims)), view);
  assert.deepEqual(inbox.view.counts, world.server.counts(claims));
}

test("sessions come, move between views and go, in the order of the views", async () => {
  const { world, inbox } = await opened();
  const { server } = world;
  const sessions = [];
  for (let number = 0; number < 8; number++) {
    sessions.push(server.open("alice", { priority: ["low", "medium", "high"][number % 3] }));
    await world.advance(number % 2 === 0 ? 0 : 1_000);
  }
  assertTrue(world, inbox);
  assert.deepEqual(inbox.view.items.waiting.map(({ priority }) => priority)[0], "high");
  server.say(sessions[0], "alice", "hello?");
  server.change(sessions[1], { agentId: "bob" });
  server.change(sessions[2], { agentId: "bob" });
  await world.advance(1_000);
  server.say(sessions[1], "alice", "thanks");
  await world.advance(1_000);
  assertTrue(world, inbox);
  server.say(sessions[2], "bob", "answered");
  server.change(sessions[2], { agentId: null });
  server.change(sessions[1], { status: "closed", endedAt: server.now() });
  await world.advance(1_000);
  assertTrue(world, inbox);
});

test("a lost socket begins with new snapshots, and the list is never empty meanwhile", async () => {
  const { world, inbox, network } = await opened();
  for (let number = 0; number < 3; number++) world.server.open("alice");
  await world.advance(100);
  network.mode = "refuses";
  network.cut();
  world.server.open("carol");
  const news = [];
  inbox.on("waiting", ({ userId }) => news.push(userId));
  inbox.subscribe(() => assert.ok(inbox.view.items.waiting.length >= 3));
  await world.advance(2_000);
  assert.equal(inbox.view.state, "waiting");
  network.recover();
  await world.until("live", () => inbox.view.state === "live");
  assertTrue(world, inbox);
  assert.deepEqual(news, ["carol"], "what came meanwhile is news, what was known is not");
});

test("events: a session waits, one is mine, a message of another person; never from the first snapshot", async () => {
  const world = new World();
  const session = world.server.open("alice");
  world.server.say(session, "alice", "before");
  const { client } = world.client({ user: "bob", role: "agent" });
  const inbox = client.inbox(["mine", "waiting"]);
  const news = [];
  for (const event of ["waiting", "assigned", "message"])
    inbox.on(event, (item) => news.push([event, item.lastMessage?.preview ?? null]));
  await world.until("live", () => inbox.view.state === "live");
  assert.deepEqual(news, []);
  world.server.open("carol");
  world.server.change(session, { agentId: "bob" });
  world.server.say(session, "alice", "after");
  world.server.say(session, "bob", "my own");
  world.server.receipt(session, "alice", "read", 100);
  await world.advance(100);
  assert.deepEqual(news, [
    ["waiting", null],
    ["assigned", "before"],
    ["message", "after"],
  ]);
});

test("a message of a session on a page that was not read is a message, and no session that is new", async () => {
  const world = new World();
  const sessions = [];
  for (let number = 0; number < 60; number++) {
    sessions.push(world.server.open("alice", { agentId: "bob" }));
    await world.advance(10);
  }
  const { client, network } = world.client({ user: "bob", role: "agent" });
  const inbox = client.inbox(["mine", "waiting"]);
  await world.until("live", () => inbox.view.state === "live");
  assert.equal(inbox.view.hasMore.mine, true);
  const news = [];
  for (const event of ["waiting", "assigned", "message"])
    inbox.on(event, ({ id, lastMessage }) => news.push([event, sessions.findIndex((one) => one.id === id), lastMessage?.preview ?? null]));
  world.server.say(sessions[0], "alice", "are you there?");
  await world.advance(100);
  world.server.say(sessions[0], "alice", "hello?");
  await world.advance(100);
  world.server.say(sessions[1], "bob", "from another window");
  world.server.change(sessions[2], { priority: "high" });
  await world.advance(100);
  assert.deepEqual(news.splice(0), [
    ["message", 0, "are you there?"],
    ["message", 0, "hello?"],
  ]);
  network.mode = "refuses";
  network.cut();
  await world.advance(100);
  world.server.say(sessions[3], "alice", "while you were away");
  sessions.push(world.server.open("carol", { agentId: "bob" }));
  await world.advance(2_000);
  network.recover();
  await world.until("live", () => inbox.view.state === "live");
  assert.deepEqual(news.splice(0).sort(), [
    ["assigned", 60, null],
    ["message", 3, "while you were away"],
  ]);
  sessions.push(world.server.open("dora"));
  await world.advance(100);
  world.server.change(sessions[61], { agentId: "bob" });
  await world.advance(100);
  assert.deepEqual(news, [
    ["waiting", 61, null],
    ["assigned", 61, null],
  ]);
});

test("further pages are read over REST, and what changes meanwhile counts", async () => {
  const world = new World();
  const sessions = [];
  for (let number = 0; number < 130; number++) {
    sessions.push(world.server.open("alice"));
    await world.advance(10);
  }
  const { client, network } = world.client({ user: "bob", role: "agent" });
  const inbox = client.inbox(["waiting"]);
  await world.until("live", () => inbox.view.state === "live");
  assert.deepEqual([inbox.view.items.waiting.length, inbox.view.hasMore.waiting], [50, true]);
  network.latency = 100;
  const page = inbox.more("waiting");
  await world.advance(150);
  network.latency = 1;
  // Read with the page as it was, and changed before the page arrives.
  world.server.change(sessions[60], { agentId: "carol" });
  world.server.say(sessions[70], "alice", "newer");
  await world.advance(400);
  await page;
  for (let step = 0; step < 3; step++) {
    const next = inbox.more("waiting");
    await world.advance(100);
    await next;
  }
  assert.equal(inbox.view.hasMore.waiting, false);
  // A cursor of positions, as the model has it, skips one when one before it leaves.
  const missing = world.server
    .inboxItems("waiting", BOB)
    .filter(({ id }) => !inbox.view.items.waiting.some((item) => item.id === id));
  assert.ok(missing.length <= 1);
  const shown = inbox.view.items.waiting;
  assert.ok(!shown.some(({ id }) => id === sessions[60].id));
  assert.equal(shown.find(({ id }) => id === sessions[70].id).lastMessage.preview, "newer");
});

test("a view of another role is an error, and nothing is tried again", async () => {
  const world = new World();
  const { client, network } = world.client();
  const inbox = client.inbox(["waiting"]);
  await world.advance(60_000);
  assert.equal(inbox.view.error.code, "FORBIDDEN");
  assert.equal([...network.sockets][0].sent.filter(({ type }) => type === "open_inbox").length, 1);
});

test("two inboxes of a client share the socket's one", async () => {
  const { world, inbox, client } = await opened(["mine"]);
  const second = client.inbox(["waiting"]);
  await world.advance(100);
  world.server.open("alice");
  world.server.open("alice", { agentId: "bob" });
  await world.advance(100);
  assertTrue(world, inbox, ["mine"]);
  assertTrue(world, second, ["waiting"]);
  assert.equal(inbox.view.items.waiting, undefined);
  second.close();
  await world.advance(100);
  assert.equal(inbox.view.state, "live");
});

test("customers and admins have views of their own", async () => {
  const alice = { sub: "alice", role: "user" };
  const { world, inbox } = await opened(["mine", "closed"], { user: "alice", role: "user" });
  const sessions = [world.server.open("alice"), world.server.open("alice")];
  world.server.open("carol");
  await world.advance(10);
  world.server.change(sessions[1], { status: "closed", endedAt: world.server.now() });
  await world.advance(1_000);
  assertTrue(world, inbox, ["mine", "closed"], alice);
  const root = world.client({ user: "root", role: "admin" }).client.inbox(["waiting", "assigned", "closed"]);
  await world.until("live", () => root.view.state === "live");
  world.server.change(sessions[0], { agentId: "bob" });
  await world.advance(100);
  assertTrue(world, root, ["waiting", "assigned", "closed"], { sub: "root", role: "admin" });
});

test("a page that comes after close is no TypeError", async () => {
  const world = new World();
  for (let number = 0; number < 60; number++) world.server.open("alice");
  const { client } = world.client({ user: "bob", role: "agent" });
  const inbox = client.inbox(["waiting"]);
  await world.until("live", () => inbox.view.state === "live");
  let failure = null;
  inbox.more("waiting").catch((error) => (failure = error));
  inbox.close();
  await world.advance(1_000);
  assert.ok(failure === null || failure.name === "ChatError", String(failure));
});
