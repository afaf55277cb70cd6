/** Writing and reading: bubbles, states, the announcer, input methods, and text that would like to be markup. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PICTURE } from "./fixtures.js";
import { createWorld, deferred, isLong, refusal, until } from "./support.js";
import { XSS } from "./xss.js";

const world = await createWorld();

/** Collects what the announcer says. @param {import("playwright-core").Page} page */
async function listen(page) {
  await page.evaluate(() => {
    const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
    Object.assign(window, { spoken: [] });
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) {
        for (const node of addedNodes) {
          const region = node.parentElement?.closest("[aria-live=polite]");
          if (region) /** @type {any} */ (window).spoken.push(node.textContent);
        }
      }
    }).observe(root, { childList: true, subtree: true });
  });
  return () => /** @type {Promise<string[]>} */ (page.evaluate("spoken"));
}

test("8: a new message of another person is announced once, history and own messages never", async () => {
  const { say, write } = await world.session("eve-1");
  await say("History");
  await write("Own history");
  const { page, launcher, open, message, send, log } = await world.visit({ user: "eve-1" });
  await launcher.waitFor();
  const spoken = await listen(page);
  await open();
  await message("Own history").waitFor();
  assert.equal(await log.getAttribute("aria-live"), "off");
  await send("My own");
  await message("My own").getByText("Sent").waitFor();
  await say("News");
  await message("News").waitFor();
  await say("More news");
  await message("More news").waitFor();
  await until(async () => (await spoken()).length >= 2);
  // A reconnect brings nothing that was not new.
  world.cut();
  await say("After the gap");
  await message("After the gap").waitFor();
  await until(async () => (await spoken()).length >= 3);
  assert.deepEqual(await spoken(), ["Bob: News", "Bob: More news", "Bob: After the gap"]);
});

test("11: Enter sends nothing while an input method composes, and Shift with Enter breaks the line", async () => {
  await world.session("eve-2");
  const { page, open, box, messages, message } = await world.visit({ user: "eve-2" });
  await open();
  await box.focus();
  const devtools = await page.context().newCDPSession(page);
  const press = async () => {
    const enter = { key: "Enter", code: "Enter", windowsVirtualKeyCode: 229 };
    await devtools.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...enter });
    await devtools.send("Input.dispatchKeyEvent", { type: "keyUp", ...enter, windowsVirtualKeyCode: 13 });
  };
  await devtools.send("Input.imeSetComposition", { text: "にほん", selectionStart: 3, selectionEnd: 3 });
  await press();
  assert.equal(await box.inputValue(), "にほん");
  await devtools.send("Input.insertText", { text: "日本" });
  assert.equal(await box.inputValue(), "日本");
  assert.equal(await messages.count(), 0);
  await box.press("Shift+Enter");
  await box.pressSequentially("second line");
  assert.equal(await box.inputValue(), "日本\nsecond line");
  await box.press("Enter");
  await message("second line").waitFor();
  assert.equal(await box.inputValue(), "");
  assert.equal(await messages.count(), 1);
  assert.equal(await message("second line").locator(".bubble").innerText(), "日本\nsecond line");
});

test("11: the box grows to six lines, with letters of 16 pixels", async () => {
  await world.session("eve-3");
  const { open, box } = await world.visit({ user: "eve-3" });
  await open();
  await box.waitFor();
  assert.equal(await box.evaluate((element) => getComputedStyle(element).fontSize), "16px");
  const height = async () => (await box.boundingBox())?.height ?? 0;
  const one = await height();
  /** @type {number[]} */
  const heights = [];
  for (const lines of [1, 2, 6, 7, 20]) {
    await box.fill(Array(lines).fill("x").join("\n"));
    heights.push((await height()) - one);
  }
  const line = /** @type {number} */ (heights[1]);
  assert.ok(line > 16);
  assert.deepEqual(heights, [0, line, 5 * line, 5 * line, 5 * line]);
  await box.fill("");
  assert.equal(await height(), one);
});

test("12: the own bubble is there before the server answers, after 50 ms if it is measured", async () => {
  const { messages } = await world.session("eve-4");
  const { page, open, box, message } = await world.visit({ user: "eve-4", csp: false });
  await open();
  await box.waitFor();
  await page.evaluate(() => {
    const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
    Object.assign(window, { took: [] });
    let pressed = 0;
    root.addEventListener("keydown", (event) => (pressed = event.timeStamp), { capture: true });
    new MutationObserver((changes) => {
      const isMessage = changes.some(({ addedNodes }) =>
        [...addedNodes].some((node) => node.nodeName === "LI" || /** @type {Element} */ (node).querySelector?.("li")),
      );
      if (isMessage && pressed) /** @type {any} */ (window).took.push(performance.now() - pressed);
    }).observe(root, { childList: true, subtree: true });
  });
  // The server hears of none before all are shown.
  const { promise: held, resolve: letGo } = deferred();
  await page.route("**/messages", async (route) => {
    if (route.request().method() === "POST") await held;
    await route.continue();
  });
  for (const text of ["one", "two", "three", "four", "five"]) {
    await box.fill(text);
    await box.press("Enter");
    await message(text).waitFor();
  }
  assert.deepEqual(await messages(), []);
  letGo();
  await message("five").getByText("Sent").waitFor();
  const took = /** @type {number[]} */ (await page.evaluate("took")).sort((a, b) => a - b);
  assert.equal(took.length, 5);
  // The middle one: a busy machine may delay one.
  if (isLong) assert.ok(Number(took[2]) <= 50, `${took}`);
});

test("12: six states, as text", async () => {
  const { bob, id } = await world.session("eve-5");
  const { page, open, box, message, send } = await world.visit({ user: "eve-5", csp: false });
  const { promise: held, resolve: letGo } = deferred();
  await page.route("**/messages", async (route) => {
    const { content } = route.request().postDataJSON() ?? {};
    if (content === "first") await held;
    if (content === "bad") return route.fulfill(refusal(400, "VALIDATION_FAILED"));
    await route.continue();
  });
  await open();
  await box.waitFor();
  await send("first");
  await message("first").getByText("Sending").waitFor();
  await send("second");
  await message("second").getByText("Queued").waitFor();
  letGo();
  await message("second").getByText("Sent").waitFor();
  const agent = await connect(world, bob, id);
  await message("second").getByText("Delivered").waitFor();
  await agent.read();
  await message("second").getByText("Read").waitFor();
  agent.close();
  await send("bad");
  await message("bad").getByText("Failed").waitFor();
});

/** An agent's socket, which acknowledges what comes. @param {any} world @param {string} token @param {string} session */
async function connect(world, token, session) {
  // @ts-ignore: the package has no types.
  const { WebSocket } = await import("ws");
  const bearer = `base64url.bearer.chat.${Buffer.from(token).toString("base64url")}`;
  const socket = new WebSocket(`${world.server.url.replace("http", "ws")}/ws/chat/${session}`, ["chat.v1", bearer]);
  const opened = new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  let seq = 0;
  socket.on("message", (/** @type {any} */ bytes) => {
    const frame = JSON.parse(String(bytes));
    seq = Math.max(seq, frame.seq ?? frame.data.seq ?? 0);
    if (frame.type === "hello") socket.send(JSON.stringify({ type: "ack", data: { seq } }));
  });
  await opened;
  return {
    read: () => socket.send(JSON.stringify({ type: "read", data: { seq } })),
    /** @param {boolean} isTyping */
    typing: (isTyping) => socket.send(JSON.stringify({ type: "typing", data: { isTyping } })),
    close: () => socket.close(),
  };
}

test("the agent's name, who types, and an ended session with a new one", async () => {
  const talk = await world.session("eve-6", { subject: "Shoes" });
  const { page, open, panel, message, box, begin } = await world.visit({ user: "eve-6" });
  await open();
  await panel.getByRole("heading", { name: "Bob" }).waitFor();
  await panel.locator(".subtitle").getByText("Shoes").waitFor();
  const agent = await connect(world, talk.bob, talk.id);
  await box.waitFor();
  await until(async () => {
    agent.typing(true);
    return panel.getByText("Bob is typing").isVisible();
  });
  await talk.say("Here");
  await message("Here").waitFor();
  await until(async () => !(await panel.getByText("Bob is typing").isVisible()));
  agent.close();
  await box.fill("and one more thing");
  await talk.close();
  await panel.getByText("This chat has ended").waitFor();
  assert.equal(await box.count(), 0);
  await panel.getByRole("button", { name: "Start a new chat" }).click();
  const first = panel.getByRole("textbox", { name: "Your message" });
  assert.equal(await first.inputValue(), "and one more thing");
  await first.fill("");
  await begin("Another one");
  await panel.getByRole("button", { name: "Earlier chats" }).click();
  await panel.getByRole("button", { name: /Shoes.*Ended/ }).click();
  await message("Here").waitFor();
  await panel.getByText("This chat has ended").waitFor();
  await panel.getByRole("button", { name: "Back" }).click();
  await panel.getByRole("button", { name: /Another one.*Active/ }).click();
  await box.waitFor();
  await page.keyboard.press("Escape");
});

test("a text that is too long is not cut: it fails with its reason, and Edit gives all of it back", async () => {
  await world.session("eve-10");
  const { open, box, message } = await world.visit({ user: "eve-10" });
  await open();
  await box.waitFor();
  const text = `Too long: ${"x".repeat(10_000)}`;
  await box.fill(text);
  await box.press("Enter");
  await message("Too long").getByText("more than 10,000 characters").waitFor();
  await message("Too long").getByRole("button", { name: "Edit" }).click();
  await until(async () => (await box.inputValue()) === text);
});

test("a session that ended without a message does not ask for one", async () => {
  const talk = await world.session("eve-11");
  const { open, panel } = await world.visit({ user: "eve-11" });
  await open();
  await panel.getByText("Say hello").waitFor();
  await talk.close();
  await panel.getByText("This chat has ended").waitFor();
  assert.equal(await panel.getByText("Say hello").count(), 0);
});

test("12: 50 older messages leave the line that is read where it is", async () => {
  const { say, write } = await world.session("eve-7");
  for (let at = 0; at < 120; at++) await (at % 3 ? say : write)(`message ${at}${" and more".repeat(at % 7)}`);
  const { page, open, messages, message, log } = await world.visit({ user: "eve-7" });
  await open();
  await message("message 119").waitFor();
  await until(() => log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 2));
  await log.hover();
  await log.evaluate((element) => (element.scrollTop = 150));
  await until(async () => (await messages.count()) === 100);
  const top = await message("message 75").evaluate((element) => element.getBoundingClientRect().top);
  await say("news");
  await page.getByRole("button", { name: "1 new message" }).waitFor();
  const now = await message("message 75").evaluate((element) => element.getBoundingClientRect().top);
  assert.ok(Math.abs(now - top) <= 1, `it moved by ${now - top}`);
  await page.getByRole("button", { name: "1 new message" }).click();
  await until(() => log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 2));
});

test("21: 40 strings that would like to be markup stay text, wherever a person can write", async () => {
  assert.equal(XSS.length, 40);
  const context = await world.browser.newContext({ viewport: { width: 1200, height: 800 } });
  await context.addInitScript(() =>
    Object.assign(window, { hacked: 0, alert: () => /** @type {any} */ (window).hacked++ }),
  );
  const names = XSS.map((text) => text.slice(0, 100).trim()).filter(Boolean);
  // As the subject, the customer's and the agent's name, messages of both, and names of files.
  const talk = await world.session("eve-8", { subject: names.join(" ").slice(0, 200) });
  const customer = world.server.mint("eve-8", { name: names[0] });
  for (const [at, text] of XSS.entries()) {
    await world.server.call(customer, "POST", `${talk.path}/messages`, { content: text });
    const bob = world.server.mint("bob", { role: "agent", name: names[at] });
    await world.server.call(bob, "POST", `${talk.path}/messages`, { content: text });
  }
  const { page, open, panel, messages, problems, box } = await world.visit({ user: "eve-8" }, { context });
  await open();
  await box.waitFor();
  await until(async () => (await messages.count()) >= 50);
  await panel.getByRole("log").evaluate((element) => (element.scrollTop = 0));
  await until(async () => (await messages.count()) === 80);
  const shown = await messages.locator(".bubble").evaluateAll((bubbles) => bubbles.map((bubble) => bubble.textContent));
  assert.deepEqual(
    shown,
    XSS.flatMap((text) => [text, text]),
  );
  const files = XSS.slice(0, 10).map((text, at) => ({ ...PICTURE(`${text.replace(/[/\\]/g, "")}.png`), at }));
  await panel.locator("input[type=file]").first().setInputFiles(files);
  await panel.locator(".chip").nth(9).waitFor();
  await box.fill(XSS.join("\n"));
  await box.press("Enter");
  await until(async () => (await messages.count()) === 81);
  await messages.last().getByText("Sent").waitFor();
  const strange = await page.evaluate(() => {
    const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
    const allowed =
      /^(?:class|part|type|aria-[a-z]+|role|title|href|rel|target|src|alt|dir|lang|tabindex|datetime|d|viewBox|hidden|placeholder|rows|maxlength|enterkeyhint|multiple|accept|capture|disabled|data-drop|width|height|style)$/;
    const elements = [...root.querySelectorAll("*")];
    return {
      names: [...new Set(elements.map(({ localName }) => localName))].filter((name) =>
        /script|iframe|object|embed|form|base|meta|link|style|math|template|marquee/.test(name),
      ),
      attributes: elements
        .flatMap(({ attributes }) => [...attributes].map(({ name }) => name))
        .filter((name) => !allowed.test(name)),
      links: [...root.querySelectorAll("a")].map(({ protocol, rel, target }) => `${protocol} ${rel} ${target}`),
    };
  });
  assert.deepEqual(strange.names, []);
  assert.deepEqual(strange.attributes, []);
  // Of each of the two: five addresses in the messages.
  assert.ok(strange.links.length >= 10, `${strange.links.length} links`);
  for (const link of strange.links) assert.match(link, /^(?:https?|mailto): noopener noreferrer _blank$/);
  assert.equal(await page.evaluate("hacked"), 0);
  assert.deepEqual(problems, []);
});
