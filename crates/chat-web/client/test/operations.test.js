import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./support/world.js";

/** A client whose requests are answered by a function. */
function answered(answer) {
  const world = new World();
  const requests = [];
  const { client, network } = world.client();
  network.answer = (request) => {
    requests.push(request);
    return answer(request, requests.length, world) ?? { status: 200, headers: {}, body: {} };
  };
  return { world, client, requests };
}

async function settled(world, promise, ms = 60_000) {
  promise.catch(() => {});
  await world.advance(ms);
  return promise;
}

test("each operation is one request", async () => {
  const { world, client, requests } = answered(({ path }) =>
    path.endsWith("/agents") ? { status: 200, headers: {}, body: { agents: ["bob"] } } : undefined,
  );
  const { sessions, agents, people } = client;
  const calls = [
    [
      () => sessions.list({ status: "active", cursor: undefined, limit: 10 }),
      "GET",
      "sessions",
      { status: "active", limit: "10" },
    ],
    [
      () => sessions.inbox("closed", { userId: "alice", cursor: undefined }),
      "GET",
      "inbox",
      { view: "closed", userId: "alice" },
    ],
    [() => sessions.create({ subject: "x" }), "POST", "sessions", { subject: "x" }],
    [() => sessions.get("a/b"), "GET", "sessions/a%2Fb"],
    [() => sessions.assign("s", "bob"), "PUT", "sessions/s/assign", { agentId: "bob" }],
    [() => sessions.transfer("s", null), "PUT", "sessions/s/transfer", { agentId: null }],
    [() => sessions.close("s"), "PUT", "sessions/s/close"],
    [() => sessions.update("s", { tags: [] }), "PATCH", "sessions/s", { tags: [] }],
    [() => agents.list(), "GET", "agents"],
    [() => agents.put("bob", { active: true }), "PUT", "agents/bob", { active: true }],
    [() => agents.deactivate("bob"), "DELETE", "agents/bob"],
    [() => agents.setAvailability("away"), "PUT", "agents/me/availability", { status: "away" }],
    [() => people.block("alice", "abuse"), "PUT", "people/alice/block", { reason: "abuse" }],
    [() => people.unblock("alice"), "DELETE", "people/alice/block"],
    [() => people.signOut("alice"), "POST", "people/alice/sign-out"],
    [() => client.stats(), "GET", "stats"],
    [() => client.download({ id: "f", url: "https://elsewhere.test/f" }), "GET", "attachments/f"],
    [() => client.download({ id: "f" }, { thumbnail: true }), "GET", "attachments/f/thumbnail"],
  ];
  for (const [call, method, path, sent] of calls) {
    requests.length = 0;
    const promise = call();
    await settled(world, promise, 100);
    const [{ method: asked, path: at, query, body }] = requests;
    assert.deepEqual([asked, at], [method, `/api/chat/${path}`]);
    assert.deepEqual(method === "GET" ? query : body, sent ?? (method === "GET" ? {} : undefined));
  }
  assert.deepEqual(await settled(world, agents.list(), 100), ["bob"]);
});

test("a session whose answer was lost is created once", async () => {
  const { world, client } = answered((request, count, { server }) => {
    const answer = server.handle(request);
    return count < 3 ? { status: 502, headers: {}, text: "<html>" } : answer;
  });
  const session = await settled(world, client.sessions.create({ subject: "Once" }));
  assert.deepEqual([...world.server.sessions.keys()], [session.id]);
});

test("creating is given up after some attempts, and at once where waiting does not help", async () => {
  const failing = answered((_request, _count, { server }) =>
    server.failure(503, "UNAVAILABLE", { "Retry-After": "1" }),
  );
  await assert.rejects(settled(failing.world, failing.client.sessions.create()), {
    code: "UNAVAILABLE",
    retryAfter: 1,
  });
  assert.equal(failing.requests.length, 4);
  const full = answered((_request, _count, { server }) =>
    server.failure(429, "TOO_MANY_OPEN_SESSIONS", { "Retry-After": "60" }),
  );
  await assert.rejects(settled(full.world, full.client.sessions.create()), { code: "TOO_MANY_OPEN_SESSIONS" });
  assert.equal(full.requests.length, 1);
});

for (const [name, answer, expected] of [
  [
    "an error of the server",
    {
      status: 409,
      headers: {},
      body: { error: { code: "ALREADY_ASSIGNED", message: "m", details: [], requestId: "r1" } },
    },
    { code: "ALREADY_ASSIGNED", status: 409, retryable: false, requestId: "r1" },
  ],
  ["a proxy's page", { status: 502, headers: {}, text: "<html>" }, { code: "NETWORK", status: 502, retryable: true }],
  [
    "a proxy that refuses",
    { status: 413, headers: {}, text: "<html>" },
    { code: "PROTOCOL", status: 413, retryable: false },
  ],
  [
    "a network that asks for a log-in",
    { status: 200, headers: {}, text: "<html>" },
    { code: "PROTOCOL", retryable: true },
  ],
  [
    "Retry-After as a date",
    { status: 503, headers: { "Retry-After": "Sat, 31 Jan 2026 09:01:00 GMT" }, text: "" },
    { code: "NETWORK", retryable: true },
  ],
]) {
  test(`${name} is a ChatError`, async () => {
    const { world, client } = answered(() => answer);
    await assert.rejects(settled(world, client.sessions.assign("s", "bob")), (error) => {
      assert.equal(error.name, "ChatError");
      for (const [field, value] of Object.entries(expected)) assert.equal(error[field], value, field);
      if (name.startsWith("Retry-After")) assert.ok(error.retryAfter > 55 && error.retryAfter <= 60);
      return true;
    });
  });
}

test("a download can be aborted", async () => {
  const { world, client } = answered(() => ({ never: true }));
  const abort = new AbortController();
  const download = client.download({ id: "f" }, { signal: abort.signal });
  download.catch(() => {});
  await world.advance(100);
  abort.abort();
  await assert.rejects(download, { code: "ABORTED" });
});

test("a session that waits to be created is given up when the client is closed", async () => {
  const world = new World();
  const { client, network } = world.client();
  network.answer = () => world.server.failure(503, "UNAVAILABLE", { "Retry-After": "3600" });
  const [first, second] = [client.sessions.create(), client.sessions.create()].map((creating) =>
    assert.rejects(creating, { code: "ABORTED" }),
  );
  await world.advance(1_000);
  const late = assert.rejects(client.sessions.create(), { code: "ABORTED" });
  client.close();
  await world.advance(1_000);
  await Promise.all([first, second, late]);
  assert.equal(world.clock.pending, 0);
});
