// The storage over IndexedDB, on the part of IndexedDB that it uses; the same cases for the one in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { idbStorage } from "../src/storage/idb.js";
import { memoryStorage } from "../src/storage/memory.js";

/** Transactions that run one after the other, and requests that succeed in later turns. */
class FakeFactory {
  #records = new Map();
  #last = 0;
  opened = [];
  databases = [];

  constructor({ refuses = false, throws = false } = {}) {
    Object.assign(this, { refuses, throws });
  }

  open(name) {
    if (this.throws) throw new DOMException("denied", "SecurityError");
    this.opened.push(name);
    const request = {};
    queueMicrotask(() => {
      if (this.refuses) return request.onerror?.();
      request.result = this.#database();
      this.databases.push(request.result);
      request.onupgradeneeded?.();
      request.onsuccess();
    });
    return request;
  }

  #database() {
    const records = this.#records;
    let isOpen = true;
    return {
      createObjectStore: (store, options) =>
        assert.deepEqual([store, options], ["outbox", { keyPath: "id", autoIncrement: true }]),
      close: () => (isOpen = false),
      transaction: () => {
        if (!isOpen) throw new DOMException("the connection is closing", "InvalidStateError");
        const transaction = {};
        let open = 0;
        const request = (run) => {
          open++;
          const pending = {};
          queueMicrotask(() => {
            pending.result = run();
            pending.onsuccess?.();
            open--;
            queueMicrotask(() => open === 0 && transaction.oncomplete?.());
          });
          return pending;
        };
        transaction.objectStore = () => ({
          add: (record) =>
            request(() => {
              assert.ok(!("id" in record));
              records.set(++this.#last, { ...structuredClone(record), id: this.#last });
              return this.#last;
            }),
          put: (record) => request(() => void records.set(record.id, structuredClone(record))),
          get: (id) => request(() => records.get(id)),
          delete: (id) => request(() => void records.delete(id)),
          getAll: () => request(() => [...records.values()]),
        });
        return transaction;
      },
    };
  }
}

const record = (key, further = {}) => ({
  key,
  user: "alice",
  sessionId: "s",
  content: key,
  files: [],
  uploads: [],
  createdAt: 0,
  failed: null,
  ...further,
});

for (const [name, make, isShared] of [
  ["memory", memoryStorage, false],
  ["IndexedDB", () => idbStorage(new FakeFactory(), "chat"), true],
  ["memory, where IndexedDB refuses", () => idbStorage(new FakeFactory({ refuses: true }), "chat"), false],
  ["memory, where IndexedDB throws", () => idbStorage(new FakeFactory({ throws: true }), "chat"), false],
]) {
  test(`${name}: records are kept in order, changed while they are there, and removed`, async () => {
    const storage = make();
    assert.equal(await storage.shared(), isShared);
    const ids = await Promise.all([storage.add(record("a")), storage.add(record("b")), storage.add(record("c"))]);
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    );
    await storage.put(record("b", { id: ids[1], uploads: ["file"] }));
    await storage.delete(ids[0]);
    await storage.put(record("a", { id: ids[0] }));
    const all = await storage.all();
    assert.deepEqual(
      all.map(({ key, uploads }) => [key, uploads]),
      [
        ["b", ["file"]],
        ["c", []],
      ],
    );
    storage.close();
  });
}

test("IndexedDB is opened when it is first needed, once", async () => {
  const factory = new FakeFactory();
  const storage = idbStorage(factory, "chat https://chat.test");
  storage.close();
  assert.deepEqual(factory.opened, []);
  await Promise.all([storage.all(), storage.shared()]);
  assert.deepEqual(factory.opened, ["chat https://chat.test"]);
});

for (const event of ["onclose", "onversionchange"]) {
  test(`a connection that has ended (${event}) is opened again, and memory does not take its place`, async () => {
    const factory = new FakeFactory();
    const storage = idbStorage(factory, "chat");
    await storage.add(record("a"));
    const [database] = factory.databases;
    // A browser has closed it already before it says so; for another version it waits for us.
    if (event === "onclose") database.close();
    database[event]();
    assert.throws(() => database.transaction(), { name: "InvalidStateError" });
    assert.deepEqual(
      (await storage.all()).map(({ key }) => key),
      ["a"],
    );
    assert.equal(factory.databases.length, 2);
    factory.databases[1][event]();
    factory.refuses = true;
    await assert.rejects(async () => storage.all());
    factory.refuses = false;
    assert.equal((await storage.all()).length, 1);
  });
}

test("a storage that was closed opens again for one who needs it, as a logout that follows", async () => {
  const storage = idbStorage(new FakeFactory(), "chat");
  const id = await storage.add(record("left"));
  storage.close();
  assert.deepEqual((await storage.all()).map(({ key }) => key), ["left"]);
  await storage.delete(id);
  assert.deepEqual(await storage.all(), []);
});
