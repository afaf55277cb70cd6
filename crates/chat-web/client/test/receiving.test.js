import assert from "node:assert/strict";
import { test } from "node:test";
import { shownBy, truthOf, World } from "./support/world.js";

const opened = (options) => new World().opened(options, { agentId: "bob" });

/** What listeners hear from now on. */
function heard(view, ...events) {
  const lines = [];
  for (const event of events) view.on(event, (value) => lines.push(value?.content ?? value?.reason ?? `${event}`));
  return lines;
}

test("the same view object between changes, another one at each change", async () => {
  const { world, session, view, client } = await opened();
  const before = view.view;
  assert.equal(view.view, before);
  assert.equal(client.open(session.id).view, before, "two that look see the same");
  assert.ok(Object.isFrozen(before) && Object.isFrozen(before.messages));
  world.server.say(session, "bob", "hello");
  await world.advance(100);
  assert.notEqual(view.view, before);
  assert.equal(before.messages.length, 0);
  const [entry] = view.view.messages;
  world.server.say(session, "bob", "again");
  await world.advance(100);
  assert.equal(view.view.messages[0], entry, "an entry that has not changed is the same object");
});

test("live means that REST has brought the messages", async () => {
  const world = new World();
  const session = world.server.open("alice");
  for (let number = 0; number < 70; number++) world.server.say(session, "bob", `text ${number}`);
  const { client } = world.client();
  const view = client.open(session.id);
  const states = [];
  view.subscribe(() => {
    const { state, messages } = view.view;
    if (state !== states.at(-1)?.[0]) states.push([state, messages.length]);
  });
  await world.advance(2_000);
  assert.deepEqual(states, [
    ["connecting", 0],
    ["live", 50],
  ]);
  assert.equal(view.view.hasOlder, true);
});

test("older messages are read page by page, with the receipts that come meanwhile", async () => {
  const world = new World();
  const session = world.server.open("alice", { agentId: "bob" });
  for (let number = 0; number < 120; number++) world.server.say(session, "alice", `text ${number}`);
  const { client, network } = world.client();
  const view = client.open(session.id);
  await world.until("live", () => view.view.state === "live");
  network.latency = 100;
  const first = view.older();
  assert.equal(view.older(), first, "one page at a time");
  await world.advance(150);
  // The page was read without it, and arrives after it.
  network.latency = 1;
  world.server.receipt(session, "bob", "read", 120);
  await world.advance(500);
  await first;
  assert.equal(view.view.messages.length, 100);
  const second = view.older();
  await world.advance(500);
  await second;
  assert.equal(view.view.hasOlder, false);
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("messages while the socket was away are replayed, each once and in order", async () => {
  const { world, session, view, network } = await opened();
  const lines = heard(view, "message", "reloaded", "gap");
  network.mode = "refuses";
  network.cut();
  for (let number = 0; number < 300; number++) world.server.say(session, "bob", `${number}`);
  await world.advance(1_000);
  assert.equal(view.view.state, "waiting");
  assert.ok(view.view.retryAt > world.clock.now());
  network.recover();
  network.log.length = 0;
  await world.until("live", () => view.view.state === "live");
  assert.deepEqual(
    lines,
    Array.from({ length: 300 }, (_, number) => `${number}`),
  );
  assert.deepEqual(
    network.log.filter((line) => line.startsWith("GET")),
    [],
    "nothing is read over REST",
  );
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

for (const [reason, change] of [
  [
    "too_many_missed",
    (world, session) => Array.from({ length: 1_001 }, (_, number) => world.server.say(session, "bob", `${number}`)),
  ],
  ["epoch", (world, session) => world.server.restore(session, 2)],
]) {
  test(`what cannot be replayed (${reason}) is reloaded, and the view is never blank`, async () => {
    const { world, session, view, network } = await opened();
    for (const text of ["one", "two", "three"]) world.server.say(session, "bob", text);
    await world.advance(100);
    const lines = heard(view, "reloaded", "gap");
    network.mode = "refuses";
    network.cut();
    change(world, session);
    view.send("mine");
    await world.advance(2_000);
    network.recover();
    view.subscribe(() => assert.ok(view.view.messages.length > 1));
    await world.until("live", () => view.view.state === "live");
    await world.advance(20_000);
    assert.deepEqual(lines, [reason, "reloaded"]);
    assert.deepEqual(shownBy(view), truthOf(world, session).slice(-view.view.messages.length));
    assert.equal(session.messages.at(-1).content, "mine");
  });
}

test("what was answered in a history that a backup has replaced is shown no more", async () => {
  const { world, session, view, network } = await opened();
  network.refusesSockets = true;
  network.cut();
  view.send("answered, and then lost");
  await world.advance(1_000);
  assert.equal(view.view.messages[0].delivery, "sent");
  assert.deepEqual(world.server.restore(session, 1), ["answered, and then lost"]);
  network.refusesSockets = false;
  await world.advance(30_000);
  assert.equal(view.view.state, "live");
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("what was read in a history that a backup has replaced says nothing of the messages in its place", async () => {
  const { world, session, view, network } = await opened();
  for (const text of ["one", "two", "three"]) world.server.say(session, "bob", text);
  await world.advance(2_000);
  view.read();
  // Before it is said, the history is another one.
  network.cut();
  world.server.restore(session, 3);
  for (const text of ["other", "and another"]) world.server.say(session, "bob", text);
  await world.until("live", () => view.view.state === "live");
  await world.advance(5_000);
  assert.equal(view.view.unread, session.messages.length);
  assert.ok(session.messages.every(({ status }) => status !== "read"));
  view.read();
  await world.advance(5_000);
  assert.equal(view.view.unread, 0);
  assert.ok(session.messages.every(({ status }) => status === "read"));
});

test("a receipt that waits is not said of another history", async () => {
  const { world, session, view } = await opened();
  for (const text of ["one", "two", "three"]) world.server.say(session, "bob", text);
  await world.advance(100);
  view.read();
  // The socket stays: the server ends the subscription alone.
  const [socket] = world.server.sockets;
  world.server.sockets.delete(socket);
  world.server.restore(session, 2);
  world.server.sockets.add(socket);
  for (const text of ["other", "and another"]) world.server.say(session, "bob", text);
  socket.unsubscribed(session.id, 1013, "later");
  await world.advance(10_000);
  assert.equal(view.view.state, "live");
  assert.ok(session.messages.every(({ status }) => status !== "read"));
});

test("what happens while REST is being read comes after it", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const { client, network } = world.client();
  // After the messages were read, and before what REST brings is complete.
  network.answer = ({ path }) => {
    if (path.endsWith(session.id) && session.messages.length === 0) world.server.say(session, "bob", "meanwhile");
  };
  const view = client.open(session.id);
  const lines = heard(view, "reloaded", "message");
  await world.advance(1_000);
  assert.deepEqual(lines, ["reloaded", "meanwhile"]);
  assert.deepEqual(shownBy(view), truthOf(world, session));
  assert.equal([...network.sockets][0].sent.filter(({ type }) => type === "subscribe").length, 1);
});

test("an event that comes twice counts once", async () => {
  const { world, session, view, network } = await opened();
  const lines = heard(view, "message", "session", "receipt");
  const [socket] = network.sockets;
  const take = socket.onmessage;
  socket.onmessage = (event) => {
    take(event);
    take(event);
  };
  world.server.say(session, "bob", "hello");
  world.server.change(session, { priority: "high" });
  await world.advance(100);
  assert.deepEqual(lines, ["hello", "session"]);
});

test("a gap on our side is repaired by asking again", async () => {
  const { world, session, view, network } = await opened();
  world.server.say(session, "bob", "one");
  await world.advance(100);
  // One frame is lost on its way, which TCP does not do; a fault of a client or a proxy does.
  const [socket] = network.sockets;
  const take = socket.onmessage;
  socket.onmessage = (event) => (event.data.includes('"two"') ? undefined : take(event));
  world.server.say(session, "bob", "two");
  await world.advance(100);
  socket.onmessage = take;
  world.server.say(session, "bob", "three");
  await world.advance(1_000);
  assert.deepEqual(shownBy(view), truthOf(world, session));
  assert.deepEqual(
    socket.sent.map(({ type }) => type).filter((type) => type.includes("subscribe")),
    ["subscribe", "unsubscribe", "subscribe"],
  );
});

test("a heartbeat in place of an unknown event moves the position, one further ahead asks again", async () => {
  const { world, session, view, network } = await opened();
  const [socket] = network.sockets;
  const seq = session.events.length;
  session.events.push({ seq: seq + 1, type: "heartbeat", data: { seq: seq + 1 } });
  socket.onmessage({ data: JSON.stringify({ type: "heartbeat", sessionId: session.id, data: { seq: seq + 1 } }) });
  world.server.say(session, "bob", "hello");
  await world.advance(100);
  assert.equal(view.view.messages.length, 1);
  assert.equal(socket.sent.filter(({ type }) => type === "unsubscribe").length, 0);
  socket.onmessage({ data: JSON.stringify({ type: "heartbeat", sessionId: session.id, data: { seq: seq + 9 } }) });
  await world.advance(100);
  assert.equal(socket.sent.filter(({ type }) => type === "unsubscribe").length, 1);
  assert.equal(view.view.state, "live");
});

test("an event is one change, and a heartbeat is none", async () => {
  const { world, session, view, network } = await opened();
  let changes = 0;
  view.subscribe(() => changes++);
  world.server.change(session, { priority: "high" });
  await world.advance(100);
  assert.equal(changes, 1);
  const before = view.view;
  const [socket] = network.sockets;
  const seq = session.events.length;
  for (const frame of [
    { type: "heartbeat", data: { serverTime: world.server.now() } },
    { type: "heartbeat", sessionId: session.id, data: { seq } },
    { type: "heartbeat", sessionId: session.id, data: { seq: seq + 1 } },
  ]) {
    socket.onmessage({ data: JSON.stringify(frame) });
    await world.advance(2_000);
    assert.equal(view.view, before);
  }
  assert.equal(changes, 1);
});

test("receipts: ours are sent once a second at most, and those of others show", async () => {
  const { world, session, view, network } = await opened();
  const agent = world.client({ user: "bob", role: "agent" }).client.open(session.id);
  await world.until("live", () => agent.view.state === "live");
  for (let number = 0; number < 10; number++) world.server.say(session, "bob", `${number}`);
  view.send("mine");
  await world.advance(3_000);
  assert.equal(view.view.unread, 10);
  const own = () => view.view.messages.find(({ content }) => content === "mine").delivery;
  assert.equal(own(), "delivered");
  agent.read();
  view.read();
  assert.equal(view.view.unread, 0, "at once");
  await world.advance(3_000);
  assert.equal(own(), "read");
  for (const each of [view, agent]) assert.deepEqual(shownBy(each), truthOf(world, session));
  const [socket] = network.sockets;
  assert.ok(socket.sent.filter(({ type }) => type === "ack").length <= 2);
  assert.equal(socket.sent.filter(({ type }) => type === "read").length, 1);
});

test("what is read while the socket is away is said when it is back", async () => {
  const { world, session, view, network } = await opened();
  world.server.say(session, "bob", "hello");
  await world.advance(100);
  network.mode = "refuses";
  network.cut();
  await world.advance(100);
  view.read();
  assert.equal(view.view.unread, 0);
  network.recover();
  await world.advance(20_000);
  assert.equal(session.messages[0].status, "read");
});

test("typing shows ids, ends by itself, and our own is said at each key press but sent rarely", async () => {
  const { world, session, view, network } = await opened();
  const other = world.client({ user: "bob", role: "agent" });
  const agent = other.client.open(session.id);
  await world.until("live", () => agent.view.state === "live");
  for (let press = 0; press < 40; press++) {
    agent.typing();
    await world.advance(100);
  }
  assert.deepEqual(view.view.typing, ["bob"]);
  assert.equal([...other.network.sockets][0].sent.filter(({ type }) => type === "typing").length, 1);
  agent.typing(false);
  await world.advance(100);
  assert.deepEqual(view.view.typing, []);
  agent.typing();
  await world.advance(100);
  other.network.goSilent();
  await world.advance(15_000);
  assert.deepEqual(view.view.typing, [], "also when no one says that it has ended");
  agent.typing();
  network.cut();
  await world.advance(10);
  assert.deepEqual(view.view.typing, []);
});

test("twenty sessions with much to say stay within the server's limit of frames", async () => {
  const world = new World();
  const { client, network } = world.client({ user: "bob", role: "agent" });
  const sessions = Array.from({ length: 20 }, () => world.server.open("alice", { agentId: "bob" }));
  const views = sessions.map(({ id }) => client.open(id));
  await world.until("live", () => views.every(({ view }) => view.state === "live"));
  const [socket] = network.sockets;
  const before = socket.sent.length;
  for (let second = 0; second < 60; second++) {
    for (const session of sessions) world.server.say(session, "alice", `${second}`);
    for (const view of views) {
      view.read();
      view.typing();
    }
    await world.advance(1_000);
  }
  assert.ok(socket.sent.length - before <= 110, `${socket.sent.length - before} frames in a minute`);
  for (const view of views) view.read();
  await world.advance(60_000);
  for (const [at, view] of views.entries()) {
    assert.deepEqual(shownBy(view), truthOf(world, sessions[at]).slice(-view.view.messages.length));
    assert.equal(sessions[at].messages.at(-1).status, "read");
  }
});

test("losing the right ends one session, softly, and the others go on", async () => {
  const world = new World();
  const { client } = world.client({ user: "bob", role: "agent" });
  const [one, two] = [world.server.open("alice", { agentId: "bob" }), world.server.open("carol", { agentId: "bob" })];
  world.server.say(one, "alice", "hello");
  const [first, second] = [client.open(one.id), client.open(two.id)];
  await world.until("live", () => second.view.state === "live" && first.view.state === "live");
  world.server.change(one, { agentId: "dave" });
  world.server.say(two, "carol", "still here");
  await world.advance(100);
  assert.deepEqual([first.view.state, first.view.error.code, first.view.messages.length], ["stopped", "FORBIDDEN", 1]);
  assert.deepEqual([second.view.state, second.view.messages.length], ["live", 1]);
  const unknown = client.open("no-such-session");
  await world.advance(100);
  assert.deepEqual([unknown.view.state, unknown.view.error.code], ["stopped", "SESSION_NOT_FOUND"]);
});

test("a session that is replaced elsewhere sleeps until the page is looked at", async () => {
  const { world, session, view, network } = await opened();
  [...world.server.sockets][0].unsubscribed(session.id, 4409, "replaced by a newer socket");
  await world.advance(60_000);
  assert.deepEqual([view.view.state, view.view.retryAt], ["waiting", null]);
  network.emit("visible");
  await world.advance(100);
  assert.equal(view.view.state, "live");
});

test("a subscription that the server cannot serve now is tried again after a growing delay", async () => {
  const { world, session, view } = await opened();
  const [socket] = world.server.sockets;
  socket.unsubscribed(session.id, 1013, "try again later");
  world.server.say(session, "bob", "missed");
  await world.advance(20);
  assert.equal(view.view.state, "waiting");
  assert.equal(view.view.error.retryable, true);
  await world.advance(1_000);
  assert.equal(view.view.state, "live");
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("history is shown while no socket can be opened, and sending works", async () => {
  const world = new World();
  const session = world.server.open("alice");
  world.server.say(session, "bob", "hello");
  const { client, network } = world.client();
  network.refusesSockets = true;
  const view = client.open(session.id);
  await world.advance(5_000);
  assert.equal(view.view.state, "waiting");
  assert.deepEqual(shownBy(view), truthOf(world, session));
  const { key } = view.send("over REST");
  await world.advance(5_000);
  assert.deepEqual(shownBy(view), truthOf(world, session));
  network.refusesSockets = false;
  await world.until("live", () => view.view.state === "live");
  assert.deepEqual(shownBy(view), truthOf(world, session));
  assert.equal(view.view.messages[1].key, key, "the key of a list stays, although REST does not tell it");
});

test("a listener that throws is reported, and the others hear the event", async () => {
  const { world, session, view } = await opened();
  let calls = 0;
  view.on("message", () => {
    throw new Error("mine");
  });
  view.on("message", () => calls++);
  view.subscribe(() => {
    throw new Error("mine too");
  });
  world.server.say(session, "bob", "hello");
  await world.advance(100);
  assert.equal(calls, 1);
  const errors = world.errors.splice(0);
  assert.ok(errors.length >= 2 && errors.every(({ message }) => message.startsWith("mine")));
});

test("a closed session object leaves no subscription, and one that is opened again at once works", async () => {
  const { world, session, view, client } = await opened();
  const second = client.open(session.id);
  view.close();
  view.close();
  world.server.say(session, "bob", "hello");
  await world.advance(100);
  assert.equal(second.view.messages.length, 1, "each has to be closed");
  client.inbox(["mine"]);
  second.close();
  const third = client.open(session.id);
  await world.advance(1_000);
  assert.equal(third.view.state, "live");
  assert.deepEqual(shownBy(third), truthOf(world, session));
  third.close();
  await world.advance(100);
  assert.equal([...world.server.sockets][0].subscriptions.size, 0);
});

test("a session that is closed and opened again before the answer gets live", async () => {
  const world = new World();
  const session = world.server.open("alice");
  world.server.say(session, "alice", "hello");
  const { client, network } = world.client();
  client.inbox(["mine"]); // keeps the socket
  await world.advance(1_000);
  network.latency = 50;
  const first = client.open(session.id);
  await world.advance(20);
  first.close();
  const second = client.open(session.id);
  await world.advance(60_000);
  assert.equal(second.view.state, "live");
  assert.equal(second.view.messages.length, 1);
});

test("pages of a proxy in the place of answers, as while a server is replaced, stop no session", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const { client, network } = world.client();
  for (const status of [403, 404]) {
    network.answer = () => ({ status, headers: {}, text: "<html>default backend</html>", body: null });
    network.refusesSockets = true;
    const view = client.open(session.id);
    await world.advance(20_000);
    assert.notEqual(view.view.state, "stopped");
    network.refusesSockets = false;
    await world.advance(20_000);
    assert.notEqual(view.view.state, "stopped");
    network.answer = undefined;
    await world.until("live", () => view.view.state === "live");
    view.close();
    await world.advance(1_000);
  }
});

test("without sockets, older messages stay", async () => {
  const world = new World();
  const session = world.server.open("alice");
  for (let number = 0; number < 120; number++) world.server.say(session, "bob", `text ${number}`);
  const { client, network } = world.client();
  network.refusesSockets = true;
  const view = client.open(session.id);
  await world.advance(3_000);
  const page = view.older();
  await world.advance(100);
  await page;
  assert.equal(view.view.messages.length, 100);
  await world.advance(60_000);
  assert.equal(view.view.messages.length, 100);
});
