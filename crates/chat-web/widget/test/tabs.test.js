/** Reloads, tabs, tokens and the end of a sign-in. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { abortPosts, createWorld, hands, isLong, stored, until, whenShown } from "./support.js";

const world = await createWorld();

test("17: a reload and a new tab have the same session, draft, open state and unread count", async () => {
  const { say, messages } = await world.session("ida-1");
  const { page, open, box, panel, message, launcher, url } = await world.visit({ user: "ida-1" });
  await open();
  await say("Hello");
  await message("Hello").waitFor();
  await box.fill("A draft\nof two lines");
  await page.reload();
  await panel.waitFor();
  await message("Hello").waitFor();
  assert.equal(await box.inputValue(), "A draft\nof two lines");
  const tab = hands(await page.context().newPage());
  await tab.page.goto(url);
  await tab.panel.waitFor();
  await tab.message("Hello").waitFor();
  assert.equal(await tab.box.inputValue(), "A draft\nof two lines");
  await tab.page.close();
  // The server has heard that it was read, which a client says once a second at most.
  await until(async () => (await messages())[0].read);
  await launcher.click();
  await panel.waitFor({ state: "hidden" });
  await say("Unread");
  await page.getByRole("button", { name: "Chat, 1 unread" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Chat, 1 unread", expanded: false }).waitFor();
  assert.equal(await panel.count(), 0);
});

test("17: what is typed into the form is there after a reload", async () => {
  const { page, open, panel } = await world.visit({ user: "ida-2" });
  await open();
  await panel.getByRole("textbox").first().fill("The subject");
  await panel.getByRole("textbox").nth(1).fill("The message");
  await page.reload();
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
  assert.equal(await panel.getByRole("textbox").first().inputValue(), "The subject");
  assert.equal(await panel.getByRole("textbox").nth(1).inputValue(), "The message");
});

test("17: a session that begins in one tab is there in the others", async () => {
  const { page, open, begin, url } = await world.visit({ user: "ida-3" });
  const other = hands(await page.context().newPage());
  await other.page.goto(url);
  await other.launcher.waitFor();
  await open();
  await begin("From one tab");
  const [{ id }] = (await world.server.call(world.server.mint("ida-3"), "GET", "/api/chat/sessions")).sessions;
  await world.server.call(world.server.tokens.bob, "PUT", `/api/chat/sessions/${id}/assign`, { agentId: "bob" });
  await world.server.call(world.server.tokens.bob, "POST", `/api/chat/sessions/${id}/messages`, { content: "Hi" });
  await other.page.getByRole("button", { name: "Chat, 1 unread" }).waitFor();
});

// With 12 there are more than a session has sockets for, and the time is measured.
for (const count of isLong ? [3, 12] : [3]) {
  test(`18: of ${count} tabs none is dead, one makes a sound, and reading in one clears the others`, async () => {
    const user = `ida-4-${count}`;
    const { say } = await world.session(user);
    const context = await world.browser.newContext({ viewport: { width: 800, height: 700 } });
    await context.addInitScript(() => {
      Object.assign(window, { sounds: 0 });
      const { start } = OscillatorNode.prototype;
      OscillatorNode.prototype.start = function (...when) {
        /** @type {any} */ (window).sounds++;
        return start.apply(this, when);
      };
    });
    const first = await world.visit({ user }, { context });
    await first.open();
    await first.box.waitFor();
    const tabs = [first];
    while (tabs.length < count) {
      const page = await context.newPage();
      await page.goto(first.url);
      tabs.push(Object.assign(hands(page), { problems: [], path: "", url: first.url }));
    }
    for (const tab of tabs) {
      await tab.box.waitFor();
      // A click, without which a browser plays nothing.
      await tab.page.locator("h1").click();
    }
    const shown = await Promise.all(tabs.map(({ page }) => whenShown(page, "From the first tab")));
    await tabs[0]?.send("From the first tab");
    const times = await Promise.all(shown.map((when) => when()));
    const delay = Math.max(...times) - Number(times[0]);
    if (count === 12) assert.ok(delay <= 1_000, `${delay} ms`);
    // A person has ten sockets to a session at most: the others rest until they are looked at, and are alive then.
    await say("From the agent");
    for (const tab of tabs) {
      await tab.page.bringToFront();
      await tab.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
      await tab.message("From the agent").waitFor();
    }
    for (const tab of tabs) {
      await tab.launcher.click();
      await tab.panel.waitFor({ state: "hidden" });
    }
    await say("To all of them");
    await Promise.all(tabs.map((tab) => tab.page.getByRole("button", { name: "Chat, 1 unread" }).waitFor()));
    const sounds = async () => (await Promise.all(tabs.map((tab) => tab.page.evaluate("sounds")))).map(Number);
    await until(async () => (await sounds()).some((count) => count > 0));
    const reader = tabs[count - 2];
    await reader?.page.bringToFront();
    await reader?.open();
    await Promise.all(
      tabs
        .filter((tab) => tab !== reader)
        .map((tab) => tab.page.getByRole("button", { name: "Chat", exact: true, expanded: false }).waitFor()),
    );
    // Two notes in one tab.
    assert.deepEqual(
      (await sounds()).filter((count) => count > 0),
      [2],
    );
    await context.close();
  });
}

test("22: one token for all that begins at once, and a new one without a break", async () => {
  const { say } = await world.session("ida-5");
  const { page, open, message, box, send } = await world.visit({ user: "ida-5", lifetime: 66 });
  /** @type {import("playwright-core").WebSocket[]} */
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket));
  await open();
  await box.waitFor();
  await until(() => sockets.length === 1);
  const asked = async () => /** @type {string[]} */ (await page.evaluate("asked"));
  // The server says a minute before the end that a token ends: of this one after six seconds, and of each after it.
  await until(async () => (await asked()).length >= 2);
  const [first, ...others] = await asked();
  assert.equal(first, "first");
  assert.deepEqual(new Set(others), new Set(["expiring"]));
  await send("With the new one");
  await message("With the new one").getByText("Sent").waitFor();
  await say("Still here");
  await message("Still here").waitFor();
  assert.deepEqual([sockets.length, sockets[0]?.isClosed()], [1, false]);
});

test("22: a callback that fails shows Sign in again, and works when it works", async () => {
  await world.session("ida-6");
  const { page, open, panel, box, send, message } = await world.visit({
    user: "",
    csp: false,
    script: `window.fails = true; window.errors = [];
      (window.chatWidget ||= []).push(
        ["identify", { token: async () => { if (window.fails) throw new Error("signed out"); return window.token } }],
        ["on", "error", ({ code }) => window.errors.push(code)])`,
  });
  await open();
  await panel.getByRole("button", { name: "Sign in again" }).waitFor();
  await until(async () => /** @type {string[]} */ (await page.evaluate("errors")).includes("AUTH"));
  await page.evaluate((token) => Object.assign(window, { fails: false, token }), world.server.mint("ida-6"));
  await panel.getByRole("button", { name: "Sign in again" }).click();
  await box.waitFor();
  await send("Hello");
  await message("Hello").getByText("Sent").waitFor();
  // While a session is open: the socket ends, and the callback fails.
  await page.evaluate("fails = true");
  await world.server.call(world.server.tokens.root, "POST", "/api/chat/people/ida-6/sign-out", {});
  await panel.getByRole("button", { name: "Sign in again" }).waitFor();
  await send("Kept");
  await message("Kept").getByText("Queued").waitFor();
  await page.evaluate((token) => Object.assign(window, { fails: false, token }), await later(world, "ida-6"));
  await panel.getByRole("button", { name: "Sign in again" }).click();
  await message("Kept").getByText("Sent").waitFor();
});

/** A token that was issued after a sign-out, whose time is in whole seconds. @param {any} world @param {string} user */
async function later(world, user) {
  const from = Math.floor(Date.now() / 1000);
  await until(() => Math.floor(Date.now() / 1000) > from);
  return world.server.mint(user);
}

test("22: the token is in no address, no storage and no log", async () => {
  await world.session("ida-7");
  const visit = await world.visit({ user: "ida-7", csp: false });
  const { page, open, box, send, message, url } = visit;
  /** @type {string[]} */
  const seen = [];
  page.on("request", (request) => seen.push(request.url()));
  page.on("websocket", (socket) => seen.push(socket.url()));
  page.on("console", (line) => seen.push(line.text()));
  await page.reload();
  await open();
  await box.waitFor();
  await send("Hello");
  await message("Hello").getByText("Sent").waitFor();
  // One waits, so that something is stored.
  await abortPosts(page);
  await send("Still here");
  await message("Still here").waitFor();
  await until(async () => (await stored(page)).rows.length === 1);
  const { pathname } = new URL(url);
  assert.ok(seen.some((line) => line.includes(pathname)));
  assert.ok(seen.some((line) => line.startsWith("ws:")));
  for (const text of [...seen, page.url(), JSON.stringify(await stored(page)), ...world.server.log]) {
    assert.doesNotMatch(text, /eyJ[\w-]+/);
    // Neither in the form that it has in the handshake of a socket.
    assert.doesNotMatch(text, /ZXlK[\w-]+/);
  }
});

test("23: logout erases socket, outbox, drafts and cache in all tabs", async () => {
  const { say, id } = await world.session("ida-8");
  const context = await world.browser.newContext();
  const first = await world.visit({ user: "ida-8", csp: false }, { context });
  /** @type {import("playwright-core").WebSocket[]} */
  const sockets = [];
  context.on("page", (page) => page.on("websocket", (socket) => sockets.push(socket)));
  first.page.on("websocket", (socket) => sockets.push(socket));
  await first.open();
  await say("A secret");
  await first.message("A secret").waitFor();
  await first.box.fill("A secret draft");
  const second = hands(await context.newPage());
  await second.page.goto(first.url);
  await second.message("A secret").waitFor();
  await until(() => sockets.length === 2);
  // Something waits in the outbox.
  await abortPosts(context);
  await second.send("A secret in the outbox");
  await second.message("A secret in the outbox").waitFor();
  await first.page.evaluate("chatWidget.logout()");
  await until(() => sockets.every((socket) => socket.isClosed()));
  for (const { page } of [first, second]) {
    await until(
      async () =>
        !(await page.evaluate("document.querySelector('chat-widget').shadowRoot.textContent")).includes("secret"),
    );
    const left = JSON.stringify(await stored(page));
    assert.doesNotMatch(left, /secret|ida-8/);
    assert.ok(!left.includes(id), left);
  }
  // Another person on the same machine finds nothing of it.
  await context.unroute("**/messages");
  world.change(first.path, { user: "ida-9" });
  await first.page.reload();
  await first.open();
  await first.panel.getByRole("button", { name: "Start chat" }).waitFor();
  assert.equal(await first.panel.getByRole("textbox").nth(1).inputValue(), "");
  await context.close();
});
