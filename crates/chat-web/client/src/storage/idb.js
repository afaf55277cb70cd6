// The outbox in IndexedDB, which all tabs share and which keeps files as they are.
import { memoryStorage } from "./memory.js";

const STORE = "outbox";

/**
 * Where IndexedDB cannot be opened at first (private windows, blocked site data), memory takes its place.
 * @param {IDBFactory} factory
 * @param {string} name
 * @returns {import("../../index.d.ts").Storage}
 */
export function idbStorage(factory, name) {
  /** @type {Promise<IDBDatabase | null> | null} */
  let opening = null;
  const fallback = memoryStorage();
  let wasOpen = false;

  // Nothing is opened before it is needed.
  function open() {
    opening ??= new Promise((resolve, reject) => {
      // Later, memory in its place would hide what is stored.
      const refuse = (/** @type {unknown} */ error) => (wasOpen ? reject(error) : resolve(null));
      try {
        const request = factory.open(name, 1);
        request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
        request.onsuccess = () => {
          const { result } = request;
          // A newer version of this library in another tab, or a deletion, must not wait for this tab. After that, as after
          // an end by the browser, the next one who needs it opens it again.
          result.onclose = result.onversionchange = () => {
            opening = null;
            result.close();
          };
          wasOpen = true;
          resolve(result);
        };
        request.onerror = () => refuse(request.error);
        // Behind a deletion that waits for a suspended page, and by faults of browsers, it never answers.
        setTimeout(refuse, 20_000);
      } catch (error) {
        refuse(error);
      }
    });
    opening.catch(() => (opening = null));
    return opening;
  }

  /**
   * One transaction; it has been carried out when the promise is fulfilled.
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<T>} run
   * @param {() => Promise<T>} otherwise
   * @returns {Promise<T>}
   */
  async function transact(mode, run, otherwise) {
    const database = await open();
    if (!database) return otherwise();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = run(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  }

  return {
    shared: async () => (await open()) !== null,
    add: (record) =>
      transact(
        "readwrite",
        (store) => /** @type {IDBRequest<any>} */ (store.add(record)),
        () => fallback.add(record),
      ),
    async put(record) {
      const id = /** @type {number} */ (record.id);
      // Read and written in one transaction: another tab may have removed it.
      await transact(
        "readwrite",
        (store) => {
          const found = store.get(id);
          found.onsuccess = () => found.result && store.put(record);
          return found;
        },
        async () => fallback.put(record),
      );
    },
    async delete(id) {
      await transact(
        "readwrite",
        (store) => /** @type {IDBRequest<any>} */ (store.delete(id)),
        () => fallback.delete(id),
      );
    },
    all: () =>
      transact(
        "readonly",
        (store) => store.getAll(),
        () => fallback.all(),
      ),
    close() {
      opening?.then((database) => database?.close());
      opening = null;
    },
  };
}
