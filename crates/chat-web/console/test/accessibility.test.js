/** What axe finds in the states of the console, light, dark and in forced colours: nothing. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { createWorld } from "./support.js";

const world = await createWorld();
const axe = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const PHONE = { width: 360, height: 740 };

/** @typedef {Awaited<ReturnType<typeof world.console>>} Console */

const talk = await world.session("ann", {
  subject: "A parcel",
  name: "Ann Arbor",
  agent: "bob",
  tags: ["shipping", "late"],
  priority: "high",
  messages: ["Where is my parcel? https://example.com/track"],
});
await talk.say("On its way.");
await talk.write("Thank you!");
await world.session("ben", { subject: "Refund", name: "Ben", messages: ["I want my money back."] });
const closed = await world.session("cleo", { subject: "Done", agent: "bob", messages: ["It works."] });
await closed.close();
await world.agent("carol", "Carol");
await world.agent("dan", "Dan");

/** @param {Console} page @param {string} text */
async function openRow(page, text) {
  await page.row(text).first().click();
  await page.log.waitFor();
}

/**
 * What leads to each state: the window, and what is done in it.
 *
 * @type {Record<string, { desk?: import("./support.js").Desk, reach: (page: Console) => Promise<unknown> }>}
 */
const STATES = {
  "sign-in": { desk: { token: "" }, reach: (page) => page.button("Sign in as bob").waitFor() },
  "an empty list": {
    desk: { as: "new" },
    reach: async (page) => {
      await page.view("Mine").waitFor();
      await page.getByText(/no sessions|nothing|empty|take one/i).first().waitFor();
    },
  },
  "the list": { reach: (page) => page.row("A parcel").waitFor() },
  waiting: {
    reach: async (page) => {
      await page.view("Waiting").click();
      await page.row("Refund").waitFor();
    },
  },
  "a thread": {
    reach: async (page) => {
      await openRow(page, "A parcel");
      await page.message("Thank you!").waitFor();
      await page.box.fill("text");
    },
  },
  "a thread that waits": {
    reach: async (page) => {
      await page.view("Waiting").click();
      await openRow(page, "Refund");
      await page.message("money back").waitFor();
    },
  },
  "a closed thread": {
    reach: async (page) => {
      await page.view("Closed").click();
      await openRow(page, "Done");
      await page.message("It works").waitFor();
    },
  },
  "a draft in a session that has ended, and a notice in a dialog": {
    reach: async (page) => {
      const session = await world.session("gustav", { subject: "Too late", agent: "bob", messages: ["Goodbye"] });
      await openRow(page, "Too late");
      await page.message("Goodbye").waitFor();
      await page.box.fill("Half an answer");
      await session.close();
      const draft = page.getByRole("textbox", { name: "Your draft, not sent" });
      await draft.waitFor();
      await page.evaluate(axe);
      assert.deepEqual(await violations(page), [], "the draft");
      // Headless, the browser may refuse to copy, which is said as well.
      await page.button("Copy").click();
      await page.getByText(/^The (draft is copied|browser did not copy)/).waitFor();
      await page.getByRole("button", { name: "Help and settings" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Dismiss" }).waitFor();
    },
  },
  "the transfer dialog": {
    reach: async (page) => {
      await openRow(page, "A parcel");
      await page.button("Transfer").first().click();
      await page.getByRole("dialog").getByText("Carol").waitFor();
    },
  },
  "the close dialog": {
    reach: async (page) => {
      await openRow(page, "A parcel");
      await page.button("Close").first().click();
      await page.getByRole("dialog").waitFor();
    },
  },
  "the help": {
    reach: async (page) => {
      await page.row("A parcel").waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
    },
  },
  "a failed message": {
    desk: { faults: true },
    reach: async (page) => {
      await page.route("**/messages", (route) =>
        route.request().method() === "POST" ? route.fulfill(REFUSAL) : route.continue(),
      );
      await openRow(page, "A parcel");
      await page.send("This is refused");
      await page.message("This is refused").getByText("Failed").waitFor();
    },
  },
  statistics: {
    desk: { as: "root", role: "admin" },
    reach: async (page) => {
      await page.view("Statistics").click();
      await page.locator("dl").waitFor();
    },
  },
  agents: {
    desk: { as: "root", role: "admin" },
    reach: async (page) => {
      await page.view("Agents").click();
      const carol = page.locator(".agents > li").filter({ hasText: "Carol" });
      await carol.getByRole("button", { name: "Rename" }).click();
      await page.button("Deactivate").first().click();
    },
  },
  "the list on a phone": { desk: { viewport: PHONE }, reach: (page) => page.row("A parcel").waitFor() },
  "a thread on a phone": {
    desk: { viewport: PHONE },
    reach: async (page) => {
      await openRow(page, "A parcel");
      await page.message("Thank you!").waitFor();
    },
  },
  "the details on a phone": {
    desk: { viewport: PHONE },
    reach: async (page) => {
      await openRow(page, "A parcel");
      await page.button("Details").click();
      await page.getByRole("complementary").getByText("shipping").first().waitFor();
    },
  },
  "the statistics on a phone": {
    desk: { as: "root", role: "admin", viewport: PHONE },
    reach: async (page) => {
      await page.view("Statistics").click();
      await page.locator("dl").waitFor();
    },
  },
  "the agents on a phone": {
    desk: { as: "root", role: "admin", viewport: PHONE },
    reach: async (page) => {
      await page.view("Agents").click();
      await page.locator(".agents > li").first().waitFor();
    },
  },
};

const REFUSAL = {
  status: 400,
  json: {
    success: false,
    message: "refused",
    error: { code: "VALIDATION_FAILED", message: "refused", details: [], requestId: "0" },
  },
};

/** What axe finds. @param {import("playwright-core").Page} page */
async function violations(page) {
  const result = await page.evaluate(() =>
    /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] }),
  );
  return result.violations.map((/** @type {any} */ { id, nodes }) => [
    id,
    nodes.map((/** @type {any} */ node) => `${node.html} ${node.any[0]?.message ?? ""}`),
  ]);
}

for (const [name, { desk, reach }] of Object.entries(STATES)) {
  test(`axe finds nothing in ${name}, light, dark and in forced colours`, async () => {
    // Colours that are forced later are not computed again for all elements, so they are from the beginning.
    for (const forcedColors of /** @type {const} */ (["none", "active"])) {
      const page = await world.console({ ...desk, options: { reducedMotion: "reduce", forcedColors } });
      await reach(page);
      await page.mouse.move(0, 0);
      await page.evaluate(axe);
      assert.deepEqual(await violations(page), [], `light, forced colours ${forcedColors}`);
      if (forcedColors === "none") {
        await page.emulateMedia({ colorScheme: "dark" });
        assert.deepEqual(await violations(page), [], "dark");
      }
      const [width, full] = /** @type {number[]} */ (
        await page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
      );
      assert.ok(Number(full) <= Number(width), `${Number(full) - Number(width)} pixels go sideways`);
    }
  });
}
