// One random schedule: two tabs of a customer and an agent write while everything that can fail does. In the end the network
// works, and all views have to be equal to the server's truth.
import assert from "node:assert/strict";
import { shownBy, truthOf, World } from "./world.js";

const STEPS = 60;

export async function runSchedule(seed) {
  const world = new World(seed);
  const { random, server, clock } = world;
  const sessions = [server.open("alice", { agentId: "bob" }), server.open("alice", { agentId: "bob" })];
  /** What was handed to `send`, by session, in the order of each tab. */
  const sent = [];
  const lost = new Set();
  let number = 0;

  const open = (options) => {
    const page = { ...world.client(options), options };
    page.name = `${options.user}-${++number}`;
    page.views = sessions.map(({ id }) => page.client.open(id));
    for (const view of page.views) watch(view);
    if (options.role === "agent") page.inbox = page.client.inbox(["mine", "waiting"]);
    return page;
  };

  // What holds at every moment, whatever happens.
  function watch(view) {
    let before = view.view;
    let isLoaded = false;
    view.on("reloaded", () => (isLoaded = true));
    view.subscribe(() => {
      const { messages } = view.view;
      // A change of one entry among a thousand moves none.
      if (messages.length === before.messages.length && !random.chance(0.1)) return;
      const keys = messages.map(({ key }) => key);
      assert.equal(new Set(keys).size, keys.length, "no key twice");
      const seqs = messages.map(({ seq }) => seq).filter((seq) => seq !== null);
      assert.deepEqual(
        seqs,
        [...seqs].sort((a, b) => a - b),
        "in order",
      );
      const hasStored = (/** @type {typeof messages} */ list) => list.some(({ id }) => id !== null);
      assert.ok(
        !isLoaded ||
          !hasStored(before.messages) ||
          hasStored(messages) ||
          view.view.state === "stopped" ||
          lost.size > 0,
        "never blank",
      );
      before = view.view;
    });
    const heard = new Set();
    view.on("message", ({ id }) => {
      assert.ok(!heard.has(id), "no message is reported twice");
      heard.add(id);
    });
    view.on("gap", () => heard.clear());
  }

  const customer = { user: "alice", life: 180_000 };
  const agent = { user: "bob", role: "agent", life: 240_000 };
  const pages = [open(customer), open(customer), open(agent)];

  const write = (page) => {
    const at = random.below(sessions.length);
    const text = `${page.name} ${String(++number).padStart(4, "0")}`;
    sent.push({ page: page.name, session: sessions[at], text });
    page.views[at].send(text, random.chance(0.1) ? { files: [new Blob([text])] } : {});
  };

  const actions = {
    write: () => write(random.pick(pages)),
    burst: () => {
      const page = random.pick(pages);
      for (let count = random.below(8); count >= 0; count--) write(page);
    },
    elsewhere: () => server.say(random.pick(sessions), "bob", `elsewhere ${++number}`),
    read: () => random.pick(random.pick(pages).views).read(),
    typing: () => random.pick(random.pick(pages).views).typing(random.chance(0.7)),
    older: () =>
      void random
        .pick(random.pick(pages).views)
        .older()
        .catch(() => {}),
    slow: () => (random.pick(pages).network.jitter = random.pick([0, 50, 500, 5_000])),
    faults: () => {
      const { network } = random.pick(pages);
      network.loseAnswers = random.pick([0, 0.2, 0.6]);
      network.cutRequests = random.pick([0, 0.2]);
      network.unavailable = random.pick([0, 0.3]);
      network.duplicate = random.pick([0, 0.3]);
    },
    silent: () => random.pick(pages).network.goSilent(),
    refuses: () => (random.pick(pages).network.mode = "refuses"),
    recover: () => random.pick(pages).network.recover(),
    cut: () => random.pick(pages).network.cut(),
    offline: () => random.pick(pages).network.emit("offline"),
    online: () => random.pick(pages).network.emit("online"),
    visible: () => random.pick(pages).network.emit("visible"),
    sleep: () => clock.sleep(random.below(120_000)),
    expire: () => clock.advance(random.below(200_000)),
    close: () =>
      [...server.sockets][random.below(server.sockets.size || 1)]?.close(
        random.pick([1001, 1011, 1012, 1013, 4401, 4408, 4409, 4413]),
        "wait 3 seconds",
      ),
    tooMany: () => [...server.sockets][0]?.close(4429, "too many frames; wait 20 seconds"),
    unsubscribe: () => {
      const socket = [...server.sockets][0];
      const [id] = socket?.subscriptions.keys() ?? [];
      if (id) socket.unsubscribed(id, random.pick([1011, 1013, 4409]), "later");
    },
    reload: async () => {
      const at = random.below(pages.length);
      // What was written a moment ago is in the storage: only from then on it is promised to survive.
      await clock.advance(100);
      world.crash(pages[at]);
      pages[at] = open(pages[at].options);
    },
    missed: () => {
      if (!random.chance(0.1)) return;
      const session = random.pick(sessions);
      for (let count = 0; count < 1_050; count++) server.say(session, "bob", `missed ${++number}`);
    },
    restore: () => {
      if (!random.chance(0.2)) return;
      for (const text of server.restore(random.pick(sessions), random.below(6))) lost.add(text);
    },
  };
  const weighted = [
    ...Object.keys(actions),
    ...Array(6).fill("write"),
    "burst",
    "recover",
    "recover",
    "elsewhere",
    "read",
  ];

  for (let step = 0; step < STEPS; step++) {
    await actions[random.pick(weighted)]();
    await clock.advance(random.pick([0, 0, 1, 10, 100, 1_000, 20_000]));
  }

  // The end: everything works again, and time passes.
  for (const { network } of pages) {
    Object.assign(network, { loseAnswers: 0, cutRequests: 0, unavailable: 0, duplicate: 0, jitter: 0 });
    network.recover();
    network.emit("online");
    network.emit("visible");
  }
  await clock.advance(180_000);
  for (const { network } of pages) network.emit("visible");
  await clock.advance(60_000);

  for (const page of pages) {
    for (const [at, view] of page.views.entries()) {
      assert.equal(view.view.state, "live", `${page.name} is live`);
      for (let count = 0; view.view.hasOlder; count++) {
        assert.ok(count < 200);
        const page = view.older();
        await clock.advance(100);
        await page;
      }
      assert.deepEqual(shownBy(view), truthOf(world, sessions[at]), `${page.name} shows the truth`);
      assert.equal(view.view.session.agentId, sessions[at].agentId);
    }
    if (page.inbox) {
      const claims = { sub: "bob", role: "agent" };
      const plain = JSON.parse(JSON.stringify(server.inboxItems("mine", claims)));
      assert.deepEqual(page.inbox.view.items.mine, plain, "the inbox shows the truth");
      assert.deepEqual(page.inbox.view.counts, server.counts(claims));
    }
  }
  for (const session of sessions) {
    const stored = session.messages.map(({ content }) => content);
    assert.equal(new Set(stored).size, stored.length, "each once");
    const own = sent.filter((one) => one.session === session);
    for (const { text } of own) assert.ok(stored.includes(text) || lost.has(text), `${text} is stored`);
    for (const name of new Set(own.map(({ page }) => page))) {
      const wanted = own.filter(({ page, text }) => page === name && stored.includes(text)).map(({ text }) => text);
      const found = stored.filter((text) => wanted.includes(text));
      if (lost.size === 0) assert.deepEqual(found, wanted, "in the order of sending");
    }
  }
  assert.deepEqual(await world.browser.records.all(), [], "nothing is left in the outbox");
  world.check();
  for (const page of pages) page.client.close();
  await clock.advance(1_000);
  for (const page of pages) page.network.cut();
  for (const socket of [...server.sockets]) socket.ended();
  return { messages: sessions.reduce((sum, { messages }) => sum + messages.length, 0), sent: sent.length };
}
