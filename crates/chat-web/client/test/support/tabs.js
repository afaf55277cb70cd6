// The tabs of one browser: a channel between them, locks, and a storage that they share.
import { memoryStorage } from "../../src/storage/memory.js";

export class FakeBrowser {
  #tabs = new Set();
  /** @type {Map<string, {tab: object, queue: {tab: object, grant: () => void}[]}>} */
  #locks = new Map();
  // Whether the lock works: a test breaks it.
  hasLocks = true;

  constructor(clock, random) {
    Object.assign(this, { clock, random });
    this.records = memoryStorage();
  }

  /** The storage as one tab sees it: slow, and gone with the tab. */
  storage(tab = { isOpen: true }) {
    const { records, clock, random } = this;
    const slow = (run) =>
      new Promise((resolve) => clock.setTimeout(() => tab.isOpen && resolve(run()), random.next() * 3));
    return {
      shared: async () => true,
      add: (record) => slow(() => records.add(structuredClone(record))),
      put: (record) => slow(() => records.put(structuredClone(record))),
      delete: (id) => slow(() => records.delete(id)),
      all: () => slow(async () => structuredClone(await records.all())),
      close() {},
    };
  }

  /** A tab; `tab.crash()` ends it without a word. */
  tab() {
    const browser = this;
    const tab = {
      isOpen: true,
      join: () => {
        let isLeft = false;
        return {
          post: (message) => {
            // As a BroadcastChannel that is closed.
            if (isLeft) throw new DOMException("Channel is closed", "InvalidStateError");
            if (!tab.isOpen) return;
            const copy = structuredClone(message);
            for (const other of browser.#tabs) {
              if (other !== tab) browser.clock.setTimeout(() => other.isOpen && other.listener?.(copy), 1);
            }
          },
          subscribe: (listener) => {
            tab.listener = listener;
          },
          lock: (name, signal, run) => (browser.hasLocks ? browser.#request(tab, name, signal, run) : run()),
          close: () => {
            isLeft = true;
            browser.#tabs.delete(tab);
          },
        };
      },
      crash: () => {
        tab.isOpen = false;
        browser.#tabs.delete(tab);
        for (const [name, lock] of browser.#locks) {
          lock.queue = lock.queue.filter((waiting) => waiting.tab !== tab);
          if (lock.tab === tab) browser.#release(name);
        }
      },
    };
    this.#tabs.add(tab);
    return tab;
  }

  async #request(tab, name, signal, run) {
    if (this.#locks.has(name)) {
      await new Promise((resolve, reject) => {
        const waiting = { tab, grant: () => resolve() };
        this.#locks.get(name).queue.push(waiting);
        signal.addEventListener("abort", () => {
          const lock = this.#locks.get(name);
          if (lock) lock.queue = lock.queue.filter((other) => other !== waiting);
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    } else {
      this.#locks.set(name, { tab, queue: [] });
    }
    try {
      await run();
    } finally {
      if (this.#locks.get(name)?.tab === tab) this.#release(name);
    }
  }

  #release(name) {
    const lock = this.#locks.get(name);
    const next = lock.queue.shift();
    if (!next) return this.#locks.delete(name);
    lock.tab = next.tab;
    next.grant();
  }
}
