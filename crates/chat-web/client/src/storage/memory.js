// A storage that ends with the page.

/** @returns {import("../../index.d.ts").Storage} */
export function memoryStorage() {
  /** @type {Map<number, import("../../index.d.ts").OutboxRecord>} */
  const records = new Map();
  let last = 0;
  return {
    shared: async () => false,
    async add(record) {
      records.set(++last, { ...record, id: last });
      return last;
    },
    async put(record) {
      const id = /** @type {number} */ (record.id);
      if (records.has(id)) records.set(id, { ...record });
    },
    async delete(id) {
      records.delete(id);
    },
    all: async () => [...records.values()].map((record) => ({ ...record })),
    close() {},
  };
}
