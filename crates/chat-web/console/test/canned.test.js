/** Canned replies: offered by "/", filled with the customer's name, written in a dialog, carried as a file. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();

/** An agent with an open session of Anna, and the hands for canned replies. @param {string} agent */
async function atWork(agent) {
  const session = await world.session(`${agent}-anna`, {
    subject: `Shoes ${agent}`,
    name: "Anna $& Öz",
    agent,
    messages: ["Hello"],
  });
  const page = await world.console({ as: agent });
  await page.row(`Shoes ${agent}`).click();
  await page.message("Hello").waitFor();
  const dialog = page.getByRole("dialog", { name: "Canned replies" });
  const open = async () => {
    await page.getByRole("button", { name: "Canned replies", exact: true }).click();
    await dialog.waitFor();
  };
  return {
    session,
    page,
    dialog,
    open,
    done: () => dialog.getByRole("button", { name: "Done" }).click(),
    menu: page.getByRole("listbox", { name: "Canned replies" }),
    /** @param {Record<string, string>} replies */
    async write(replies) {
      await open();
      for (const [name, text] of Object.entries(replies)) {
        await dialog.getByRole("textbox", { name: "Name" }).fill(name);
        await dialog.getByRole("textbox", { name: "Text" }).fill(text);
        await dialog.getByRole("button", { name: "Save reply" }).click();
        await dialog.getByText(`/${name} is saved.`).waitFor();
      }
      await dialog.getByRole("button", { name: "Done" }).click();
      await dialog.waitFor({ state: "detached" });
    },
  };
}

test("what is written and not saved is there when the dialog is opened again", async () => {
  const { page, dialog, open, done, write } = await atWork("kara");
  await write({ hello: "Hello" });
  await open();
  await dialog.getByRole("button", { name: "Edit /hello" }).click();
  await dialog.getByRole("textbox", { name: "Text" }).fill("Hello, this took me some time to write");
  await done();
  await dialog.waitFor({ state: "detached" });
  await open();
  assert.equal(await dialog.getByRole("textbox", { name: "Text" }).inputValue(), "Hello, this took me some time to write");
  await page.keyboard.press("Escape");
  await open();
  await dialog.getByRole("button", { name: "Save reply" }).click();
  await dialog.getByText("/hello is saved.").waitFor();
  await done();
  await dialog.waitFor({ state: "detached" });
  await open();
  assert.equal(await dialog.getByRole("textbox", { name: "Text" }).inputValue(), "");
  assert.equal(await dialog.getByRole("textbox", { name: "Name" }).inputValue(), "");
});

test("a slash at the beginning offers replies, and keys choose one", async () => {
  const { session, page, menu, write } = await atWork("kurt");
  await write({
    hello: "Hello {customer}, how can I help?\n{customer}!",
    help: "Have you tried to turn it off?",
    bye: "Bye {customer}",
  });
  await page.box.focus();
  await page.keyboard.type("/");
  assert.equal(await menu.getByRole("option").count(), 3);
  await page.keyboard.type("he");
  await until(async () => (await menu.getByRole("option").count()) === 2);
  const chosen = menu.getByRole("option", { selected: true });
  assert.match((await chosen.textContent()) ?? "", /hello/);
  await page.keyboard.press("ArrowDown");
  await until(async () => /help/.test((await chosen.textContent()) ?? ""));
  assert.equal(await page.box.getAttribute("aria-activedescendant"), await chosen.getAttribute("id"));
  // Around the end.
  await page.keyboard.press("ArrowDown");
  await until(async () => /hello/.test((await chosen.textContent()) ?? ""));
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await until(async () => /hello/.test((await chosen.textContent()) ?? ""));
  await page.keyboard.press("Enter");
  assert.equal(await page.box.inputValue(), "Hello Anna $& Öz, how can I help?\nAnna $& Öz!");
  await menu.waitFor({ state: "detached" });
  // Enter has inserted and not sent; now it sends.
  assert.equal(await page.messages.count(), 1);
  await page.keyboard.press("Enter");
  await page.message("how can I help?").waitFor();
  await until(async () => (await session.messages()).length === 2);

  await page.keyboard.type("/by");
  await menu.waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.box.inputValue(), "Bye Anna $& Öz");
  assert.equal(await page.box.evaluate((box) => box === document.activeElement), true);
  // Stored as a draft like what is typed.
  await page.reload();
  await page.message("Hello").first().waitFor();
  assert.equal(await page.box.inputValue(), "Bye Anna $& Öz");
});

test("nothing is offered elsewhere in a text, and Escape leaves the text as it is", async () => {
  const { page, menu, write } = await atWork("lars");
  await write({ hello: "Hello" });
  await page.box.focus();
  await page.keyboard.type("see /he");
  assert.equal(await menu.count(), 0);
  await page.box.fill("");
  await page.keyboard.type("/he");
  await menu.waitFor();
  await page.keyboard.press("Escape");
  await menu.waitFor({ state: "detached" });
  assert.equal(await page.box.inputValue(), "/he");
  // The thread is still open, and the text is sent as it is.
  await page.keyboard.press("Enter");
  await page.message("/he").waitFor();
  // What stands behind the name stays.
  await page.box.fill(" and more");
  await page.box.press("Home");
  await page.keyboard.type("/he");
  await menu.getByRole("option").click();
  assert.equal(await page.box.inputValue(), "Hello and more");
});

test("a name that no reply has is sent at the second Enter alone", async () => {
  const { page, write } = await atWork("yara");
  await write({ hello: "Hello" });
  const asked = page.getByRole("region", { name: "Conversation" }).getByText(/There is no canned reply/);
  await page.box.fill("/helo");
  await page.box.press("Enter");
  await asked.filter({ hasText: "/helo." }).waitFor();
  assert.equal(await page.message("/helo").count(), 0);
  // What is typed on is another text.
  await page.box.press("Backspace");
  await asked.waitFor({ state: "detached" });
  await page.box.fill("/etc/hosts");
  await page.box.press("Enter");
  await asked.filter({ hasText: "/etc/hosts." }).waitFor();
  await page.box.press("Enter");
  await page.message("/etc/hosts").waitFor();
  assert.equal(await asked.count(), 0);
});

test("without replies a slash says how to add one", async () => {
  const { page, dialog } = await atWork("mona");
  await page.box.focus();
  await page.keyboard.type("/");
  await page.getByText("There are no canned replies yet.").waitFor();
  await page.getByRole("button", { name: "Add a canned reply" }).click();
  await dialog.waitFor();
  const name = dialog.getByRole("textbox", { name: "Name" });
  assert.equal(await name.evaluate((box) => box === document.activeElement), true);
  await name.fill("two words");
  await dialog.getByRole("button", { name: "Save reply" }).click();
  await dialog.getByText("A name is one word").waitFor();
  await name.fill("/Grüße");
  await dialog.getByRole("textbox", { name: "Text" }).fill("Viele Grüße");
  await dialog.getByRole("button", { name: "Save reply" }).click();
  await dialog.getByText("/grüße is saved.").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.box.fill("");
  await page.box.pressSequentially("/grü");
  await page.getByRole("option", { name: /grüße/ }).waitFor();
});

test("replies are changed, deleted and brought back, and another window follows", async () => {
  const { page, dialog, open, done, write } = await atWork("nora");
  await write({ one: "First", two: "Second" });
  const second = await world.console({ as: "nora", context: page.context() });
  await second.row("Shoes nora").click();
  await second.message("Hello").waitFor();
  await open();
  await dialog.getByRole("button", { name: "Edit /one" }).click();
  assert.equal(await dialog.getByRole("textbox", { name: "Text" }).inputValue(), "First");
  await dialog.getByRole("textbox", { name: "Name" }).fill("uno");
  await dialog.getByRole("textbox", { name: "Text" }).fill("Primo");
  await dialog.getByRole("button", { name: "Save reply" }).click();
  await dialog.getByText("/uno is saved.").waitFor();
  assert.equal(await dialog.getByText("/one", { exact: true }).count(), 0);
  await dialog.getByRole("button", { name: "Delete /two" }).click();
  await dialog.getByText("/two is deleted.").waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Edit /two" }).count(), 0);
  await dialog.getByRole("button", { name: "Undo" }).click();
  await dialog.getByRole("button", { name: "Edit /two" }).waitFor();
  await dialog.getByRole("button", { name: "Delete /two" }).click();
  await done();
  await second.box.focus();
  await second.keyboard.type("/");
  const offered = second.getByRole("listbox", { name: "Canned replies" }).getByRole("option");
  await offered.filter({ hasText: "uno" }).waitFor();
  assert.equal(await offered.count(), 1);
  // Another person at the same browser has none.
  await world.session("nora-bert", { subject: "Hats", agent: "olaf", messages: ["Hello"] });
  const third = await world.console({ as: "olaf", context: page.context() });
  await third.row("Hats").click();
  await third.message("Hello").waitFor();
  await third.box.pressSequentially("/");
  await third.getByText("There are no canned replies yet.").waitFor();
});

test("replies go to a file and come from one, and a wrong file changes nothing", async () => {
  const { page, dialog, open, write } = await atWork("olga");
  await write({ one: "First {customer}", two: "Second" });
  await open();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    dialog.getByRole("button", { name: "Export as a file" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "canned-replies.json");
  const text = await readFile(await download.path(), "utf8");
  assert.deepEqual(JSON.parse(text), [
    { name: "one", text: "First {customer}" },
    { name: "two", text: "Second" },
  ]);

  /** @param {string} content */
  const give = (content) =>
    dialog
      .locator("input[type=file]")
      .setInputFiles({ name: "replies.json", mimeType: "application/json", buffer: Buffer.from(content) });
  for (const wrong of ["no JSON", "{}", '[{"name":"three","text":"Third"},{"name":"a b","text":"x"}]', "[3]"]) {
    await give(wrong);
    await dialog.getByRole("alert").filter({ hasText: /\S/ }).waitFor();
    assert.equal(await dialog.getByRole("button", { name: /^Edit/ }).count(), 2);
    await give("[]");
    await dialog.getByText("0 replies were imported.").waitFor();
  }
  await give('[{"name":"three","text":"Third"},{"name":"a b","text":"x"}]');
  await dialog.getByRole("alert").filter({ hasText: "Reply 2 of the file: A name is one word" }).waitFor();
  await give(JSON.stringify([{ name: "/Three", text: "Third" }, { name: "two", text: "Changed" }]));
  await dialog.getByText("2 replies were imported.").waitFor();
  await page.reload();
  await page.message("Hello").waitFor();
  await open();
  assert.equal(await dialog.getByRole("button", { name: /^Edit/ }).count(), 3);
  await dialog.getByText("Changed").waitFor();
});

/** Changes what is stored, as another version of this page may have left it. @param {import("playwright-core").Page} page @param {unknown[]} added */
const store = (page, added) =>
  page.evaluate((added) => {
    const key = Object.keys(localStorage).find((key) => key.startsWith("chatConsole:canned:"));
    if (key === undefined) throw new Error("nothing is stored yet");
    localStorage.setItem(key, JSON.stringify([...JSON.parse(localStorage[key]), ...added]));
  }, added);

test("what is stored and is no reply costs none of the others", async () => {
  const { page, dialog, open, done, write } = await atWork("quinn");
  await write({ one: "First" });
  await store(page, [{ name: "two words", text: "Bad" }, null, { name: "two", text: "Second" }, 7]);
  await page.reload();
  await page.message("Hello").waitFor();
  await open();
  assert.equal(await dialog.getByRole("button", { name: /^Edit/ }).count(), 2);
  await done();
  await write({ three: "Third" });
  await page.reload();
  await page.message("Hello").waitFor();
  await open();
  assert.equal(await dialog.getByRole("button", { name: /^Edit/ }).count(), 3);
});

test("no reply takes the place of another unasked, and an import says how many it has replaced", async () => {
  const { page, dialog, open, write } = await atWork("rosa");
  await write({ one: "First", two: "Second" });
  await open();
  const name = dialog.getByRole("textbox", { name: "Name" });
  const text = dialog.getByRole("textbox", { name: "Text" });
  const save = dialog.getByRole("button", { name: "Save reply" });
  await name.fill("/One");
  await text.fill("Another");
  await save.click();
  await dialog.getByText("There is a reply /one already").waitFor();
  assert.equal(await text.inputValue(), "Another");
  await dialog.getByText("First", { exact: true }).waitFor();
  await dialog.getByRole("button", { name: "Edit /two" }).click();
  await name.fill("one");
  await save.click();
  await dialog.getByText("There is a reply /one already").waitFor();
  await dialog.getByText("First", { exact: true }).waitFor();
  await dialog.getByText("/two", { exact: true }).waitFor();
  await name.fill("two");
  await text.fill("Zwei");
  await save.click();
  await dialog.getByText("Zwei", { exact: true }).waitFor();
  const json = JSON.stringify([{ name: "one", text: "Uno" }, { name: "two", text: "Zwei" }, { name: "three", text: "Tre" }]);
  await dialog
    .locator("input[type=file]")
    .setInputFiles({ name: "replies.json", mimeType: "application/json", buffer: Buffer.from(json) });
  await dialog.getByText("3 replies were imported. 1 of them replaced another text.").waitFor();
  assert.equal(await page.getByText("First", { exact: true }).count(), 0);
});

test("there are a thousand replies at most, and the menu offers the first fifty", async () => {
  const { page, dialog, menu, open, write } = await atWork("sven");
  await write({ zero: "Zero" });
  await store(page, Array.from({ length: 999 }, (_, at) => ({ name: `r${at + 1000}`, text: `Reply ${at}` })));
  await page.reload();
  await page.message("Hello").waitFor();
  await page.box.focus();
  await page.keyboard.type("/");
  await menu.waitFor();
  assert.equal(await menu.getByRole("option").count(), 50);
  await page.keyboard.type("zer");
  await until(async () => (await menu.getByRole("option").count()) === 1, { what: "the one that is meant" });
  await page.box.fill("");
  await open();
  await dialog.getByRole("textbox", { name: "Name" }).fill("more");
  await dialog.getByRole("textbox", { name: "Text" }).fill("One more");
  await dialog.getByRole("button", { name: "Save reply" }).click();
  await dialog.getByText("There can be 1,000 replies at most").waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Edit /more" }).count(), 0);
});

test("replies that the browser does not store last as long as the page, and the dialog says so", async () => {
  const { page, dialog, open } = await atWork("tina");
  await page.evaluate(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  await open();
  assert.equal(await dialog.getByText("This browser could not store").count(), 0);
  await dialog.getByRole("textbox", { name: "Name" }).fill("one");
  await dialog.getByRole("textbox", { name: "Text" }).fill("First");
  await dialog.getByRole("button", { name: "Save reply" }).click();
  await dialog.getByText("This browser could not store the replies").waitFor();
  await dialog.getByText("/one", { exact: true }).waitFor();
});

test("a customer without a name is called by no id", async () => {
  const { page, write } = await atWork("uwe");
  await write({ hi: "Hello {customer}, how are you?" });
  await world.session("u-8861", { subject: "Nameless", agent: "uwe", messages: ["My name is Nemo's"] });
  await page.row("Nameless").click();
  await page.message("Nemo's").waitFor();
  await page.box.focus();
  await page.keyboard.type("/hi");
  await page.getByRole("option", { name: /hi/ }).click();
  assert.equal(await page.box.inputValue(), "Hello, how are you?");
});

test("axe finds nothing in the menu and in the dialog, light and dark", async () => {
  const axe = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  const { page, dialog, open, write } = await atWork("pia");
  await page.addInitScript(axe);
  await page.reload();
  await page.message("Hello").waitFor();
  await write({ one: "First {customer}", two: "Second" });
  const check = async () => {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run(".console"));
      assert.deepEqual(violations.map((/** @type {{ id: string }} */ { id }) => id), []);
    }
  };
  await page.box.focus();
  await page.keyboard.type("/");
  await page.getByRole("listbox", { name: "Canned replies" }).waitFor();
  await check();
  await page.box.fill("");
  await open();
  await dialog.getByRole("button", { name: "Save reply" }).click();
  await dialog.getByText("A name is one word").waitFor();
  await check();
});
