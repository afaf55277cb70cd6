/** Dead and bad networks: what is written is sent once and in order, and what was missed comes once and in order. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test } from "node:test";

import { startProxy } from "../../pages/proxy.js";
import { binary } from "../../pages/server.js";
import { createWorld, isLong, refusal, until, whenShown } from "./support.js";

const world = await createWorld();

/** A customer behind a proxy with faults. @param {string} user */
async function behindProxy(user) {
  const proxy = await startProxy(world.server.port);
  after(() => proxy.close());
  const talk = await world.session(user);
  const visit = await world.visit({ user, origin: proxy.url, csp: false });
  await visit.open();
  await visit.box.waitFor();
  await visit.send("Before");
  await visit.message("Before").getByText("Sent").waitFor();
  return { ...visit, talk, proxy };
}

/** @param {any} talk */
const contents = async (talk) => (await talk.messages()).map((/** @type {any} */ { content }) => content);

test("13: what is sent into a black hole, over a reload, arrives once and in order", async () => {
  const { page, proxy, send, message, messages, talk, panel } = await behindProxy("gil-1");
  // The requests of the API vanish, and the page of the shop does not.
  proxy.stall();
  for (const text of ["one", "two", "three"]) await send(text);
  await message("three").getByText("Queued").waitFor();
  await message("one").getByText("Sending").waitFor();
  // The time that point 13 asks for, and not a wait for anything.
  if (isLong) await page.waitForTimeout(30_000);
  await page.reload({ waitUntil: "commit" });
  proxy.cut();
  proxy.flow();
  await panel.waitFor();
  await message("three").getByText("Sent").waitFor();
  assert.deepEqual(await contents(talk), ["Before", "one", "two", "three"]);
  assert.deepEqual(await messages.locator(".bubble").allInnerTexts(), ["Before", "one", "two", "three"]);
});

for (const [status, code, reason] of /** @type {const} */ ([
  [400, "VALIDATION_FAILED", "not accepted"],
  [403, "FORBIDDEN", "may not write"],
  [409, "SESSION_CLOSED", "has ended"],
])) {
  test(`13: ${status} fails a message alone, with its reason, Retry, Edit and Delete`, async () => {
    const user = `gil-${status}`;
    const talk = await world.session(user);
    const { page, open, box, send, message, messages } = await world.visit({ user, csp: false });
    await page.route("**/messages", (route) =>
      route.request().postDataJSON()?.content?.startsWith("bad")
        ? route.fulfill(refusal(status, code))
        : route.continue(),
    );
    await open();
    await box.waitFor();
    for (const text of ["bad one", "good", "bad two", "bad three"]) await send(text);
    await message("bad three").getByText("Failed").waitFor();
    await message("bad one").getByText(reason).waitFor();
    await message("good").getByText("Sent").waitFor();
    await message("bad two").getByRole("button", { name: "Delete" }).click();
    await until(async () => (await message("bad two").count()) === 0);
    await box.fill("and more");
    await message("bad three").getByRole("button", { name: "Edit" }).click();
    await until(async () => (await box.inputValue()) === "bad three\nand more");
    await until(async () => (await message("bad three").count()) === 0);
    await box.fill("edited");
    await box.press("Enter");
    await message("edited").getByText("Sent").waitFor();
    await page.unroute("**/messages");
    await message("bad one").getByRole("button", { name: "Retry" }).click();
    await message("bad one").getByText("Sent").waitFor();
    assert.deepEqual(await contents(talk), ["good", "edited", "bad one"]);
    assert.equal(await messages.count(), 3);
  });
}

test("14: an answer that is cut off makes one bubble and one message", async () => {
  const { proxy, send, message, messages, talk } = await behindProxy("gil-2");
  const dropped = proxy.dropAnswer({ method: "POST", path: /\/messages$/ });
  await send("Once");
  await dropped;
  await message("Once").getByText("Sent").waitFor();
  assert.equal(await messages.count(), 2);
  assert.deepEqual(await contents(talk), ["Before", "Once"]);
});

test("15: a black hole is noticed, within 40 s if it is measured, and 200 missed messages come once, in order, without a jump", async () => {
  const { page, proxy, message, messages, panel, talk, log } = await behindProxy("gil-3");
  for (let at = 0; at < 30; at++) await talk.say(`filler ${at}`);
  await message("filler 29").waitFor();
  await until(() => log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 2));
  await log.hover();
  await page.mouse.wheel(0, -500);
  await until(() => log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight > 300));
  const place = () => message("filler 20").evaluate((element) => element.getBoundingClientRect().top);
  const before = await place();
  proxy.stall();
  const started = Date.now();
  for (let at = 0; at < 200; at++) await talk.say(`missed ${at}`);
  if (isLong) {
    await panel.getByText("Reconnecting").waitFor({ timeout: 45_000 });
    assert.ok(Date.now() - started <= 41_000, `${Date.now() - started} ms`);
    proxy.cut();
  } else {
    // It hears at once what it would notice by the silence.
    proxy.cut();
    await panel.getByText("Reconnecting").waitFor();
  }
  assert.equal(await message("missed 199").count(), 0);
  proxy.flow();
  const shownAt = await whenShown(page, "missed 199");
  const online = Number(
    await page.evaluate(() => {
      dispatchEvent(new Event("online"));
      return Date.now();
    }),
  );
  const back = (await shownAt()) - online;
  if (isLong) assert.ok(back <= 1_000, `back after ${back} ms`);
  const shown = (await messages.locator(".bubble").allInnerTexts()).filter((text) => text.startsWith("missed"));
  assert.deepEqual(
    shown,
    Array.from({ length: 200 }, (_, at) => `missed ${at}`),
  );
  assert.ok(Math.abs((await place()) - before) <= 1, "the line that was read has moved");
  await page.getByRole("button", { name: "200 new messages" }).waitFor();
});

test("16: more than 1,000 missed are read again without a blank moment, and queued messages stay", async () => {
  const { page, proxy, message, talk, send, panel } = await behindProxy("gil-4");
  proxy.refuse();
  await panel.getByText("Reconnecting").waitFor();
  await send("Queued meanwhile");
  await message("Queued meanwhile").waitFor();
  for (let at = 0; at < 1_010; at += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, more) => talk.say(`many ${at + more}`)));
  }
  // What is shown, at each change: it is never empty.
  await page.evaluate(() => {
    const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
    const fewest = () =>
      void Object.assign(window, {
        fewest: Math.min(/** @type {any} */ (window).fewest, root.querySelectorAll("li.message").length),
      });
    Object.assign(window, { fewest: 99 });
    new MutationObserver(fewest).observe(root, { childList: true, subtree: true });
  });
  proxy.flow();
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await message("many 1009").or(message("many 1008")).first().waitFor();
  await message("Queued meanwhile").getByText("Sent").waitFor();
  assert.ok(Number(await page.evaluate("fewest")) >= 2, `as few as ${await page.evaluate("fewest")}`);
  const all = await talk.messages();
  assert.equal(all.filter((/** @type {any} */ { content }) => content === "Queued meanwhile").length, 1);
});

test("16: another epoch reads the messages again without a blank moment, and queued messages stay", async () => {
  const { page, message, messages, send, panel, talk } = await behindProxy("gil-5");
  await talk.say("From before");
  await message("From before").waitFor();
  await world.server.kill();
  await panel.getByText("Reconnecting").waitFor();
  await send("Queued meanwhile");
  await message("Queued meanwhile").waitFor();
  execFileSync(binary(), ["epoch", "rotate", "--data-dir", world.server.dataDir], { env: {}, stdio: "ignore" });
  await page.evaluate(() => {
    const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
    const shown = () => root.querySelectorAll("li.message").length;
    Object.assign(window, { fewest: 99 });
    const count = () => Object.assign(window, { fewest: Math.min(/** @type {any} */ (window).fewest, shown()) });
    new MutationObserver(count).observe(root, { childList: true, subtree: true });
  });
  await world.server.restart();
  await message("Queued meanwhile").getByText("Sent").waitFor();
  await talk.say("From afterwards");
  await message("From afterwards").waitFor();
  assert.ok(Number(await page.evaluate("fewest")) >= 3);
  assert.deepEqual(await messages.locator(".bubble").allInnerTexts(), await contents(talk));
});
