/** Single keys: what they do, and where they do nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();

/** @param {string} agent */
async function threeSessions(agent) {
  for (const name of ["one", "two", "three"]) {
    await world.session(`${agent}-${name}`, { subject: `${agent} ${name}.`, agent, messages: [`Hello from ${name}`] });
  }
  const page = await world.console({ as: agent });
  await page.row(`${agent} one.`).waitFor();
  /** The title of the row that has the focus. */
  const focused = () => page.evaluate(() => document.activeElement?.closest("a")?.querySelector(".row-title")?.textContent ?? "");
  return { page, focused, dialog: page.getByRole("dialog") };
}

test("j and k move through the list, Enter opens, and once more Enter leads to the message", async () => {
  const { page, focused } = await threeSessions("jo");
  await page.keyboard.press("j");
  assert.equal(await focused(), "jo three.");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  assert.equal(await focused(), "jo one.");
  await page.keyboard.press("k");
  assert.equal(await focused(), "jo two.");
  await page.keyboard.press("Enter");
  await page.message("Hello from two").waitFor();
  assert.equal(await focused(), "jo two.");
  await page.keyboard.press("Enter");
  assert.ok(await page.box.evaluate((box) => box === document.activeElement));
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "jo two.");
});

test("the arrows, Home and End move through the list too, also without shortcuts", async () => {
  const { page, dialog, focused } = await threeSessions("ar");
  await page.button("Help and settings").click();
  await dialog.getByRole("switch", { name: "Single-key shortcuts" }).uncheck();
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.row("ar three.").getByRole("link").focus();
  for (const [key, title] of [
    ["ArrowDown", "ar two."],
    ["ArrowDown", "ar one."],
    ["ArrowDown", "ar one."],
    ["ArrowUp", "ar two."],
    ["Home", "ar three."],
    ["End", "ar one."],
    ["Shift+ArrowUp", "ar one."],
  ]) {
    await page.keyboard.press(key);
    assert.equal(await focused(), title, key);
  }
});

test("t and e ask about the session that one is at, / filters and ? helps", async () => {
  const { page, dialog } = await threeSessions("te");
  await page.keyboard.press("j");
  await page.keyboard.press("t");
  await dialog.filter({ hasText: "Transfer this session" }).filter({ hasText: "te three." }).waitFor();
  // Keys in a dialog are the dialog's.
  await page.keyboard.press("e");
  assert.equal(await dialog.count(), 1);
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("e");
  await dialog.filter({ hasText: "Close this session?" }).filter({ hasText: "te two." }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  const filter = page.getByRole("searchbox");
  assert.ok(await filter.evaluate((box) => box === document.activeElement));
  assert.equal(await filter.inputValue(), "");
  await page.keyboard.type("one");
  await page.row("te two.").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.row("te two.").waitFor();
  await page.keyboard.press("?");
  await dialog.filter({ hasText: "Keyboard shortcuts" }).waitFor();
  assert.deepEqual(await dialog.locator("kbd").allTextContents(), ["j", "k", "↓ ↑", "Enter", "c", "t", "e", "Esc", "/", "?"]);
});

test("in text fields all letters are text, those of Polish and German too", async () => {
  const { page, dialog } = await threeSessions("tx");
  await page.row("tx two.").click();
  await page.message("Hello from two").waitFor();
  const text = "jkcte/? Zażółć gęślą jaźń ĆĘ Größe ÄÖÜß @€ jkcte";
  await page.box.pressSequentially(text);
  assert.equal(await page.box.inputValue(), text);
  await page.getByRole("searchbox").pressSequentially("jkcte/?");
  assert.equal(await page.getByRole("searchbox").inputValue(), "jkcte/?");
  assert.equal(await dialog.count(), 0);
  await page.getByRole("searchbox").fill("");
});

test("keys count by their letters whatever the layout, and with AltGr, Control or an input method they are others", async () => {
  const { page, dialog, focused } = await threeSessions("ly");
  /** @param {Record<string, string | boolean>} key */
  const press = (key) =>
    page.evaluate((init) => {
      const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });
      (document.activeElement ?? document.body).dispatchEvent(event);
    }, key);
  // Polish ę and ć, a German @ and €, and what the browser itself does.
  await press({ key: "e", code: "KeyE", altKey: true, ctrlKey: true });
  await press({ key: "ę", code: "KeyE", modifierAltGraph: true });
  await press({ key: "c", code: "KeyC", ctrlKey: true });
  await press({ key: "t", code: "KeyT", metaKey: true });
  await press({ key: "j", code: "KeyJ", isComposing: true });
  await press({ key: "J", code: "KeyJ", shiftKey: true });
  assert.equal(await dialog.count(), 0);
  assert.equal(await focused(), "");
  // Dvorak has j where others have c, and Germans press Shift and ß for a question mark.
  await press({ key: "j", code: "KeyC" });
  assert.equal(await focused(), "ly three.");
  await press({ key: "?", code: "Minus", shiftKey: true });
  await dialog.waitFor();
});

test("shortcuts can be switched off, which this person's other windows follow", async () => {
  const { page, dialog, focused } = await threeSessions("of");
  const second = await world.console({ as: "of", context: page.context() });
  await second.row("of one.").waitFor();
  await page.button("Help and settings").click();
  await dialog.getByRole("switch", { name: "Single-key shortcuts" }).uncheck();
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.keyboard.press("j");
  await page.keyboard.press("?");
  assert.equal(await focused(), "");
  assert.equal(await dialog.count(), 0);
  await until(async () => {
    await second.keyboard.press("?");
    const isShown = (await second.getByRole("dialog").count()) > 0;
    if (isShown) await second.keyboard.press("Escape");
    return !isShown;
  });
  await page.reload();
  await page.row("of one.").waitFor();
  await page.keyboard.press("j");
  assert.equal(await focused(), "");
});

test("what is typed when the composer goes away is no command", async () => {
  const { page, dialog } = await threeSessions("away");
  await world.agent("kurt");
  await page.row("away two.").click();
  await page.message("Hello from two").waitFor();
  const { sessions } = await world.server.call(world.server.tokens.root, "GET", "/api/chat/sessions?limit=100");
  const path = (/** @type {string} */ name) =>
    `/api/chat/sessions/${sessions.find((/** @type {{ subject: string }} */ { subject }) => subject === `away ${name}.`).id}`;
  // The agent types all the time.
  await page.box.press("x");
  const moved = world.server.call(world.server.tokens.root, "PUT", `${path("two")}/transfer`, { agentId: "kurt" });
  while ((await page.box.count()) > 0) await page.keyboard.press("x");
  for (const key of ["j", "e", "Enter", "t", "?", "/", "c"]) await page.keyboard.press(key);
  await moved;
  assert.equal(await dialog.count(), 0);
  assert.equal(await page.getByRole("searchbox").evaluate((box) => box === document.activeElement), false);
  for (const name of ["one", "three"]) assert.equal((await world.server.call(world.server.tokens.root, "GET", path(name))).status, "active");
  await page.getByText("Choose a session").waitFor();
  // With Escape one says that one has noticed. And what asks whether a session ends begins at the harmless answer.
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("e");
  await dialog.waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel");
});
