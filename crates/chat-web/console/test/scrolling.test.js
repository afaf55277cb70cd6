/** Where a thread stands: at the end, or at the line that is read, whatever comes before or behind it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PICTURE } from "../../widget/test/fixtures.js";
import { createWorld, until } from "./support.js";

const world = await createWorld();

/** @param {import("playwright-core").Locator} log */
const isAtEnd = (log) => log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 2);

/** The first message whose text is seen, and where it is. @param {import("playwright-core").Locator} log */
const firstLine = (log) =>
  log.evaluate((box) => {
    const top = box.getBoundingClientRect().top;
    const bubble = [...box.querySelectorAll(".bubble")].find((one) => one.getBoundingClientRect().top >= top);
    return { text: bubble?.textContent ?? "", top: (bubble?.getBoundingClientRect().top ?? 0) - top };
  });

/** Where a message is. @param {import("playwright-core").Locator} log @param {string} text */
const placeOf = (log, text) =>
  log.evaluate((box, text) => {
    const bubble = [...box.querySelectorAll(".bubble")].find((one) => one.textContent === text);
    return (bubble?.getBoundingClientRect().top ?? NaN) - box.getBoundingClientRect().top;
  }, text);

test("older messages leave the line that is read where it is", async () => {
  await world.session("anna", { subject: "Long talk", agent: "sam", messages: 170 });
  const page = await world.console({ as: "sam" });
  await page.row("Long talk").click();
  await page.message("Message 170").waitFor();
  assert.equal(await page.messages.count(), 50);
  await until(() => isAtEnd(page.log), { what: "the end" });
  for (const count of [100, 150, 170]) {
    // Near the beginning, with some lines above the first one that is seen.
    await page.log.evaluate((box) => (box.scrollTop = 150));
    const before = await firstLine(page.log);
    assert.notEqual(before.text, "");
    await until(async () => (await page.messages.count()) === count, { what: `${count} messages` });
    const moved = Math.abs((await placeOf(page.log, before.text)) - before.top);
    assert.ok(moved <= 1, `moved by ${moved} px`);
  }
  // They are in their order, and none is there twice.
  const texts = await page.log.locator(".bubble").allTextContents();
  assert.deepEqual(texts, Array.from({ length: 170 }, (_, at) => `Message ${at + 1}`));
});

test("the line that is read stays while pictures come in above it and the window changes", async () => {
  const session = await world.session("berta", { subject: "Pictures", agent: "tina", messages: 12 });
  for (let at = 0; at < 4; at++) await sendPicture(session, `picture-${at}.png`);
  for (let at = 0; at < 60; at++) await session.write(`Behind ${at}`);
  const page = await world.console({ as: "tina" });
  /** @type {(() => void)[]} */
  const held = [];
  // Pictures come when the test says so.
  await page.route("**/attachments/**", async (route) => {
    await new Promise((resolve) => held.push(() => resolve(undefined)));
    await route.continue();
  });
  await page.row("Pictures").click();
  await page.message("Behind 59").waitFor();
  await page.log.evaluate((box) => (box.scrollTop = 100));
  await page.message("Message 1").first().waitFor();
  await until(async () => (await page.messages.count()) > 70, { what: "older messages" });
  await page.log.evaluate((box) => {
    const bubble = [...box.querySelectorAll(".bubble")].find((one) => one.textContent === "Behind 0");
    box.scrollTop += (bubble?.getBoundingClientRect().top ?? 0) - box.getBoundingClientRect().top - 20;
  });
  // The thumbnails above are asked for when they come near.
  await until(async () => (await firstLine(page.log)).text === "Behind 0");
  const before = await placeOf(page.log, "Behind 0");
  await page.log.evaluate((box) => {
    // What a picture without a known size would do.
    for (const picture of box.querySelectorAll(".picture")) {
      /** @type {HTMLElement} */ (picture).style.setProperty("aspect-ratio", "1 / 3");
    }
  });
  for (const release of held) release();
  await until(async () => Math.abs((await placeOf(page.log, "Behind 0")) - before) <= 1, { what: "the place" });
  await page.setViewportSize({ width: 1100, height: 700 });
  await until(async () => Math.abs((await placeOf(page.log, "Behind 0")) - before) <= 1, { what: "the place" });
});

test("a picture that cannot be shown has a sign, and is asked for again", async () => {
  const session = await world.session("bruno", { subject: "Later", agent: "theo" });
  await sendPicture(session, "late.png");
  const page = await world.console({ as: "theo", faults: true });
  const busy = { status: 503, headers: { "Retry-After": "1" } };
  await page.route("**/attachments/**", (route) => route.fulfill(busy), { times: 1 });
  await page.row("Later").click();
  const picture = page.message("late.png").locator(".picture");
  await picture.locator("svg").waitFor();
  await picture.locator("img").waitFor();
  assert.equal(await picture.locator("svg").count(), 0);
});

test("older messages that were asked for and do not come are a failure of which one reads", async () => {
  await world.session("boris", { subject: "Long", agent: "thea", messages: 70 });
  const page = await world.console({ as: "thea", faults: true });
  await page.row("Long").click();
  await page.message("Message 70").waitFor();
  // On the way to the button a page is read already.
  let fail = () => {};
  const asked = new Promise((resolve) => {
    page.route("**/messages?before=*", async (route) => {
      resolve(undefined);
      await new Promise((go) => (fail = () => go(undefined)));
      await route.fulfill({ status: 503 });
    });
  });
  await page.log.evaluate((box) => (box.scrollTop = 0));
  await asked;
  await page.getByRole("button", { name: "Show older messages" }).click();
  fail();
  await page.getByRole("alert").getByText("This did not work. Try again in a moment.").waitFor();
  await page.unroute("**/messages?before=*");
  await page.getByRole("button", { name: "Show older messages" }).click();
  await page.message("Message 1").first().waitFor();
});

test("a thread stays at its end, and says how many new messages are below when one has scrolled up", async () => {
  const session = await world.session("clara", { subject: "Busy", agent: "ulf", messages: 40 });
  const page = await world.console({ as: "ulf" });
  await page.row("Busy").click();
  await page.message("Message 40").waitFor();
  await session.write("At the end");
  await page.message("At the end").waitFor();
  await until(() => isAtEnd(page.log), { what: "the end" });
  // The box grows, and the end stays in sight.
  await page.box.fill("1\n2\n3\n4");
  await until(() => isAtEnd(page.log), { what: "the end" });
  await page.box.fill("");

  await page.log.evaluate((box) => (box.scrollTop -= 400));
  const before = await firstLine(page.log);
  for (const text of ["One", "Two", "Three"]) await session.write(text);
  const button = page.getByRole("button", { name: "3 new messages" });
  await button.waitFor();
  assert.ok(Math.abs((await placeOf(page.log, before.text)) - before.top) <= 1);
  await button.click();
  await until(() => isAtEnd(page.log), { what: "the end" });
  await button.waitFor({ state: "detached" });
  assert.equal(await page.box.evaluate((box) => box === document.activeElement), true);
  // One's own message leads to the end.
  await page.log.evaluate((box) => (box.scrollTop = 0));
  await page.send("Mine");
  await until(() => isAtEnd(page.log), { what: "the end" });
});

test("what is new is counted also while a message of one's own is not sent", async () => {
  const session = await world.session("cosima", { subject: "Unsent", agent: "udo", messages: 40 });
  const page = await world.console({ as: "udo", faults: true });
  await page.row("Unsent").click();
  await page.message("Message 40").waitFor();
  await page.route(`**${session.path}/messages`, (route) =>
    route.request().method() === "POST" ? route.abort() : route.continue(),
  );
  await page.send("Stuck");
  await page.message("Stuck").getByText(/^(Queued|Sending)$/).waitFor();
  await until(() => isAtEnd(page.log), { what: "the end" });
  await page.log.evaluate((box) => (box.scrollTop -= 400));
  for (const text of ["One", "Two"]) await session.write(text);
  await page.getByRole("button", { name: "2 new messages" }).waitFor();
});

test("a line stands above the first message that is new", async () => {
  const session = await world.session("doris", { subject: "Returns", agent: "vera", messages: ["Old one", "Old two"] });
  await world.session("emil", { subject: "Others", agent: "vera", messages: ["Hello"] });
  const page = await world.console({ as: "vera" });
  await page.row("Returns").click();
  await page.message("Old two").waitFor();
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });
  await page.row("Others").click();
  await page.message("Hello").waitFor();
  await session.write("New one");
  await session.write("New two");
  await page.row("New two").waitFor();
  await page.row("Returns").click();
  const line = page.log.getByText("New since you were here");
  await line.waitFor();
  assert.equal(await line.count(), 1);
  assert.equal(await page.message("New one").getByText("New since you were here").count(), 1);
  // Once more, there is nothing new.
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });
  await page.row("Others").click();
  await page.message("Hello").waitFor();
  await page.row("Returns").click();
  await page.message("New two").waitFor();
  assert.equal(await line.count(), 0);
  // What comes while the window is not looked at is new too.
  await page.evaluate(() => {
    document.hasFocus = () => false;
    window.dispatchEvent(new Event("blur"));
  });
  await session.write("While away");
  await page.message("While away").getByText("New since you were here").waitFor();
  assert.equal(await line.count(), 1);
});

test("typing changes nothing in the messages", async () => {
  await world.session("gina", { subject: "Quiet", agent: "xaver", messages: 60 });
  const page = await world.console({ as: "xaver" });
  await page.row("Quiet").click();
  await page.message("Message 60").waitFor();
  await until(() => isAtEnd(page.log), { what: "the end" });
  await page.log.evaluate((box) => {
    Object.assign(window, { touched: 0 });
    const count = () => void (/** @type {any} */ (window).touched++);
    new MutationObserver(count).observe(box, { childList: true, subtree: true, characterData: true, attributes: true });
    // Each message that is drawn again looks at its time.
    const Counting = class extends Date {
      /** @param {any[]} time */
      constructor(...time) {
        super(.../** @type {[]} */ (time));
        if (typeof time[0] === "string") count();
      }
    };
    Object.assign(window, { Date: Counting });
  });
  const typed = "A sentence that is typed";
  await page.box.pressSequentially(typed);
  await until(async () => (await page.row(typed).count()) > 0, { what: "the draft in the row" });
  const touched = Number(await page.evaluate("touched"));
  // The row of the session is drawn at each key, which looks at some times. A log that was drawn would look at 50 each time.
  assert.ok(touched < 10 * typed.length, `${touched} times`);
});

/** @param {{ id: string, path: string }} session */
async function unreadOf({ id }) {
  const { items } = await world.server.call(world.server.tokens.root, "GET", "/api/chat/inbox?view=assigned&limit=100");
  return items.find((/** @type {{ id: string }} */ item) => item.id === id)?.unreadCount;
}

/** @param {{ path: string, customer: string }} session @param {string} name */
async function sendPicture({ path, customer }, name) {
  const { buffer, mimeType } = PICTURE(name, 80, 60);
  const form = new FormData();
  form.set("content", name);
  form.append("attachments[0]", new Blob([new Uint8Array(buffer)], { type: mimeType }), name);
  const answer = await fetch(`${world.server.url}${path}/messages`, {
    method: "POST",
    headers: { Authorization: `Bearer ${customer}` },
    body: form,
  });
  assert.equal(answer.ok, true, await answer.text());
}
