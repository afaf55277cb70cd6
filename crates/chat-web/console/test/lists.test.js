/** The lists: what is in them, in which order, what a row says, and that rows hold still. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, isLong, until } from "./support.js";

const world = await createWorld();

/** The titles of the rows, from above. @param {import("playwright-core").Page} page */
const titles = (page) => page.locator(".row-title").allTextContents();

test("views have their counts, which follow what happens", async () => {
  const mine = await world.session("ann", { subject: "Views mine", agent: "vera" });
  const waiting = await world.session("ben", { subject: "Views waiting" });
  const closed = await world.session("cy", { subject: "Views closed", agent: "vera" });
  await closed.close();
  const page = await world.console({ as: "vera" });
  const root = await world.console({ as: "root", role: "admin" });
  /** @param {typeof page} window @param {string} name @param {number} count */
  const has = (window, name, count) => window.view(name).filter({ hasText: new RegExp(`^${name} ${count}$`) }).waitFor();
  await has(page, "Mine", 1);
  await has(page, "Waiting", 1);
  await has(page, "Closed", 1);
  for (const name of ["Assigned", "All", "Statistics", "Agents"]) assert.equal(await page.view(name).count(), 0, name);
  await has(root, "Waiting", 1);
  await has(root, "Assigned", 1);
  await has(root, "Closed", 1);
  await has(root, "All", 3);
  assert.equal(await root.view("Mine").count(), 0);
  await waiting.claim("vera");
  await mine.close();
  await has(page, "Mine", 1);
  await has(page, "Waiting", 0);
  await has(page, "Closed", 2);
  await has(root, "Closed", 2);
  await world.session("dee", { subject: "Views new" });
  await has(root, "All", 4);
  await root.view("All").click();
  await until(async () => (await titles(root)).join() === "Views new,Views closed,Views waiting,Views mine", { what: "the order of all" });
  await waiting.close();
  await page.view("Closed").click();
  await until(async () => (await titles(page)).join() === "Views waiting,Views mine,Views closed", { what: "the order of closed" });
});

test("those who wait stand by priority and then the longest first; the time ticks and a long wait is marked", async () => {
  const early = await world.session("eli", { subject: "Wait early", messages: 1 });
  await world.session("fin", { subject: "Wait late", messages: 1 });
  await world.session("gil", { subject: "Wait low", priority: "low", messages: 1 });
  await world.session("hal", { subject: "Wait high", priority: "high", messages: 1 });
  const page = await world.console({ as: "wanda" });
  await page.view("Waiting").click();
  await page.getByRole("textbox", { name: "Filter" }).or(page.getByRole("searchbox")).fill("Wait ");
  await until(async () => (await titles(page)).join() === "Wait high,Wait early,Wait late,Wait low", { what: "the order" });
  await page.row("Wait high").getByText("High", { exact: true }).waitFor();
  const time = page.row("Wait early").locator(".wait-time");
  const before = await time.textContent();
  await until(async () => (await time.textContent()) !== before, { what: "the tick" });
  assert.equal(await page.getByText("Late", { exact: true }).count(), 0);
  // Two minutes and a half later.
  const later = await world.console({
    as: "wanda",
    init: () => {
      const { now } = Date;
      Date.now = () => now() + 150_000;
    },
  });
  await later.view("Waiting").click();
  const row = later.row("Wait early");
  await row.getByText("Late", { exact: true }).waitFor();
  assert.equal(await row.locator(".wait.is-long svg").count(), 1);
  await row.locator(".wait-time").filter({ hasText: /^[23]:\d\d$/ }).waitFor();
  // One that was answered waits no more.
  await early.claim("wanda");
  await later.row("Wait early").waitFor({ state: "detached" });
});

test("a new session is there without a reload", async () => {
  const page = await world.console({ as: "nora" });
  await page.view("Waiting").click();
  const seenAt = page.evaluate(
    () =>
      new Promise((resolve) => {
        const look = () => document.querySelector(".rows")?.textContent?.includes("New one") && resolve(Date.now());
        new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
      }),
  );
  const madeAt = Date.now();
  const one = await world.session("ian", { subject: "New one" });
  await page.row("New one").waitFor();
  const took = Number(await seenAt) - madeAt;
  if (isLong) assert.ok(took <= 1_000, `it took ${took} ms`);
  await one.claim("nora");
  await page.row("New one").waitFor({ state: "detached" });
  await page.view("Mine").click();
  await page.row("New one").waitFor();
});

test("no row moves while one points at the list, and all is in order when one leaves it", async () => {
  const first = await world.session("jan", { subject: "Still first", agent: "stella" });
  const second = await world.session("kai", { subject: "Still second", agent: "stella" });
  const page = await world.console({ as: "stella" });
  await page.row("Still second").waitFor();
  assert.deepEqual(await titles(page), ["Still second", "Still first"]);
  await page.row("Still second").hover();
  // Activity, a session that comes, and one that goes.
  await first.write("I am back");
  await page.row("Still first").getByText("I am back").waitFor();
  await world.session("leo", { subject: "Still third", agent: "stella" });
  await page.getByRole("button", { name: "1 new" }).waitFor();
  await second.close();
  await page.row("Still second").getByText("No longer here").waitFor();
  assert.deepEqual(await titles(page), ["Still second", "Still first"]);
  await page.mouse.move(900, 500);
  await until(async () => (await titles(page)).join() === "Still third,Still first", { what: "the order" });
});

test("no row moves while the focus is in the list, and what is new comes when one asks for it", async () => {
  await world.session("mia", { subject: "Focus first", agent: "fiona" });
  await world.session("ned", { subject: "Focus second", agent: "fiona" });
  const page = await world.console({ as: "fiona" });
  await page.row("Focus first").waitFor();
  await page.keyboard.press("j");
  await world.session("ola", { subject: "Focus third", agent: "fiona" });
  const news = page.getByRole("button", { name: "1 new" });
  await news.waitFor();
  assert.deepEqual(await titles(page), ["Focus second", "Focus first"]);
  await news.click();
  await page.mouse.move(900, 500);
  assert.deepEqual(await titles(page), ["Focus third", "Focus second", "Focus first"]);
});

test("a row that goes gives the focus to its neighbour", async () => {
  const first = await world.session("ugo", { subject: "Keep first", agent: "kate" });
  await world.session("vic", { subject: "Keep second", agent: "kate" });
  const page = await world.console({ as: "kate" });
  const focused = () => page.evaluate(() => document.activeElement?.querySelector(".row-title")?.textContent ?? "");
  await page.row("Keep first").getByRole("link").focus();
  await page.keyboard.press("e");
  await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).click();
  await page.row("Keep first").waitFor({ state: "detached" });
  await until(async () => (await focused()) === "Keep second", { what: "the focus" });
  assert.equal((await first.get()).status, "closed");
});

test("in the queue one that is new comes at the end, also while one points at the list", async () => {
  await world.session("pam", { subject: "Queue first", priority: "low", messages: 1 });
  const page = await world.console({ as: "quinn" });
  await page.view("Waiting").click();
  await page.row("Queue first").hover();
  await world.session("ron", { subject: "Queue second", priority: "low", messages: 1 });
  await page.row("Queue second").waitFor();
  const all = await titles(page);
  assert.ok(all.indexOf("Queue first") < all.indexOf("Queue second"));
  // One that is claimed by another agent stays where it is, and so does what is below it.
  const third = await world.session("rob", { subject: "Queue third", priority: "high" });
  await page.mouse.move(900, 500);
  await page.row("Queue third").hover();
  const top = async () => (await page.row("Queue second").boundingBox())?.y;
  const before = await top();
  await third.claim("stranger");
  await page.row("Queue third").getByText("No longer waiting").waitFor();
  assert.equal(await top(), before);
  assert.equal(await page.row("Queue third").getByRole("button", { name: "Claim" }).count(), 0);
});

test("unread messages are counted in the row, in the view and in the title, until they are read", async () => {
  const session = await world.session("sam", { subject: "Post box", agent: "una", messages: ["One", "Two"] });
  const page = await world.console({ as: "una" });
  await page.row("Post box").getByText("2 unread").waitFor();
  await page.view("Mine").getByText("2 unread").waitFor();
  await until(async () => (await page.title()) === "(2) Chat console");
  await session.write("Three");
  await page.row("Post box").getByText("3 unread").waitFor();
  await until(async () => (await page.title()) === "(3) Chat console");
  await page.row("Post box").click();
  await until(async () => (await page.title()) === "Chat console");
  assert.equal(await page.row("Post box").getByText("unread").count(), 0);
  await until(async () => (await session.messages()).every(({ read }) => read));
});

test("a row has the last message with its writer, who types, the draft, the tags and the priority", async () => {
  const one = await world.session("tom", { name: "Tom Sawyer", subject: "Row one", agent: "rosa", tags: ["vip"], priority: "low", messages: ["Good day"] });
  await world.session("uwe", { name: "Uwe Seeler", agent: "rosa" });
  const page = await world.console({ as: "rosa" });
  const row = page.row("Row one");
  // The customer's name stands above it.
  assert.equal(await row.locator(".row-preview").innerText(), "Good day");
  await row.getByText("vip", { exact: true }).waitFor();
  await row.getByText("Low", { exact: true }).waitFor();
  await one.say("And to you");
  await row.getByText("You: And to you").waitFor();
  await page.row("Uwe Seeler").getByText("No subject").waitFor();
  await page.row("Uwe Seeler").getByText("No message yet").waitFor();
  // It is live without being open.
  await until(async () => {
    await world.server.call(one.customer, "POST", `${one.path}/typing`, { isTyping: true });
    return row.getByText("typing…").isVisible();
  });
  await row.click();
  await page.box.fill("Half an answer");
  await page.row("Uwe Seeler").click();
  await until(async () => /Draft: Half an answer/.test((await row.textContent()) ?? ""), { what: "the draft" });
});

test("twenty sessions of Mine are live over one socket", async () => {
  const sessions = [];
  for (let n = 1; n <= 20; n++) sessions.push(await world.session(`many-${n}`, { subject: `Many ${n}.`, agent: "mona" }));
  const page = await world.console({ token: "" });
  let sockets = 0;
  page.on("websocket", () => sockets++);
  await page.getByRole("textbox", { name: "Token" }).fill(world.server.mint("mona", { role: "agent" }));
  await page.button("Sign in").click();
  await page.row("Many 20.").waitFor();
  for (const [at, session] of sessions.entries()) {
    await until(async () => {
      await world.server.call(session.customer, "POST", `${session.path}/typing`, { isTyping: true });
      return page.row(`Many ${at + 1}.`).getByText("typing…").isVisible();
    });
  }
  assert.equal(sockets, 1);
});

test("a long list is read on as one scrolls, and a filter finds what is further down", async () => {
  for (let n = 1; n <= 60; n++) await world.session(`pia-${n % 4}`, { subject: `Page ${n}.`, agent: "paul" });
  const page = await world.console({ as: "paul" });
  await page.row("Page 60.").waitFor();
  assert.equal(await page.row("Page 1.").count(), 0);
  await until(async () => {
    await page.locator(".list-box").evaluate((box) => box.scrollTo(0, box.scrollHeight));
    return (await page.row("Page 1.").count()) > 0;
  });
  assert.equal(await page.locator(".session-row").count(), 60);
  await page.view("Mine").filter({ hasText: "60" }).waitFor();
  await page.reload();
  await page.row("Page 60.").waitFor();
  await page.getByRole("searchbox").fill("page 3.");
  await page.row("Page 3.").waitFor();
  assert.deepEqual(await titles(page), ["Page 3."]);
  await page.getByRole("searchbox").fill("nothing like it");
  await page.getByText("Nothing matches “nothing like it”.").waitFor();
});

test("a row holds still when others end its session, also where it was claimed here", async () => {
  const session = await world.session("quinn-a", { subject: "Quiet one", messages: 1 });
  await world.session("quinn-b", { subject: "Quiet two", agent: "quinn", messages: 1 });
  const page = await world.console({
    as: "quinn",
    init: () => {
      const { now } = Date;
      const shift = { by: 0 };
      Object.assign(window, { shift });
      Date.now = () => now() + shift.by;
    },
  });
  await page.view("Waiting").click();
  await page.row("Quiet one").getByRole("button", { name: "Claim" }).click();
  await page.view("Mine").click();
  await page.row("Quiet two").click();
  await page.row("Quiet one").hover();
  // A quarter of an hour later.
  await page.evaluate("shift.by = 900_000");
  await world.server.call(session.customer, "PUT", `${session.path}/close`);
  await page.row("Quiet one").getByText("No longer here").waitFor();
  assert.equal(await page.locator(".session-row").count(), 2);
});

test("in an empty list stands what to do", async () => {
  const page = await world.console({ as: "lonely" });
  await page.getByText("You have no sessions.").waitFor();
  await page.view("Closed").click();
  await page.getByText("Sessions that have ended appear here.").waitFor();
});

test("rows of pages that are not read again after a reconnect are not called gone", async () => {
  const own = await createWorld();
  for (let n = 1; n <= 60; n++) await own.session(`rex-${n % 4}`, { subject: `Back ${n}.`, agent: "rex" });
  const page = await own.console({ as: "rex", faults: true });
  await until(async () => {
    await page.locator(".list-box").evaluate((box) => box.scrollTo(0, box.scrollHeight));
    return (await page.locator(".session-row").count()) === 60;
  });
  await page.row("Back 1.").hover();
  await page.route("**/api/chat/inbox?*", (route) => route.abort());
  await own.server.kill();
  await page.getByText(/^Reconnecting/).first().waitFor();
  await own.server.restart();
  await page.getByText("Connected", { exact: true }).waitFor();
  await own.session("rex-new", { subject: "Back new", agent: "rex" });
  await page.getByText("1 new").waitFor();
  assert.equal(await page.locator(".session-row").count(), 60);
  assert.equal(await page.getByText("No longer here").count(), 0);
});
