/** The pages of admins: figures in words, and the directory of agents. Agents do not see them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();
const { server } = world;
const admin = () => world.console({ as: "root", role: "admin" });
/** @param {string} id */
const agent = async (id) => {
  const { agents } = await server.call(server.tokens.root, "GET", "/api/chat/agents");
  return agents.find((/** @type {{ id: string }} */ one) => one.id === id);
};

test("the statistics are figures with units", async () => {
  const talk = await world.session("ann-1", { subject: "One", agent: "bob", messages: ["Hello"] });
  await talk.say("Hello Ann");
  await world.session("ann-2", { subject: "Two" });
  const page = await admin();
  await page.view("Statistics").click();
  await page.getByRole("heading", { name: "Statistics" }).waitFor();
  const figure = (/** @type {string} */ name) =>
    page.locator("dl > div").filter({ has: page.locator("dt").getByText(name, { exact: true }) });
  await figure("Open sessions").getByText("2", { exact: true }).waitFor();
  await figure("Sessions").getByText("2", { exact: true }).waitFor();
  await figure("Messages").getByText("2", { exact: true }).waitFor();
  assert.match(await figure("Time to an answer").innerText(), /\d+ seconds?/);
  await page.getByText(/^As of \d/).waitFor();

  await talk.close();
  await page.button("Refresh").click();
  await figure("Open sessions").getByText("1", { exact: true }).waitFor();
});

test("figures that cannot be read are said to be so, and those of before stay", async () => {
  const page = await world.console({ as: "root", role: "admin", faults: true });
  await page.view("Statistics").click();
  await page.locator("dl").waitFor();
  await page.route("**/api/chat/stats", (route) => route.abort());
  await page.button("Refresh").click();
  const problem = page.getByRole("alert").filter({ hasText: "could not be read" });
  await problem.waitFor();
  assert.ok(await page.locator("dl").isVisible());
  await page.unroute("**/api/chat/stats");
  await page.button("Refresh").click();
  await problem.waitFor({ state: "detached" });
});

test("an admin adds an agent, renames, deactivates and activates them", async () => {
  const page = await admin();
  await page.view("Agents").click();
  await page.getByRole("heading", { name: "Agents", exact: true }).waitFor();
  await page.getByRole("textbox", { name: "Id" }).fill("dora");
  await page.getByRole("textbox", { name: "Name" }).fill("Dora Day");
  await page.button("Add an agent").click();
  const dora = page.locator(".agents > li").filter({ hasText: "dora" });
  await dora.getByText("Dora Day").waitFor();
  await dora.getByText("Offline").waitFor();
  assert.equal((await agent("dora")).displayName, "Dora Day");
  assert.equal(await page.getByRole("textbox", { name: "Id" }).inputValue(), "");

  await page.getByRole("textbox", { name: "Id" }).fill("dora");
  await page.button("Add an agent").click();
  await page.getByText("There is an agent with the id dora already.").waitFor();

  await dora.getByRole("button", { name: "Rename" }).click();
  const name = dora.getByRole("textbox", { name: "Name" });
  assert.equal(await name.inputValue(), "Dora Day");
  await until(() => name.evaluate((element) => element === document.activeElement), { what: "the focus in the name" });
  await page.keyboard.press("Escape");
  await until(
    () => dora.getByRole("button", { name: "Rename" }).evaluate((element) => element === document.activeElement),
    { what: "the focus back at Rename" },
  );
  await page.keyboard.press("Enter");
  await name.fill("Dora Night");
  await page.keyboard.press("Enter");
  await dora.getByText("Dora Night").waitFor();
  assert.equal((await agent("dora")).displayName, "Dora Night");

  await dora.getByRole("button", { name: "Deactivate" }).click();
  await dora.getByText("will be refused everywhere").waitFor();
  await dora.getByRole("button", { name: "Cancel" }).click();
  assert.equal((await agent("dora")).active, true);
  await dora.getByRole("button", { name: "Deactivate" }).click();
  await dora.getByRole("button", { name: "Deactivate" }).click();
  await dora.getByText("Deactivated").waitFor();
  assert.equal((await agent("dora")).active, false);
  // While it is done, the focus stays.
  /** @type {() => void} */
  let go = () => {};
  const gone = new Promise((resolve) => (go = () => resolve(null)));
  await page.route(/\/agents\/dora$/, async (route) => {
    await gone;
    await route.continue();
  });
  const activate = dora.getByRole("button", { name: "Activate" });
  await activate.focus();
  await page.keyboard.press("Enter");
  await until(() => dora.locator("[aria-disabled=true], :disabled").first().isVisible(), { what: "that it is done" });
  assert.ok(await activate.evaluate((button) => button === document.activeElement));
  go();
  await dora.getByRole("button", { name: "Deactivate" }).waitFor();
  assert.equal((await agent("dora")).active, true);
});

test("an agent who is here is shown as online, and is signed out everywhere by an admin", async () => {
  await world.agent("erik", "Erik");
  const erik = await world.console({ as: "erik", faults: true });
  await erik.view("Mine").waitFor();
  const page = await admin();
  await page.view("Agents").click();
  const row = page.locator(".agents > li").filter({ hasText: "Erik" });
  await row.getByText("Online").waitFor({ timeout: 60_000 });
  await row.getByRole("button", { name: "Sign out everywhere" }).click();
  await row.getByText("All tokens that Erik has now").waitFor();
  await row.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByText("Erik is signed out everywhere.").first().waitFor();
  await erik.getByRole("textbox", { name: "Token" }).waitFor({ timeout: 60_000 });
});

test("an agent is offered neither page", async () => {
  const bob = await world.console();
  await bob.view("Waiting").waitFor();
  assert.equal(await bob.view("Statistics").count(), 0);
  assert.equal(await bob.view("Agents").count(), 0);
  assert.equal(await bob.view("All").count(), 0);
});

test("a page that could not be loaded can be asked for again", async () => {
  const page = await world.console({ as: "root", role: "admin", faults: true });
  await page.view("Waiting").waitFor();
  await page.route("**/pages.js*", (route) => route.fulfill({ status: 503 }), { times: 1 });
  await page.view("Agents").click();
  await page.getByText("The page could not be loaded.").waitFor();
  await page.button("Retry").click();
  await page.getByRole("heading", { name: "Agents", exact: true }).waitFor();
});

test("a page that an updated server does not have leads to the console of that server", async () => {
  const page = await world.console({ as: "root", role: "admin", faults: true });
  await page.view("Waiting").waitFor();
  await page.route("**/pages.js*", (route) => route.fulfill({ status: 404 }));
  await page.view("Agents").click();
  await page.button("Retry").click();
  await page.unroute("**/pages.js*");
  await page.button("Reload the console").click();
  await page.getByRole("heading", { name: "Agents", exact: true }).waitFor();
});
