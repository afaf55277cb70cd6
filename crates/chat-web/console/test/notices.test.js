/** Notices: they can be read and pressed also while a dialog is open, and take the focus along to nowhere. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();

test("a notice that comes while a dialog is open is pressed there, and one that is not stays when it closes", async () => {
  await world.agent("oda", "Oda");
  const first = await world.session("abel", { subject: "Almonds", agent: "nils", messages: ["First"] });
  const second = await world.session("adele", { subject: "Biscuits", agent: "nils", messages: ["Second"] });
  const page = await world.console({ as: "nils" });
  const dialog = page.getByRole("dialog", { name: "Help and settings" });
  const lose = async (/** @type {typeof first} */ session, /** @type {string} */ text) => {
    await page.row(text).click();
    await page.message(text).waitFor();
    await page.getByRole("button", { name: "Help and settings" }).click();
    await dialog.waitFor();
    await session.transfer("oda");
  };
  await lose(first, "First");
  const dismiss = dialog.getByRole("button", { name: "Dismiss" });
  await dialog.getByText("“Almonds” was transferred").waitFor();
  await dismiss.click();
  await dismiss.waitFor({ state: "detached" });
  assert.ok(await dialog.evaluate((box) => box.contains(document.activeElement)), "the focus is in the dialog");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });

  await lose(second, "Second");
  await dialog.getByText("“Biscuits” was transferred").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  const kept = page.getByRole("button", { name: "Dismiss" });
  await kept.focus();
  await page.keyboard.press("Enter");
  await kept.waitFor({ state: "detached" });
  await until(() => page.evaluate(() => document.activeElement?.matches(".middle")), { what: "the focus in the page" });
});

test("a button of the thread keeps the focus while it is carried out", async () => {
  await world.agent("otto", "Otto");
  await world.session("arno", { subject: "Coffee", messages: ["Hello"] });
  const page = await world.console({ as: "root", role: "admin", faults: true });
  await page.view("Waiting").click();
  await page.row("Coffee").click();
  await page.message("Hello").waitFor();
  // It takes long, and then it fails.
  let fail = () => {};
  await page.route(/\/assign$/, async (route) => {
    await new Promise((resolve) => (fail = () => resolve(undefined)));
    const error = { code: "AGENT_NOT_FOUND", message: "no", details: [] };
    await route.fulfill({ status: 404, json: { success: false, message: "no", error } });
  });
  const assign = page.middle.getByRole("button", { name: "Assign", exact: true });
  await assign.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("radio", { name: /Otto/ }).check();
  await page.getByRole("dialog").getByRole("button", { name: "Assign" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const isBusy = () => assign.evaluate((button) => button.matches(":disabled, [aria-disabled=true]"));
  await until(isBusy, { what: "the busy button" });
  assert.ok(await assign.evaluate((button) => button === document.activeElement), "the button has the focus");
  await page.keyboard.press("Enter");
  assert.equal(await page.getByRole("dialog").count(), 0);
  fail();
  await until(async () => !(await isBusy()), { what: "the end" });
});
