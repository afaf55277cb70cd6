/** What is done with sessions: claimed, lost to a faster agent, transferred, closed and assigned. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();

/** @param {import("playwright-core").Page} page */
const dialog = (page) => page.getByRole("dialog");

test("one key claims a session, which is open then and in Mine", async () => {
  const session = await world.session("alice", { subject: "Apples", messages: ["Hello?"] });
  const page = await world.console({ as: "amy" });
  await page.view("Waiting").click();
  await page.row("Apples").waitFor();
  await page.keyboard.press("c");
  await page.box.waitFor();
  await page.message("Hello?").waitFor();
  assert.equal((await session.get()).agentId, "amy");
  await page.row("Apples").waitFor();
  assert.match(page.url(), new RegExp(`#/s/${session.id}$`));
  assert.equal(await page.view("Mine").getAttribute("aria-current"), "page");
  // What is typed now is for the customer, and no command.
  await page.keyboard.type("to each");
  await until(async () => (await page.box.inputValue()) === "to each", { what: "the box has the focus" });
});

test("a button claims a session as well", async () => {
  const session = await world.session("bert", { subject: "Bread" });
  const page = await world.console({ as: "bea" });
  await page.view("Waiting").click();
  await page.row("Bread").getByRole("button", { name: "Claim" }).click();
  await page.box.waitFor();
  assert.equal((await session.get()).agentId, "bea");
});

test("while a claim takes long its row stays, and who presses again claims no other session", async () => {
  const first = await world.session("ada", { subject: "Slow first" });
  const second = await world.session("ava", { subject: "Slow second" });
  const page = await world.console({ as: "abe" });
  await page.view("Waiting").click();
  await page.row("Slow second").waitFor();
  let answer = () => {};
  await page.route(/\/assign$/, async (route) => {
    const response = await route.fetch();
    await new Promise((resolve) => (answer = () => resolve(undefined)));
    await route.fulfill({ response });
  });
  const claim = await page.row("Slow first").getByRole("button", { name: "Claim" }).boundingBox();
  assert.ok(claim);
  const press = () => page.mouse.click(claim.x + claim.width / 2, claim.y + claim.height / 2);
  await press();
  // The list knows it, and the answer is not there yet.
  await until(async () => /1/.test(await page.view("Mine").innerText()), { what: "the count" });
  await press();
  await page.keyboard.press("c");
  await page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.blur());
  await page.keyboard.press("c");
  assert.equal(await page.row("Slow first").getByText("No longer waiting").count(), 0);
  answer();
  await page.box.waitFor();
  assert.equal((await first.get()).agentId, "abe");
  assert.equal((await second.get()).agentId, null);
});

test("the loser of a race reads that another agent was faster, not who, and the list is right", async () => {
  const session = await world.session("carl", { subject: "Cherries" });
  await world.session("cleo", { subject: "Cucumbers" });
  // A request that is refused is named by the browser itself.
  const page = await world.console({ as: "cora", faults: true });
  await page.view("Waiting").click();
  await page.row("Cherries").waitFor();
  // The faster one is there while our own request is on its way.
  await page.route(/\/assign$/, async (route) => {
    await session.claim("quick-quentin");
    await route.continue();
  });
  await page.row("Cherries").getByRole("button", { name: "Claim" }).click();
  await page.getByText("“Cherries”: another agent was faster.").waitFor();
  // The next row does not come under the pointer.
  await page.row("Cherries").getByText("No longer waiting").waitFor();
  await page.mouse.move(900, 300);
  await page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.blur());
  assert.equal(await page.getByText(/quentin/i).count(), 0);
  await until(async () => (await page.row("Cherries").count()) === 0, { what: "the row is gone" });
  await page.row("Cucumbers").waitFor();
  assert.equal(await page.box.count(), 0);
  await page.view("Mine").click();
  await page.getByText("You have no sessions.").waitFor();
});

test("a session goes to another agent, and both see it at once", async () => {
  await world.agent("dan", "Dan Brown");
  await world.agent("dot", "Dot Matrix");
  const session = await world.session("dave", { subject: "Dates", agent: "dan" });
  const dan = await world.console({ as: "dan" });
  const dot = await world.console({ as: "dot" });
  await dan.row("Dates").click();
  await dan.box.fill("Not sent");
  await dan.button("Transfer").click();
  // Oneself is not among them.
  await dialog(dan).getByRole("radio", { name: "Dot Matrix" }).waitFor();
  assert.equal(await dialog(dan).getByRole("radio", { name: "Dan Brown" }).count(), 0);
  await dialog(dan).locator("label", { hasText: "Dot Matrix" }).getByText("Online").waitFor();
  const aboutDraft = dialog(dan).getByText("You have a draft in it that was not sent.");
  await dialog(dan).getByRole("radio", { name: "Back to the queue" }).check();
  assert.equal(await aboutDraft.count(), 0);
  await dialog(dan).getByRole("radio", { name: "Dot Matrix" }).check();
  await aboutDraft.waitFor();
  await dialog(dan).getByRole("button", { name: "Transfer", exact: true }).click();
  await dan.getByText("“Dates” was transferred to Dot Matrix.").waitFor();
  await dot.row("Dates").waitFor();
  await until(async () => (await dan.row("Dates").count()) === 0);
  assert.equal(await dan.box.count(), 0);
  assert.equal((await session.get()).agentId, "dot");
  // Who looks at it again reads that it is theirs no more, has the draft, and is not sent away.
  await dan.evaluate((id) => location.assign(`#/s/${id}`), session.id);
  await dan.getByText("This session is not yours").waitFor();
  await dan.getByText("Not sent").waitFor();
  assert.equal(await dan.getByText(/no longer yours/).count(), 0);
});

test("a session goes back to the queue with the keyboard alone", async () => {
  const session = await world.session("emil", { subject: "Eggs", agent: "eve" });
  const page = await world.console({ as: "eve" });
  await page.row("Eggs").waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("t");
  await dialog(page).waitFor();
  await dialog(page).getByRole("radio", { name: "Back to the queue" }).focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Enter");
  await page.getByText("“Eggs” is back in the queue.").waitFor();
  assert.equal((await session.get()).agentId, null);
  await page.view("Waiting").click();
  await page.row("Eggs").waitFor();
});

test("an open session that is transferred away closes softly, with a notice, and its draft is kept", async () => {
  await world.agent("gus");
  const session = await world.session("fay", { subject: "Figs", agent: "flo" });
  const page = await world.console({ as: "flo" });
  await page.row("Figs").click();
  await page.box.fill("I was about to say");
  await world.server.call(world.server.tokens.root, "PUT", `${session.path}/transfer`, { agentId: "gus" });
  await page.getByText("“Figs” was transferred and is no longer yours. Your draft is kept.").waitFor();
  await until(async () => (await page.box.count()) === 0);
  assert.equal(await page.getByRole("dialog").count(), 0);
  // It comes back, and so does what was typed.
  await world.server.call(world.server.tokens.root, "PUT", `${session.path}/transfer`, { agentId: "flo" });
  await page.row("Figs").getByText("Draft:").waitFor();
  await page.row("Figs").click();
  await until(async () => (await page.box.inputValue()) === "I was about to say");
  await page.send("I was about to say it");
  await until(async () => (await session.messages()).length === 1);
});

test("an open session that is transferred away while it is being loaded closes softly too", async () => {
  await world.agent("gus");
  const session = await world.session("fred", { subject: "Fennel", agent: "finn" });
  /** What the page says of sessions is held until the transfer. @type {(() => void)[] | null} */
  let held = [];
  const page = await world.console({
    as: "finn",
    faults: true,
    beforeOpening: async (page) => {
      await page.routeWebSocket(/\/ws\/chat/, (socket) => {
        const server = socket.connectToServer();
        socket.onMessage((frame) => {
          if (held && String(frame).includes('"subscribe"')) held.push(() => server.send(frame));
          else server.send(frame);
        });
      });
      await page.route(`**${session.path}/**`, async (route) => {
        if (held) await new Promise((resolve) => held?.push(() => resolve(null)));
        await route.continue();
      });
    },
  });
  await page.row("Fennel").click();
  await page.box.fill("I was about to say");
  await world.server.call(world.server.tokens.root, "PUT", `${session.path}/transfer`, { agentId: "gus" });
  await page.row("Fennel").getByText("No longer here").waitFor();
  for (const release of held.splice(0)) release();
  held = null;
  await page.getByText("“Fennel” was transferred and is no longer yours. Your draft is kept.").waitFor();
  await until(async () => (await page.box.count()) === 0);
});

test("a waiting session that one looks at closes softly when another agent claims it", async () => {
  const session = await world.session("gil", { subject: "Ginger", messages: ["I wait"] });
  const page = await world.console({ as: "gwen" });
  await page.view("Waiting").click();
  await page.row("Ginger").click();
  await page.message("I wait").waitFor();
  await session.claim("quick-quentin");
  await page.getByText("“Ginger” was claimed by another agent.").waitFor();
  await page.message("I wait").waitFor({ state: "detached" });
});

test("a session is closed after a question, and stays open if one thinks better of it", async () => {
  const session = await world.session("gina", { subject: "Grapes", agent: "greg" });
  const page = await world.console({ as: "greg" });
  await page.row("Grapes").click();
  await page.box.waitFor();
  await page.button("Close").click();
  await dialog(page).getByText("Grapes").waitFor();
  await dialog(page).getByRole("button", { name: "Cancel" }).click();
  await dialog(page).waitFor({ state: "detached" });
  assert.equal((await session.get()).status, "active");
  // The focus is where it was.
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Close");
  await page.button("Close").click();
  await dialog(page).getByRole("button", { name: "Close", exact: true }).click();
  await page.getByText("“Grapes” is closed.").waitFor();
  assert.equal((await session.get()).status, "closed");
  await page.box.waitFor({ state: "detached" });
  await page.view("Closed").click();
  await page.row("Grapes").waitFor();
});

test("an admin gives a waiting session to an agent", async () => {
  await world.agent("hugo", "Hugo Boss");
  const session = await world.session("hope", { subject: "Honey" });
  const page = await world.console({ as: "root", role: "admin" });
  await page.view("Waiting").click();
  assert.equal(await page.row("Honey").getByRole("button", { name: "Claim" }).count(), 0);
  await page.row("Honey").getByRole("button", { name: "Assign" }).click();
  await dialog(page).getByRole("radio", { name: "Hugo Boss" }).check();
  assert.equal(await dialog(page).getByRole("radio", { name: "Back to the queue" }).count(), 0);
  await dialog(page).getByRole("button", { name: "Assign", exact: true }).click();
  await page.getByText("“Honey” was given to Hugo Boss.").waitFor();
  assert.equal((await session.get()).agentId, "hugo");
  await page.view("Assigned").click();
  await page.row("Honey").getByText("with Hugo Boss").waitFor();
});

test("what does not work for want of a connection says so, and works again later", async () => {
  const session = await world.session("ida", { subject: "Ice" });
  const page = await world.console({ as: "ian", faults: true });
  await page.view("Waiting").click();
  await page.row("Ice").waitFor();
  await page.route(/\/assign$/, (route) => route.abort(), { times: 1 });
  await page.row("Ice").getByRole("button", { name: "Claim" }).click();
  await page.getByText("There is no connection.").waitFor();
  await page.row("Ice").getByRole("button", { name: "Claim" }).click();
  await page.box.waitFor();
  assert.equal((await session.get()).agentId, "ian");
});

test("a claim that takes long calls back no agent who has gone on", async () => {
  const session = await world.session("jon", { subject: "Jam", messages: ["Hello?"] });
  await world.session("jim", { subject: "Juice", agent: "jane", messages: ["Orange"] });
  const page = await world.console({ as: "jane" });
  await page.view("Waiting").click();
  await page.row("Jam").waitFor();
  /** @type {() => void} */
  let go = () => {};
  const gone = new Promise((resolve) => (go = () => resolve(null)));
  await page.route(/\/assign$/, async (route) => {
    await gone;
    await route.continue();
  });
  await page.row("Jam").getByRole("button", { name: "Claim" }).click();
  await page.view("Mine").click();
  await page.row("Juice").click();
  await page.box.fill("I am writing");
  go();
  await page.getByText("“Jam” is yours now.").waitFor();
  // No row moves under the pointer.
  await page.mouse.move(900, 500);
  await page.row("Jam").waitFor();
  assert.equal(await page.box.inputValue(), "I am writing");
  await page.message("Orange").waitFor();
  assert.equal((await session.get()).agentId, "jane");
});

test("a session that was taken and came back to the queue can be claimed", async () => {
  const session = await world.session("mia", { subject: "Milk", messages: ["White"] });
  await world.session("max", { subject: "Mint", messages: ["Green"] });
  const page = await world.console({ as: "moe" });
  await page.view("Waiting").click();
  await page.row("Milk").click({ position: { x: 60, y: 12 } });
  await page.message("White").waitFor();
  await page.row("Mint").click({ position: { x: 60, y: 12 } });
  await page.message("Green").waitFor();
  await session.claim("quick-quentin");
  await page.row("Milk").getByText("No longer waiting").waitFor();
  await session.transfer(null);
  await page.row("Milk").getByRole("button", { name: "Claim" }).click();
  await page.getByText("“Milk” is yours now.").first().waitFor({ state: "attached" });
  assert.equal((await session.get()).agentId, "moe");
});

test("c claims the first session that still waits", async () => {
  const first = await world.session("nia", { subject: "Nuts", priority: "high" });
  const second = await world.session("nic", { subject: "Nougat", priority: "high" });
  const page = await world.console({ as: "nat" });
  await page.view("Waiting").click();
  await page.row("Nougat").waitFor();
  // While the pointer is there, no row moves.
  await page.row("Nougat").hover();
  await first.claim("quick-quentin");
  await page.row("Nuts").getByText("No longer waiting").waitFor();
  await page.keyboard.press("c");
  await page.box.waitFor();
  assert.equal((await second.get()).agentId, "nat");
});

test("an agent who is chosen and then filtered away is not chosen", async () => {
  for (let n = 1; n <= 10; n++) await world.agent(`olga-${n}`, `Olga ${n}.`);
  const session = await world.session("otto", { subject: "Oil", agent: "olli" });
  const page = await world.console({ as: "olli" });
  await page.row("Oil").click();
  await page.button("Transfer").click();
  await dialog(page).getByRole("radio", { name: "Olga 2." }).check();
  await dialog(page).getByRole("searchbox", { name: "Find an agent" }).fill("Olga 3");
  const transfer = dialog(page).getByRole("button", { name: "Transfer", exact: true });
  assert.equal(await transfer.getAttribute("aria-disabled"), "true");
  await page.keyboard.press("Enter");
  await dialog(page).getByRole("radio", { name: "Olga 3." }).check();
  await transfer.click();
  await page.getByText("“Oil” was transferred to Olga 3..").waitFor();
  assert.equal((await session.get()).agentId, "olga-3");
});

test("before a session is closed one reads that a message in it is not sent", async () => {
  const session = await world.session("pit", { subject: "Peas", agent: "pia" });
  const page = await world.console({ as: "pia", faults: true });
  await page.row("Peas").click();
  let isBroken = true;
  await page.route(`**${session.path}/messages`, (route) =>
    isBroken && route.request().method() === "POST" ? route.abort() : route.continue(),
  );
  await page.send("On its way");
  await page.message("On its way").getByText(/^(Queued|Sending)$/).waitFor();
  await page.button("Close").click();
  const note = dialog(page).getByText("A message is not sent yet.");
  await note.waitFor();
  isBroken = false;
  // While the dialog is open, it is sent.
  await note.waitFor({ state: "detached" });
  await dialog(page).getByRole("button", { name: "Close", exact: true }).click();
  await page.getByText("“Peas” is closed.").waitFor();
  assert.deepEqual((await session.messages()).map(({ content }) => content), ["On its way"]);
});

test("a claim that takes long calls no one away who types into the filter", async () => {
  const session = await world.session("ria", { subject: "Rice", messages: ["White"] });
  const page = await world.console({ as: "ron" });
  await page.view("Waiting").click();
  await page.row("Rice").waitFor();
  let go = () => {};
  const held = new Promise((resolve) => (go = () => resolve(null)));
  await page.route(/\/assign$/, async (route) => {
    await held;
    await route.continue();
  });
  await page.row("Rice").getByRole("button", { name: "Claim" }).click();
  const filter = page.getByRole("searchbox");
  await filter.pressSequentially("Ri");
  go();
  await page.getByText("“Rice” is yours now.").waitFor();
  await filter.pressSequentially("ce");
  assert.equal(await filter.inputValue(), "Rice");
  assert.equal(await page.box.count(), 0);
  assert.equal((await session.get()).agentId, "ron");
});

test("after a race that was lost in words alone, the next loss is said again", async () => {
  const session = await world.session("ken", { subject: "Kale", messages: ["Green"] });
  const page = await world.console({ as: "kim", faults: true });
  await page.view("Waiting").click();
  await page.row("Kale").click();
  await page.message("Green").waitFor();
  const error = { code: "ALREADY_ASSIGNED", message: "no", details: [] };
  await page.route(/\/assign$/, (route) => route.fulfill({ status: 409, json: { success: false, message: "no", error } }), { times: 1 });
  await page.middle.getByRole("button", { name: "Claim" }).click();
  await page.getByText("“Kale”: another agent was faster.").waitFor();
  await page.view("Mine").click();
  await page.view("Waiting").click();
  await page.row("Kale").click();
  await page.message("Green").waitFor();
  await session.claim("quick-quentin");
  await page.getByText("“Kale” was claimed by another agent.").waitFor();
});

test("a window shows what was chosen in another one, when one comes back to it", async () => {
  const page = await world.console({ as: "lea" });
  const other = await world.console({ as: "lea", context: page.context() });
  const choice = (/** @type {typeof page} */ window) => window.getByRole("combobox", { name: "Availability" });
  await choice(page).waitFor({ timeout: 60_000 });
  await choice(other).waitFor({ timeout: 60_000 });
  await choice(other).selectOption("Away");
  await until(async () => {
    await page.evaluate(() => dispatchEvent(new Event("focus")));
    return (await choice(page).inputValue()) === "away";
  });
});
