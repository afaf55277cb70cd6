/** Notices without a page: that windows agree on one, and that none is kept. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as soon } from "node:timers/promises";

import { startNotifications } from "../notifications.js";

/** What a browser has, for two windows in one process. */
function browser() {
  /** @type {any[]} */
  const shown = [];
  class Notification extends EventTarget {
    static permission = "granted";
    closed = 0;
    close() {
      this.closed++;
    }
    /** @param {string} title @param {object} options */
    constructor(title, options) {
      super();
      shown.push(Object.assign(this, { title, ...options }));
    }
  }
  /** @type {Set<string>} */
  const held = new Set();
  const locks = {
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
    /** @param {string} name @param {object} _ @param {(lock: object | null) => Promise<void>} run */
    async request(name, _, run) {
      if (held.has(name)) return run(null);
      held.add(name);
      // It is held for longer than the test takes.
      void run({});
    },
  };
  Object.assign(globalThis, { Notification, addEventListener() {} });
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  return shown;
}

/** A window with the desk of an agent who looks elsewhere. */
function openWindow() {
  /** @type {Map<string, (item: object) => void>} */
  const listeners = new Map();
  const desk = {
    me: { id: "bob", role: "agent" },
    settings: { value: { notifications: true, sound: false } },
    isAttentive: false,
    subjectOf: () => "Parcel",
    nameOf: () => "Ann",
    inbox: {
      /** @param {string} name @param {(item: object) => void} listener */
      on(name, listener) {
        listeners.set(name, listener);
        return () => {};
      },
    },
  };
  return {
    end: startNotifications(/** @type {any} */ (desk), (/** @type {string} */ key) => key),
    /** @param {string} name @param {object} item */
    emit: (name, item) => listeners.get(name)?.(item),
  };
}

// Each notice holds its lock for half a minute, which the runner need not wait for.
const { setTimeout } = globalThis;
Object.assign(globalThis, { setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms).unref() });

test("two windows that hear of a session in different states show it once", async () => {
  const shown = browser();
  const [one, other] = [openWindow(), openWindow()];
  // What has changed since is in the one that the second window gets.
  one.emit("assigned", { id: "s", agentId: "bob", seq: 1 });
  other.emit("assigned", { id: "s", agentId: "bob", seq: 2 });
  for (let turn = 0; turn < 5; turn++) await soon();
  assert.deepEqual(shown.map(({ title }) => title), ["noticeAssigned"]);
});

test("notices that are still shown go with the desk, and those that were closed are not kept", async () => {
  const shown = browser();
  const { end, emit } = openWindow();
  emit("waiting", { id: "a", userId: "ann" });
  emit("waiting", { id: "b", userId: "ann" });
  for (let turn = 0; turn < 5; turn++) await soon();
  assert.equal(shown.length, 2);
  shown[0].dispatchEvent(new Event("close"));
  end();
  assert.deepEqual(shown.map(({ closed }) => closed), [0, 1]);
});
