import assert from "node:assert/strict";
import { test } from "node:test";
import { subjectOf } from "../src/tokens.js";
import { tokenOf } from "./support/tokens.js";
import { shownBy, truthOf, World } from "./support/world.js";

test("one token is asked for, however many requests need it", async () => {
  const world = new World();
  const { client, asked } = world.client();
  for (let number = 0; number < 5; number++) client.open(world.server.open("alice").id);
  await world.advance(2_000);
  assert.deepEqual(asked, ["first"]);
});

test("a refused token is renewed once for all requests, and they are repeated", async () => {
  const world = new World();
  const { client, asked } = world.client();
  const list = client.sessions.get(world.server.open("alice").id);
  await world.advance(100);
  await list;
  // The server's clock runs ahead of what the token says: it is refused before its end.
  const real = world.server.claims.bind(world.server);
  let refuse = new Set();
  world.server.claims = (token) => {
    if (asked.length === 1) refuse.add(token);
    return refuse.has(token) ? null : real(token);
  };
  const session = world.server.open("alice");
  const requests = Promise.all(Array.from({ length: 5 }, () => client.sessions.get(session.id)));
  await world.advance(1_000);
  assert.equal((await requests).length, 5);
  assert.deepEqual(asked, ["first", "rejected"]);
});

test("a token that is refused again is AUTH, and not asked for without end", async () => {
  const world = new World();
  const { client, asked } = world.client({ life: -1 });
  const request = client.stats();
  request.catch(() => {});
  await world.advance(1_000);
  await assert.rejects(request, { code: "AUTH", status: 401 });
  assert.deepEqual(asked, ["first", "rejected"]);
});

test("a token that ends soon is renewed on the open socket, without a break", async () => {
  const world = new World();
  const session = world.server.open("alice");
  const { client, network, asked } = world.client({ life: 120_000 });
  const view = client.open(session.id);
  await world.until("live", () => view.view.state === "live");
  const states = new Set();
  view.on("state", (state) => states.add(state));
  await world.advance(600_000);
  assert.deepEqual([...states], []);
  assert.equal(network.log.filter((line) => line.startsWith("SOCKET")).length, 1);
  assert.ok(asked.slice(1).every((why) => why === "expiring") && asked.length > 5);
});

test("a callback that fails is shown as AUTH, what is written waits, and signing in again sends it", async () => {
  const world = new World();
  const session = world.server.open("alice");
  let isSignedIn = false;
  const { client } = world.client({
    token: () => {
      if (!isSignedIn) throw new Error("no cookie");
      return tokenOf("alice", "user", world.clock.now() + 60_000);
    },
  });
  const view = client.open(session.id);
  view.send("first words");
  await world.advance(5_000);
  assert.equal(view.view.error.code, "AUTH");
  assert.equal((await world.browser.records.all()).length, 1, "stored, although it is not known yet who writes");
  isSignedIn = true;
  view.retryNow();
  await world.advance(20_000);
  assert.equal(view.view.error, null);
  assert.deepEqual(
    session.messages.map(({ content }) => content),
    ["first words"],
  );
  assert.deepEqual(shownBy(view), truthOf(world, session));
});

test("an answer that is not a token is AUTH and not sent, and a line break behind a token does no harm", async () => {
  const world = new World();
  const session = world.server.open("alice");
  /** @type {unknown} */
  let answer;
  const { client, network } = world.client({ token: () => answer });
  const view = client.open(session.id);
  const answers = ["<!doctype html><title>502</title>", '{"error":"no session"}', "", " ", undefined, null, 7, {}];
  for (const wrong of answers) {
    answer = wrong;
    view.retryNow();
    await world.advance(1_000);
    assert.equal(view.view.error.code, "AUTH", String(wrong));
  }
  assert.deepEqual(network.log, []);
  answer = `${tokenOf("alice", "user", world.clock.now() + 60_000)}\n`;
  view.retryNow();
  await world.until("live", () => view.view.state === "live");
});

test("a callback that never returns does not stop the client for good", async () => {
  const world = new World();
  const session = world.server.open("alice");
  let calls = 0;
  const { client } = world.client({
    token: () => (++calls === 1 ? new Promise(() => {}) : tokenOf("alice", "user", world.clock.now() + 60_000)),
  });
  const view = client.open(session.id);
  await world.advance(60_000);
  assert.equal(view.view.state, "live");
});

test("a token of another person is refused: nothing is sent in a foreign name", async () => {
  const world = new World();
  const session = world.server.open("alice", { agentId: "bob" });
  let user = "alice";
  const { client } = world.client({ token: () => tokenOf(user, "user", world.clock.now() + 120_000) });
  const view = client.open(session.id);
  await world.until("live", () => view.view.state === "live");
  user = "mallory";
  await world.advance(600_000);
  assert.equal(view.view.error.code, "AUTH");
  view.send("as alice");
  await world.advance(60_000);
  assert.deepEqual(session.messages, []);
});

test("the subject of a token is read in any alphabet, and what is no token has none", () => {
  assert.equal(subjectOf(tokenOf("Ålice 愛", "user", 1)), "Ålice 愛");
  for (const text of ["", "a.b", "x.e30.y"]) assert.equal(subjectOf(text), null);
});

for (const [name, life] of [["kept until it ends", null], ["of 45 seconds", 45_000]]) {
  test(`a token ${name} is not asked for without end`, async () => {
    const world = new World();
    const session = world.server.open("alice");
    let kept = null;
    const token = () => {
      if (life) return tokenOf("alice", "user", world.clock.now() + life);
      if (!kept || kept.until <= world.clock.now()) {
        const until = world.clock.now() + 120_000;
        kept = { until, text: tokenOf("alice", "user", until) };
      }
      return kept.text;
    };
    const { client, network, asked } = world.client({ token });
    client.open(session.id);
    await world.advance(119_000);
    const frames = [...network.sockets].flatMap(({ sent }) => sent).filter(({ type }) => type === "auth").length;
    assert.ok(asked.length < 15 && frames < 15, `the callback was called ${asked.length} times, ${frames} auth frames`);
  });
}

test("after a sign-in a minute before the end the error goes", async () => {
  const world = new World();
  const session = world.server.open("alice");
  let isSignedIn = true;
  const { client } = world.client({
    token: () => {
      if (!isSignedIn) throw new Error("no");
      return tokenOf("alice", "user", world.clock.now() + 120_000);
    },
  });
  const view = client.open(session.id);
  await world.until("live", () => view.view.state === "live");
  isSignedIn = false;
  await world.until("error", () => view.view.error?.code === "AUTH");
  isSignedIn = true;
  view.retryNow();
  await world.advance(2_000);
  assert.equal(view.view.error, null);
});
