/** What goes wrong: sessions that have ended or are gone, files that do not load, and a sign-out in the middle of it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PICTURE } from "./fixtures.js";
import { abortPosts, createWorld, deferred, hands, refusal, stored, until } from "./support.js";

const world = await createWorld();

/** How many messages wait in the browser. @param {import("playwright-core").Page} page */
const waiting = async (page) => (await stored(page)).rows.length;

/** A customer whose message waits, and fails since the session was closed meanwhile. @param {string} user @param {boolean} [hasFile] */
async function failedInClosed(user, hasFile) {
  const talk = await world.session(user);
  const visit = await world.visit({ user, csp: false });
  const { page, open, box, panel, message } = visit;
  await open();
  await box.waitFor();
  await abortPosts(page, "**/api/chat/**");
  if (hasFile) {
    await panel.locator("input[type=file]").first().setInputFiles(PICTURE("kept.png"));
    await panel.locator(".chip").waitFor();
  }
  await box.fill("A long text");
  await box.press("Enter");
  await message("A long text").waitFor();
  await talk.close();
  await panel.getByText("This chat has ended").waitFor();
  await page.unroute("**/api/chat/**");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await message("A long text").getByText("Failed").waitFor();
  return visit;
}

test("13: Edit in an ended session takes the text into a new chat", async () => {
  const { page, panel, message, begin } = await failedInClosed("hal-1");
  await message("A long text").getByRole("button", { name: "Edit" }).click();
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
  assert.equal(await panel.getByRole("textbox").nth(1).inputValue(), "A long text");
  await until(async () => (await waiting(page)) === 0);
  await begin("Once more");
  await message("A long text").getByText("Sent").waitFor();
});

test("13: Edit in an ended session takes its files into the composer of a new chat", async () => {
  const { page, panel, message, begin } = await failedInClosed("hal-2", true);
  await message("A long text").getByRole("button", { name: "Edit" }).click();
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
  assert.equal(await waiting(page), 1);
  await begin("Once more");
  await panel.locator(".chip").filter({ hasText: "kept.png" }).waitFor();
  await message("A long text").getByText("Sent").waitFor();
  await until(async () => (await waiting(page)) === 0);
});

test("23: a sign-out without the panel erases the outbox, and ends the other tabs", async () => {
  await world.session("hal-3");
  const context = await world.browser.newContext();
  const first = await world.visit({ user: "hal-3", csp: false }, { context });
  await first.open();
  await first.box.waitFor();
  await abortPosts(context);
  await first.send("A secret");
  await first.message("A secret").waitFor();
  await until(async () => (await waiting(first.page)) === 1);
  const second = await context.newPage();
  // The panel cannot be loaded there.
  await second.route("**/widget/panel.js*", (route) => route.abort());
  await second.goto(first.url);
  await second.locator("chat-widget .launcher").waitFor();
  await second.evaluate("chatWidget.logout()");
  assert.equal(await waiting(second), 0);
  assert.equal(await second.evaluate("localStorage.length"), 0);
  await first.panel.getByText("Sign in to this site").waitFor();
  assert.equal(await first.message("A secret").count(), 0);
  await context.close();
});

test("23: a sign-out that cannot erase the outbox is rejected, and erases everything else", async () => {
  const { id } = await world.session("hal-8");
  const { page, open, box, panel } = await world.visit({ user: "hal-8", csp: false });
  await open();
  await box.fill("A secret draft");
  await until(async () => JSON.stringify((await stored(page)).local).includes("secret"));
  const failure = await page.evaluate(() => {
    IDBObjectStore.prototype.getAll = () => {
      throw new Error("no disk");
    };
    const chat = /** @type {import("../types.js").ChatWidget} */ (window.chatWidget);
    return chat.logout().then(() => "", String);
  });
  assert.match(failure, /storage has failed/);
  await panel.waitFor({ state: "hidden" });
  const left = await page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.ok(!left.includes("secret") && !left.includes(id), left);
});

test("23: a sign-out without the panel is rejected when another page keeps the database open", async () => {
  await world.session("hal-9");
  const context = await world.browser.newContext();
  const first = await world.visit({ user: "hal-9", csp: false }, { context });
  await first.page.evaluate(
    (name) =>
      new Promise((resolve) => {
        // Without the listener by which it would hear that it has to be closed.
        indexedDB.open(name, 1).onsuccess = ({ target }) => resolve(Object.assign(window, { kept: target }));
      }).then(() => undefined),
    `chat ${world.origin}`,
  );
  const second = await world.visit({ user: "hal-9", csp: false }, { context });
  await second.launcher.waitFor();
  const failure = await second.page.evaluate(() => {
    const chat = /** @type {import("../types.js").ChatWidget} */ (window.chatWidget);
    const tooLate = new Promise((resolve) => setTimeout(resolve, 30_000, "it waits for the other page"));
    return Promise.race([chat.logout().then(() => "", String), tooLate]);
  });
  assert.match(failure, /blocked/);
});

test("23: after a sign-out no tab has a picture, or what was announced", async () => {
  const talk = await world.session("hal-4");
  const context = await world.browser.newContext();
  const first = await world.visit({ user: "hal-4", csp: false }, { context });
  await first.open();
  await first.box.waitFor();
  const second = hands(await context.newPage());
  await second.page.goto(first.url);
  await second.box.waitFor();
  await second.panel.locator("input[type=file]").first().setInputFiles(PICTURE("private.png"));
  await second.panel.locator(".chip").waitFor();
  await second.box.press("Enter");
  await second.message("Sent").waitFor();
  await talk.say("A secret");
  /** @param {import("playwright-core").Page} page @returns {Promise<string>} */
  const text = (page) => page.evaluate("document.querySelector('chat-widget').shadowRoot.textContent");
  for (const { page } of [first, second]) await until(async () => (await text(page)).includes("Bob: A secret"));
  await second.panel.getByRole("button", { name: "Open picture private.png" }).click();
  await second.page.getByRole("dialog", { name: "Picture" }).getByRole("img").waitFor();
  await first.page.evaluate("chatWidget.logout()");
  for (const { page } of [first, second]) {
    await until(async () => !/secret|private/.test(await text(page)));
    await until(async () => (await page.locator("chat-widget dialog").count()) === 0);
  }
  await context.close();
});

test("while a chat is being started nothing can be typed that would be in no message", async () => {
  const { page, open, begin, panel, message } = await world.visit({ user: "hal-10", csp: false });
  const { promise: held, resolve: letGo } = deferred();
  await page.route("**/api/chat/sessions", async (route) => {
    if (route.request().method() === "POST") await held;
    await route.continue();
  });
  await open();
  const began = begin("A subject", "A text");
  await panel.getByRole("button", { name: "Starting…" }).waitFor();
  for (const at of [0, 1]) assert.equal(await panel.getByRole("textbox").nth(at).isEditable(), false);
  letGo();
  await began;
  await message("A text").getByText("Sent").waitFor();
});

test("a panel that did not load is loaded with the next press", async () => {
  await world.session("hal-5");
  const visit = await world.visit({ user: "hal-5", csp: false });
  const { page, launcher, box } = visit;
  await launcher.waitFor();
  /** @type {Set<string>} */
  const failed = new Set();
  await page.route("**/widget/*", (route) => {
    const url = route.request().url();
    // As in a browser that keeps the failure of an address: what has failed does not work any more.
    if (failed.size < 4) failed.add(url);
    return failed.has(url) ? route.abort() : route.continue();
  });
  const note = page.locator("chat-widget .note");
  // Each failure is a text of its own, also for those who only hear it.
  await note.evaluate((element) => {
    const said = /** @type {string[]} */ ([]);
    Object.assign(window, { said });
    new MutationObserver(() => said.push(element.textContent ?? "")).observe(element, { childList: true });
  });
  for (let attempt = 1; attempt <= 2; attempt++) {
    await launcher.click();
    await until(async () => Number(await page.evaluate("said.filter((text) => text.startsWith('Not')).length")) === attempt);
    assert.equal(await note.innerText(), "Not loaded. Try again.");
    assert.equal(await launcher.getAttribute("aria-expanded"), "false");
  }
  await launcher.click();
  await box.waitFor();
  assert.equal(await note.isVisible(), false);
  assert.equal(await page.evaluate("said.includes('')"), true);
});

test("a page that was opened before the server was updated gets the panel and its parts of the new version", async () => {
  await world.session("hal-12");
  const { page, launcher, open, box, send, message, panel } = await world.visit({ user: "hal-12" });
  await page.route("**/widget.js", async (route) => {
    const response = await route.fetch();
    const current = await response.text();
    // The loader of a version of which the server has nothing.
    await route.fulfill({ response, body: current.replace(/assets\/[0-9a-f]{16}/, "assets/0123456789abcdef") });
  });
  await page.reload();
  await launcher.waitFor();
  await open();
  await box.waitFor();
  await send("Still here");
  await message("Still here").getByText("Sent").waitFor();
  await panel.locator("input[type=file]").first().setInputFiles(PICTURE("part.png"));
  await panel.locator(".chip").getByText("part.png").waitFor();
});

test("a start that takes long says why, and a subject alone is not lost", async () => {
  const { page, open, panel, box } = await world.visit({ user: "hal-13", csp: false });
  await open();
  await panel.getByRole("textbox").first().fill("Only a subject");
  const held = deferred();
  await page.route("**/api/chat/sessions", async (route) => {
    await held.promise;
    await route.continue();
  });
  await panel.getByRole("button", { name: "Start chat" }).click();
  await panel.getByRole("alert").getByText("Reconnecting…").waitFor();
  held.resolve();
  await box.waitFor();
  await panel.getByText("Only a subject").waitFor();
});

test("files that the widget cannot show are refused in words, and are taken once it can", async () => {
  await world.session("hal-6");
  const { page, open, box, panel, problems } = await world.visit({ user: "hal-6", csp: false });
  await open();
  await box.waitFor();
  await page.route("**/widget/files.js*", (route) => route.abort());
  const picker = panel.locator("input[type=file]").first();
  await picker.setInputFiles(PICTURE("one.png"));
  await panel.getByRole("alert").getByText("Not loaded. Try again.").waitFor();
  await page.unroute("**/widget/files.js*");
  await picker.setInputFiles(PICTURE("one.png"));
  await panel.locator(".chip").filter({ hasText: "one.png" }).waitFor();
  assert.equal(await panel.getByRole("alert").innerText(), "");
  assert.deepEqual(
    problems.filter((problem) => !/ERR_FAILED/.test(problem)),
    [],
  );
});

test("a session that is gone leads to the form, also with a message that waits for it", async () => {
  const id = (await world.session("hal-7")).id;
  const { page, open, box, send, message, panel } = await world.visit({ user: "hal-7", csp: false });
  await open();
  await box.waitFor();
  await abortPosts(page);
  await send("Left behind");
  await message("Left behind").waitFor();
  await until(async () => (await waiting(page)) === 1);
  await page.route(`**/sessions/${id}**`, (route) => route.fulfill(refusal(404, "SESSION_NOT_FOUND")));
  await page.routeWebSocket("**", (socket) => socket.close({ code: 4404, reason: "SESSION_NOT_FOUND" }));
  await world.server.call(world.server.mint("hal-7"), "PUT", `/api/chat/sessions/${id}/close`);
  await page.reload();
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
});
