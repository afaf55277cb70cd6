/** The connection: what it is in words, how long until it is tried again, and a button for those who do not want to wait. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

test("a server that is away is said in words with a countdown, and one may try at once", async () => {
  const world = await createWorld();
  await world.session("ann", { subject: "Cable", agent: "con" });
  const page = await world.console({ as: "con", faults: true });
  await page.row("Cable").waitFor();
  await page.getByText("Connected", { exact: true }).waitFor();
  await world.server.kill();
  await page.getByText(/^Reconnecting/).waitFor();
  await page.getByText(/^Reconnecting in \d+ seconds?$/).waitFor();
  const now = page.getByRole("button", { name: "now", exact: true });
  await now.waitFor();
  await page.getByRole("alert").getByText("The connection is lost.").waitFor({ state: "attached" });
  // What was shown stays.
  await page.row("Cable").waitFor();
  await world.server.restart();
  await until(async () => {
    if (await now.isVisible()) await now.click({ timeout: 500 }).catch(() => {});
    return page.getByText("Connected", { exact: true }).isVisible();
  });
  await page.getByRole("status").getByText("The connection is back.").waitFor({ state: "attached" });
  assert.equal(await now.count(), 0);
});

test("a browser without a network says that one is offline", async () => {
  const world = await createWorld();
  const page = await world.console({ as: "off", faults: true });
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.context().setOffline(true);
  // Chromium leaves sockets open that were there before.
  await world.server.kill();
  await page.getByText("You are offline", { exact: true }).waitFor();
  await world.server.restart();
  await page.context().setOffline(false);
  await page.getByText("Connected", { exact: true }).waitFor();
});

test("a first connection that takes long is not called lost", async () => {
  const world = await createWorld();
  const page = await world.console({
    as: "slow",
    init: () => {
      // One that never opens.
      window.WebSocket = /** @type {any} */ (
        class extends EventTarget {
          close() {}
          send() {}
        }
      );
    },
  });
  await page.getByRole("button", { name: "now", exact: true }).waitFor();
  await page.getByRole("alert").getByText("There is no connection to the server yet.").waitFor({ state: "attached" });
  assert.equal(await page.getByText("The connection is lost.").count(), 0);
  assert.equal(await page.getByText(/^Reconnecting/).count(), 0);
});
