// Random schedules of faults. `CHAT_CLIENT_SEED=17 npm run test:client` repeats one; `CHAT_TEST_LONG=1` runs many, and
// `CHAT_CLIENT_SCHEDULES=2000` as many as it says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runSchedule } from "./support/schedule.js";

const schedules = Number(process.env.CHAT_CLIENT_SCHEDULES ?? (process.env.CHAT_TEST_LONG === "1" ? 400 : 30));
const only = process.env.CHAT_CLIENT_SEED;
const seeds = only === undefined ? Array.from({ length: schedules }, (_, index) => index + 1) : [Number(only)];

test("whatever fails: each message once and in order, and all views equal to the server", async () => {
  const unhandled = [];
  const listen = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", listen);
  let sent = 0;
  for (const seed of seeds) {
    try {
      sent += (await runSchedule(seed)).sent;
    } catch (error) {
      error.message = `seed ${seed} (repeat with CHAT_CLIENT_SEED=${seed}): ${error.message}`;
      throw error;
    }
  }
  process.off("unhandledRejection", listen);
  assert.deepEqual(unhandled, []);
  assert.ok(sent > seeds.length, "the schedules send something");
});
