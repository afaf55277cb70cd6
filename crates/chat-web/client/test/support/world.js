// A model server, a clock, and clients in front of it, all from one seed. What a listener throws, or a client must not do,
// fails the test at its end.
import assert from "node:assert/strict";
import { afterEach } from "node:test";
import { createClient } from "../../src/index.js";
import { FakeClock } from "./clock.js";
import { FakeNetwork } from "./network.js";
import { seeded } from "./random.js";
import { ModelServer } from "./server.js";
import { FakeBrowser } from "./tabs.js";
import { tokenOf } from "./tokens.js";

export const HOUR = 3_600_000;

/** Those of the test that runs. */
const worlds = new Set();
afterEach(() => {
  for (const world of worlds) world.check();
});

export class World {
  /** What clients have reported to `onError`. A test that expects some takes them out. */
  errors = [];

  constructor(seed = 1) {
    this.random = seeded(seed);
    this.clock = new FakeClock();
    this.server = new ModelServer(this.clock);
    this.browser = new FakeBrowser(this.clock, this.random);
    worlds.add(this);
  }

  /** Nothing has gone wrong without being seen. */
  check() {
    worlds.delete(this);
    assert.deepEqual(this.errors, []);
    assert.deepEqual(this.server.violations, []);
  }

  /** A session of alice, and a client of hers to whom it is live. */
  async opened(options, fields) {
    const session = this.server.open("alice", fields);
    const one = this.client(options);
    const view = one.client.open(session.id);
    await this.until("live", () => view.view.state === "live");
    return { world: this, session, view, ...one };
  }

  /** A client with a network of its own, in a tab of the browser unless other options say so. */
  client({ user = "alice", role = "user", life = HOUR, token, ...options } = {}) {
    const { clock, server, random, browser } = this;
    const network = new FakeNetwork(server, clock, random);
    const tab = browser.tab();
    const asked = [];
    const client = createClient({
      url: "https://chat.test",
      token: (why) => {
        asked.push(why);
        return token ? token(why) : tokenOf(user, role, clock.now() + life);
      },
      storage: browser.storage(tab),
      tabs: tab,
      fetch: network.fetch,
      WebSocket: network.WebSocket,
      network,
      clock,
      random: random.next,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    return { client, network, tab, asked };
  }

  /** The page is gone without a word: no close, no end of requests that the client sees. */
  crash({ network, tab }) {
    tab.crash();
    network.mode = "silent";
    for (const socket of network.sockets) socket.close();
  }

  advance = (ms) => this.clock.advance(ms);

  /** Time passes until something is so. */
  async until(what, isSo, limit = 120_000) {
    for (let passed = 0; passed < limit; passed += 50) {
      if (isSo()) return;
      await this.clock.advance(50);
    }
    throw new Error(`not within ${limit} ms: ${what}`);
  }
}

/** What the view has to show of a session, as the server knows it. */
export const truthOf = (world, session) =>
  session.messages.map(({ id, content, status }) => ({ id, content, delivery: status, read: status === "read" }));

export const shownBy = (session) =>
  session.view.messages.map(({ id, content, delivery, read }) => ({ id, content, delivery, read }));
