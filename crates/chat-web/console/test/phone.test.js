/** A screen of 360 pixels: first the list, then the thread, then the details, and back. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();
const viewport = { width: 360, height: 640 };

/** Whether everything fits. @param {import("playwright-core").Page} page */
const isWide = (page) =>
  page.evaluate(() => {
    const wide = [...document.querySelectorAll("body *")].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width > 1 && (right > innerWidth + 1 || left < -1) && element.checkVisibility();
    });
    return [document.documentElement.scrollWidth > innerWidth && "page", ...wide.map(({ className }) => String(className))].filter(Boolean);
  });

test("the list leads to the thread and that to the details, and Back leads back", async () => {
  await world.session("ann", { subject: "Small one", agent: "pat", tags: ["a-tag-that-is-rather-long", "vip", "third"], messages: ["A word".repeat(40)] });
  const page = await world.console({ as: "pat", viewport });
  await page.row("Small one").waitFor();
  assert.equal(await page.log.count(), 0);
  assert.deepEqual(await isWide(page), []);
  await page.row("Small one").click();
  await page.box.waitFor();
  assert.equal(await page.row("Small one").isVisible(), false);
  assert.equal(await page.view("Waiting").isVisible(), false);
  assert.deepEqual(await isWide(page), []);
  await page.box.fill("Draft on a phone");
  await page.button("Details").click();
  await page.getByRole("complementary", { name: "Details" }).waitFor();
  assert.equal(await page.box.isVisible(), false);
  assert.deepEqual(await isWide(page), []);
  assert.match(page.url(), /\/details$/);
  await page.button("Back").click();
  await page.box.waitFor();
  assert.equal(await page.box.inputValue(), "Draft on a phone");
  await page.button("Back").click();
  await page.row("Small one").waitFor();
  await page.row("Small one").getByText("Draft:").waitFor();
  // Back has gone back in the history too: what follows is the thread, and what was before is no second thread.
  await page.goForward();
  await page.box.waitFor();
  await page.goBack();
  await page.row("Small one").waitFor();
});

test("the focus goes with what is shown", async () => {
  await world.session("bea", { subject: "Small focus", agent: "pim", messages: ["Hello"] });
  const page = await world.console({ as: "pim", viewport });
  await page.row("Small focus").getByRole("link").focus();
  await page.keyboard.press("Enter");
  await page.message("Hello").waitFor();
  const isWithin = (/** @type {string} */ selector) =>
    until(() => page.evaluate((selector) => document.activeElement?.closest(selector) != null, selector), { what: selector });
  await isWithin(".middle");
  await page.button("Details").press("Enter");
  await isWithin(".side");
  await page.button("Back").press("Enter");
  await isWithin(".middle");
  await page.button("Back").press("Enter");
  await isWithin(".list-box");
});

test("views, the dialogs and the sign-in fit", async () => {
  await world.agent("pol", "An agent with a name that is rather long for a small screen");
  await world.session("cem", { subject: "Small fit", priority: "high", messages: ["Hello"] });
  const page = await world.console({ as: "root", role: "admin", viewport });
  for (const name of ["Assigned", "Closed", "All", "Waiting"]) {
    await page.view(name).click();
    await page.getByRole("heading", { name, exact: true }).waitFor();
    assert.deepEqual(await isWide(page), [], name);
  }
  await page.row("Small fit").getByRole("button", { name: "Assign" }).click();
  await page.getByRole("radio", { name: "An agent with a name" }).waitFor();
  assert.deepEqual(await isWide(page), []);
  await page.keyboard.press("Escape");
  await page.button("Help and settings").click();
  await page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
  assert.deepEqual(await isWide(page), []);
  await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  assert.deepEqual(await isWide(page), []);
});
