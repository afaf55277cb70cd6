/** The column beside the thread: who the customer is, what can be changed, and their other sessions. */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { PICTURE } from "../../widget/test/fixtures.js";
import { createWorld, until } from "./support.js";

const world = await createWorld();

/** The column, and its fields. @param {Awaited<ReturnType<import("./support.js").World["console"]>>} page */
const column = (page) => {
  const side = page.locator(".customer");
  return {
    side,
    subject: side.getByRole("textbox", { name: "Subject" }),
    priority: side.getByRole("combobox", { name: "Priority" }),
    tag: side.getByRole("textbox", { name: "Add a tag" }),
    links: side.getByRole("navigation", { name: "Other sessions" }).getByRole("link"),
  };
};

test("it shows who the customer is and since when the session goes on", async () => {
  await world.session("anna-1", { subject: "Hello", name: "Anna Bee", agent: "amos", messages: ["Hi"] });
  const page = await world.console({ as: "amos" });
  await page.row("Hello").click();
  const { side } = column(page);
  await side.getByRole("heading", { name: "Anna Bee" }).waitFor();
  await side.getByText("AB", { exact: true }).waitFor();
  await side.getByText("anna-1", { exact: true }).waitFor();
  await side.getByText(/^Today, /).waitFor();
  await side.getByText("No other sessions.").waitFor();
});

test("subject, priority and tags are changed, and other windows see it", async () => {
  const session = await world.session("bert-1", { subject: "Old subject", agent: "bea", tags: ["one"], messages: ["Hi"] });
  const page = await world.console({ as: "bea" });
  await page.row("Old subject").click();
  const { side, subject, priority, tag } = column(page);
  const second = await world.console({ as: "bea", context: page.context() });
  await second.row("Old subject").click();
  const other = column(second);

  await subject.fill("New subject");
  await subject.press("Enter");
  await page.row("New subject").waitFor();
  await until(async () => (await other.subject.inputValue()) === "New subject", { what: "the subject" });
  await priority.selectOption("high");
  await until(async () => (await other.priority.inputValue()) === "high", { what: "the priority" });
  // Faster than the server answers: none replaces the other.
  for (const name of ["two", "three", "four"]) {
    await tag.fill(name);
    await tag.press("Enter");
  }
  await until(async () => (await session.get()).tags.join() === "one,two,three,four", { what: "the tags" });
  await other.side.getByText("four", { exact: true }).waitFor();
  await side.getByRole("button", { name: "Remove two" }).click();
  await until(async () => (await session.get()).tags.join() === "one,three,four", { what: "the tags" });
  await side.getByText("two", { exact: true }).waitFor({ state: "detached" });
  // Left without Enter, it is saved as well; emptied, there is none.
  await subject.fill("Left");
  await page.box.click();
  await until(async () => (await session.get()).subject === "Left", { what: "the subject" });
  await subject.fill("Never mind");
  await subject.press("Escape");
  assert.equal(await subject.inputValue(), "Left");
  await subject.fill("");
  await subject.press("Enter");
  await until(async () => (await session.get()).subject === undefined, { what: "no subject" });
});

test("a change that fails says why, and what was typed stays", async () => {
  const session = await world.session("carl-1", { subject: "Stays", agent: "cora", messages: ["Hi"] });
  const page = await world.console({ as: "cora", faults: true });
  await page.row("Stays").click();
  const { side, subject, priority, tag } = column(page);
  await subject.waitFor();
  await page.route(`**${session.path}`, (route) =>
    route.request().method() === "PATCH" ? route.abort() : route.continue(),
  );
  await subject.fill("Does not arrive");
  await subject.press("Enter");
  await side.getByText("The change was not saved. Try again.").waitFor();
  assert.equal(await subject.inputValue(), "Does not arrive");
  await priority.selectOption("low");
  await until(async () => (await priority.inputValue()) === "medium", { what: "the priority of before" });
  await tag.fill("typed");
  await tag.press("Enter");
  await until(async () => (await tag.inputValue()) === "typed", { what: "the tag in its box" });
  await page.unroute(`**${session.path}`);
  await subject.press("Enter");
  await page.row("Does not arrive").waitFor();
  await side.getByText("The change was not saved. Try again.").waitFor({ state: "detached" });
});

test("nothing can be changed that is not the agent's", async () => {
  await world.session("dora-1", { subject: "Not mine", tags: ["red"], priority: "high", messages: ["Hi"] });
  const over = await world.session("dora-2", { subject: "Over", agent: "dean", messages: ["Bye"] });
  await over.close();
  const page = await world.console({ as: "dean" });
  const { side } = column(page);
  await page.view("Waiting").click();
  await page.row("Not mine").click({ position: { x: 60, y: 12 } });
  await side.getByText("High", { exact: true }).waitFor();
  await side.getByText("red", { exact: true }).waitFor();
  assert.equal(await side.locator("input, select").count(), 0);
  await page.view("Closed").click();
  await page.row("Over").click();
  await side.getByText("Ended", { exact: true }).waitFor();
  assert.equal(await side.locator("input, select").count(), 0);
});

test("earlier sessions of the customer are links, and others' are not there", async () => {
  for (const subject of ["First time", "Second time"]) {
    const earlier = await world.session("emma", { subject, agent: "earl", messages: [`About ${subject}`] });
    await earlier.close();
  }
  const foreign = await world.session("emma", { subject: "Of a colleague", agent: "eric", messages: ["Secret"] });
  await foreign.close();
  const stranger = await world.session("ernst", { subject: "Another customer", agent: "earl", messages: ["Hi"] });
  await stranger.close();
  await world.session("emma", { subject: "Third time", agent: "earl", messages: ["Again"] });
  const page = await world.console({ as: "earl" });
  await page.row("Third time").click();
  await page.message("Again").waitFor();
  const { links } = column(page);
  await until(async () => (await links.count()) === 2, { what: "the earlier sessions" });
  assert.deepEqual(await links.locator("bdi").allTextContents(), ["Second time", "First time"]);
  await links.filter({ hasText: "First time" }).click();
  await page.message("About First time").waitFor();
  await until(async () => (await links.count()) === 2, { what: "the other sessions" });
  assert.deepEqual(await links.locator("bdi").allTextContents(), ["Third time", "Second time"]);
  await page.goBack();
  await page.message("Again").waitFor();

  const admin = await world.console({ as: "root", role: "admin" });
  await admin.view("Assigned").click();
  await admin.row("Third time").click();
  await until(async () => (await column(admin).links.count()) === 3, { what: "the earlier sessions" });
});

test("many earlier sessions come page by page", async () => {
  for (let at = 0; at < 25; at++) {
    const earlier = await world.session("fay", { subject: `Number ${at}`, agent: "finn" });
    await earlier.close();
  }
  await world.session("fay", { subject: "Now", agent: "finn", messages: ["Hi"] });
  const page = await world.console({ as: "finn" });
  await page.row("Now").click();
  const { links } = column(page);
  const more = page.locator(".customer").getByRole("button", { name: "Show more" });
  await more.click();
  await more.waitFor({ state: "detached" });
  // None is there twice, although the list of closed ones has them as well.
  assert.equal(await links.count(), 25);
  assert.equal(await links.first().locator("bdi").textContent(), "Number 24");
});

test("a picture is shown where the operator has named its origin, and initials elsewhere", async () => {
  const picture = "https://pictures.test/gina.png";
  const other = await createWorld({ env: { CHAT_AVATAR_ORIGINS: "https://pictures.test" } });
  for (const { server, session, console, browser } of [world, other]) {
    const token = server.mint("gina", { name: "Gina Grey", picture });
    const made = await server.call(token, "POST", "/api/chat/sessions", { subject: "Portrait" });
    const gero = server.mint("gero", { role: "agent" });
    await server.call(gero, "PUT", `/api/chat/sessions/${made.id}/assign`, { agentId: "gero" });
    // A second one, which the page has not asked for yet when it knows its policy.
    await session("hal", { subject: "Blank", agent: "gero" });
    // Before the page is opened: its rows show pictures too.
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    after(() => context.close());
    await context.route("https://pictures.test/**", (route) =>
      route.fulfill({ contentType: "image/png", body: PICTURE("gina.png").buffer }),
    );
    const page = await console({ as: "gero", context });
    await page.row("Blank").click();
    await page.row("Portrait").click();
    const face = page.locator(".customer .avatar");
    if (server === other.server) await face.locator("img").waitFor();
    else await face.getByText("GG").waitFor();
    assert.equal(await face.locator("img").count(), server === other.server ? 1 : 0);
  }
});
