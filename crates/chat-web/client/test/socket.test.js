import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, drainingDelay } from "../src/backoff.js";
import { afterClose } from "../src/close-codes.js";
import { tokenOf } from "./support/tokens.js";
import { HOUR, shownBy, truthOf, World } from "./support/world.js";

async function opened() {
  const one = await new World().opened();
  const connections = () => one.network.log.filter((line) => line.startsWith("SOCKET")).length;
  return { connections, ...one };
}

test("nothing happens before a session or an inbox is opened", async () => {
  const world = new World();
  const { network, asked } = world.client();
  await world.advance(60_000);
  assert.deepEqual([network.log, asked, world.clock.pending], [[], [], 0]);
});

test("one socket carries all sessions and the inbox", async () => {
  const world = new World();
  const { client, network } = world.client({ user: "bob", role: "agent" });
  const sessions = Array.from({ length: 5 }, () => world.server.open("alice", { agentId: "bob" }));
  const views = sessions.map(({ id }) => client.open(id));
  const inbox = client.inbox(["mine", "waiting"]);
  await world.until("live", () => [...views, inbox].every(({ view }) => view.state === "live"));
  assert.deepEqual(
    network.log.filter((line) => line.startsWith("SOCKET")),
    ["SOCKET /ws/chat"],
  );
  for (const each of [...views, inbox]) each.close();
  await world.advance(100);
  assert.equal(world.server.sockets.size, 0, "and it is closed when none needs it");
  assert.equal(world.clock.pending, 0);
});

test("nothing is sent on a socket that is closing, of which a browser would complain", async () => {
  const { world, network, view } = await opened();
  const [socket] = network.sockets;
  // The browser has the end of it, and has not said so yet.
  socket.readyState = 2;
  const before = socket.sent.length;
  view.typing();
  await world.advance(10);
  assert.equal(socket.sent.length, before);
  network.cut();
  await world.until("live again", () => view.view.state === "live");
});

test("the token is in the subprotocol, never in an address", async () => {
  const world = new World();
  const token = tokenOf("alice", "user", world.clock.now() + HOUR);
  const { network } = await world.opened({ token: () => token });
  const encoded = Buffer.from(token).toString("base64url");
  const [socket] = network.sockets;
  assert.deepEqual(socket.protocols, ["chat.v1", `base64url.bearer.chat.${encoded}`]);
  assert.ok(network.addresses.includes("wss://chat.test/ws/chat") && network.addresses.length > 1);
  for (const address of network.addresses) assert.ok(!address.includes(token) && !address.includes(encoded), address);
});

test("without a WebSocket it says that one has to be passed", async () => {
  const world = new World();
  const { client } = world.client({ WebSocket: null });
  const view = client.open(world.server.open("alice").id);
  await world.advance(100);
  assert.deepEqual([view.view.state, view.view.error.code], ["stopped", "PROTOCOL"]);
});

test("a network that dies without a word is left after the heartbeat and ten seconds", async () => {
  const { world, session, view, network, connections } = await opened();
  network.goSilent();
  world.server.say(session, "bob", "missed");
  await world.advance(34_000);
  assert.equal(view.view.state, "live");
  network.recover();
  await world.advance(2_000);
  assert.equal(view.view.state, "live");
  assert.equal(connections(), 2);
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("a machine that slept leaves the socket when it wakes, although its timers slept as well", async () => {
  const { world, view, network, connections } = await opened();
  network.goSilent();
  network.recover();
  await world.clock.sleep(8 * 3_600_000 - 1);
  await world.advance(1_000);
  assert.equal(connections() > 1, true);
  await world.advance(5_000);
  assert.equal(view.view.state, "live");
});

test("online, visible and retryNow try at once", async () => {
  for (const act of ["online", "visible", "retryNow"]) {
    const { world, view, network } = await opened();
    network.mode = "refuses";
    network.cut();
    await world.advance(60_000);
    network.recover();
    assert.equal(view.view.state, "waiting");
    if (act === "retryNow") view.retryNow();
    else network.emit(act);
    await world.advance(200);
    assert.equal(view.view.state, "live", act);
  }
});

test("offline is shown, and does not keep it from trying", async () => {
  const { world, view, network } = await opened();
  network.emit("offline");
  assert.equal(view.view.state, "live", "a socket that works is a better sign than the browser's guess");
  network.cut();
  assert.equal(view.view.state, "offline");
  await world.advance(2_000);
  assert.equal(view.view.state, "live");
});

test("a socket of the network before is left as soon as there is another network", async () => {
  const { world, view, network, connections } = await opened();
  network.emit("offline");
  network.goSilent();
  await world.advance(3_000);
  network.recover();
  network.emit("online");
  await world.advance(100);
  assert.deepEqual([view.view.state, connections()], ["live", 2]);
});

test("delays grow, are random, and are bounded", () => {
  assert.equal(
    backoff(0, () => 0),
    250,
  );
  assert.equal(
    backoff(0, () => 1),
    500,
  );
  assert.equal(
    backoff(3, () => 0.5),
    250 + 1_000,
  );
  assert.equal(
    backoff(60, () => 1),
    15_250,
  );
  assert.equal(
    drainingDelay(() => 1),
    5_000,
  );
});

test("each close code means what the reference says", () => {
  for (const code of [1002, 1003, 1007, 1009, 4400, 4403, 4404]) assert.equal(afterClose(code, "").next, "stop");
  for (const code of [1000, 1005, 1006, 1011, 1012, 1013, 4408, 4413]) assert.equal(afterClose(code, "").next, "retry");
  assert.equal(afterClose(1001, "").next, "draining");
  assert.equal(afterClose(4401, "").next, "renew");
  assert.equal(afterClose(4409, "").next, "dormant");
  assert.deepEqual(afterClose(4429, "too many frames; wait 30 seconds"), { next: "wait", seconds: 30 });
});

for (const [code, reason, delay] of [
  [1012, "restarting", 1_000],
  [1001, "draining", 5_100],
  [4408, "no sign of life", 1_000],
  [4401, "token expired", 1_000],
]) {
  test(`${code} comes back within ${delay} ms`, async () => {
    const { world, view, asked } = await opened();
    [...world.server.sockets][0].close(code, reason);
    await world.advance(20);
    assert.equal(view.view.state === "waiting" || view.view.state === "connecting", true);
    await world.advance(delay);
    assert.equal(view.view.state, "live");
    assert.deepEqual(asked, code === 4401 ? ["first", "rejected"] : ["first"]);
  });
}

test("4403 stops: no further attempt is made", async () => {
  const { world, view, connections } = await opened();
  [...world.server.sockets][0].close(4403, "blocked");
  await world.advance(3_600_000);
  assert.deepEqual([view.view.state, view.view.error.code, connections()], ["stopped", "FORBIDDEN", 1]);
});

test("4429 waits the seconds of its reason, whatever else happens", async () => {
  const { world, view, network } = await opened();
  [...world.server.sockets][0].close(4429, "too many frames; wait 40 seconds");
  await world.advance(100);
  assert.ok(Math.abs(view.view.retryAt - world.clock.now() - 40_000) < 200);
  network.emit("online");
  network.emit("visible");
  view.retryNow();
  await world.advance(39_000);
  assert.equal(view.view.state, "waiting");
  await world.advance(1_500);
  assert.equal(view.view.state, "live");
});

test("4409 sleeps until the page is looked at", async () => {
  const { world, view, network, connections } = await opened();
  [...world.server.sockets][0].close(4409, "replaced by a newer socket");
  await world.advance(1_800_000);
  network.emit("online");
  await world.advance(1_000);
  assert.deepEqual([view.view.state, view.view.retryAt, connections()], ["waiting", null, 1]);
  network.emit("visible");
  await world.advance(200);
  assert.equal(view.view.state, "live");
});

test("a server that says hello and ends at once is not asked in a hot loop", async () => {
  const { world, network, connections } = await opened();
  const before = connections();
  network.server = Object.create(world.server, {
    accept: {
      value: (...ports) => {
        const socket = world.server.accept(...ports);
        socket.close(1013, "try again later");
        return socket;
      },
    },
  });
  network.cut();
  await world.advance(120_000);
  const attempts = connections() - before;
  assert.ok(attempts > 5 && attempts < 25, `${attempts} attempts in two minutes`);
});

test("a refused handshake, whose reason a browser hides, is explained by REST", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const { client, network } = world.client();
  network.refusesSockets = true;
  network.answer = ({ path }) => (path.endsWith("/ws-ticket") ? world.server.failure(403, "BLOCKED") : undefined);
  const view = client.open(session.id);
  await world.advance(5_000);
  assert.deepEqual([view.view.state, view.view.error.code], ["stopped", "BLOCKED"]);
});

test("a frame of a kind that is not known, and one that is no JSON, do no harm", async () => {
  const { world, session, view, network } = await opened();
  const [socket] = network.sockets;
  for (const frame of ['{"type":"news","data":{}}', '{"type":"news","sessionId":"x","data":1}', "<html>"])
    socket.onmessage({ data: frame });
  world.server.say(session, "bob", "hello");
  await world.advance(5_000);
  assert.equal(view.view.state, "live");
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("what a socket that was left still brings, and its end, count no more", async () => {
  const { world, session, view, network, connections } = await opened();
  const [old] = network.sockets;
  network.goSilent();
  network.recover();
  await world.advance(40_000);
  assert.deepEqual([view.view.state, connections()], ["live", 2]);
  const message = { id: "late", content: "late", sender: "support", status: "sent", timestamp: "" };
  const seq = session.events.length + 1;
  old.onmessage({ data: JSON.stringify({ type: "message", sessionId: session.id, seq, data: { ...message, seq } }) });
  old.onclose({ code: 4403, reason: "blocked" });
  await world.advance(1_000);
  assert.deepEqual([view.view.state, view.view.messages, connections()], ["live", [], 2]);
});

test("online while an attempt into the dead network runs: back within a second", async () => {
  const { world, view, network } = await new World().opened();
  network.goSilent();
  await world.until("an attempt runs", () => view.view.state === "connecting");
  network.recover();
  network.emit("online");
  await world.advance(1_000);
  assert.equal(view.view.state, "live");
});

test("visible after a sleep in which an attempt ran: back within a second", async () => {
  const { world, view, network } = await new World().opened();
  network.goSilent();
  await world.advance(200_000);
  await world.until("an attempt runs", () => view.view.state === "connecting");
  network.recover();
  // A telephone sleeps for ten minutes, and no timer runs before the page is visible.
  const now = world.clock.now;
  world.clock.now = () => now() + 600_000;
  network.emit("visible");
  await world.advance(1_000);
  assert.equal(view.view.state, "live");
});

test("a clock that is set back does not stop the watch over the network", async () => {
  const { world, view, network } = await new World().opened();
  // The clock is set back by an hour, in the seconds between a heartbeat and the look at it.
  await world.advance(25_000);
  await world.advance(5_000);
  const { clock } = world;
  const now = clock.now;
  // Timers run on; only what is read goes back.
  clock.now = () => now() - 3_600_000;
  await world.advance(40_000);
  const connections = () => network.log.filter((line) => line.startsWith("SOCKET")).length;
  const before = connections();
  network.goSilent();
  network.recover();
  await world.advance(60_000);
  assert.ok(connections() > before, "the dead socket is noticed");
});

test("typing(false) is said also when there is no allowance", async () => {
  const world = new World();
  const { client, network } = world.client({ user: "bob", role: "agent" });
  const sessions = Array.from({ length: 25 }, () => world.server.open("alice", { agentId: "bob" }));
  const views = sessions.map(({ id }) => client.open(id));
  await world.until("live", () => views.every(({ view }) => view.state === "live"));
  const [socket] = network.sockets;
  for (const view of views) view.typing(true);
  const said = () => socket.sent.filter(({ type, data }) => type === "typing" && !data.isTyping).length;
  views[0].typing(false);
  await world.advance(5_000);
  assert.equal(said(), 1);
});
