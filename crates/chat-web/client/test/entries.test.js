import assert from "node:assert/strict";
import { test } from "node:test";
import { applyReceipt, entryOf, insert } from "../src/entries.js";

const entry = (seq, status = "sent") =>
  entryOf(
    { id: `m${seq}`, seq, content: "", sender: "user", timestamp: "", read: status === "read", status },
    `k${seq}`,
    true,
  );
const receipt = (status, ...seqs) => ({
  userId: "bob",
  status,
  upToSeq: 0,
  messageIds: seqs.map((seq) => `m${seq}`),
  timestamp: "",
});

test("a receipt brings messages forward, and never back", () => {
  const list = [entry(1), entry(2, "delivered"), entry(3, "read")];
  const delivered = applyReceipt(list, receipt("delivered", 1, 2, 3));
  assert.deepEqual(
    delivered.map(({ delivery }) => delivery),
    ["delivered", "delivered", "read"],
  );
  assert.equal(delivered[1], list[1]);
  assert.equal(
    applyReceipt(delivered, receipt("delivered", 1, 2, 3)),
    delivered,
    "the same list where nothing changes",
  );
  const read = applyReceipt(delivered, receipt("read", 1));
  assert.deepEqual(
    read.map((one) => one.read),
    [true, false, true],
  );
});

test("a message is inserted at its place, once", () => {
  const list = [entry(2), entry(5)];
  const more = insert(insert(insert(list, entry(9)), entry(3)), entry(1));
  assert.deepEqual(
    more.map(({ seq }) => seq),
    [1, 2, 3, 5, 9],
  );
  assert.equal(insert(more, entry(3)), more);
  assert.equal(list.length, 2);
});
