/** Addresses: links to sessions and lists, back and forward, and two windows. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();

test("a link opens a session, with the list that has it beside it", async () => {
  const mine = await world.session("ada", { subject: "Link mine", agent: "lin", messages: ["Mine here"] });
  const waiting = await world.session("ben", { subject: "Link waiting", messages: ["Waiting here"] });
  const page = await world.console({ as: "lin", path: `/s/${mine.id}` });
  await page.message("Mine here").waitFor();
  const second = await world.console({ as: "lin", context: page.context(), path: `/s/${waiting.id}` });
  await second.message("Waiting here").waitFor();
  await second.goto(`${world.server.url}/console#/s/${waiting.id}`);
  await second.reload();
  await second.message("Waiting here").waitFor();
  // Both windows stay where they are.
  assert.match(page.url(), new RegExp(`${mine.id}$`));
  await page.message("Mine here").waitFor();
  const third = await page.context().newPage();
  await third.goto(`${world.server.url}/console#/waiting`);
  await third.close();
});

test("a link to a waiting session shows the queue", async () => {
  const waiting = await world.session("cat", { subject: "Link queue", messages: ["I wait"] });
  const page = await world.console({ token: "", path: `/s/${waiting.id}` });
  await page.getByRole("textbox", { name: "Token" }).fill(world.server.mint("lea", { role: "agent" }));
  await page.button("Sign in").click();
  await page.message("I wait").waitFor();
  await page.row("Link queue").waitFor();
  assert.equal(await page.view("Waiting").getAttribute("aria-current"), "page");
});

test("back and forward lead through sessions and lists, and a reload stays", async () => {
  await world.session("dan", { subject: "Back one", agent: "bo", messages: ["First"] });
  await world.session("eva", { subject: "Back two", agent: "bo", messages: ["Second"] });
  const page = await world.console({ as: "bo" });
  await page.row("Back one").click();
  await page.message("First").waitFor();
  await page.row("Back two").click();
  await page.message("Second").waitFor();
  await page.view("Closed").click();
  await page.getByText("Sessions that have ended").waitFor();
  assert.match(page.url(), /#\/closed$/);
  await page.goBack();
  await page.message("Second").waitFor();
  await page.row("Back one").waitFor();
  await page.goBack();
  await page.message("First").waitFor();
  await page.goBack();
  await page.getByText("Choose a session").waitFor();
  assert.match(page.url(), /#\/mine$/);
  await page.goForward();
  await page.goForward();
  await page.message("Second").waitFor();
  await page.reload();
  await page.message("Second").waitFor();
  await page.goForward();
  await page.getByText("Sessions that have ended").waitFor();
});

test("a session that does not exist, or that one may not see, says so and leads back to the list", async () => {
  const others = await world.session("fay", { subject: "Secret", agent: "stranger" });
  // What the server refuses is named by the browser itself.
  const page = await world.console({ as: "guy", faults: true });
  for (const [id, text] of [
    ["00000000-0000-4000-8000-000000000000", "There is no such session."],
    ["nonsense", "There is no such session."],
    ["%E0%A4%A", "There is no such session."],
    [others.id, "This session is not yours."],
  ]) {
    await page.evaluate((hash) => location.assign(hash), `#/s/${id}`);
    await page.getByRole("region", { name: "Chat console" }).getByText(text ?? "").waitFor();
    assert.equal(await page.getByText("Secret").count(), 0);
    await page.button("Back to the list").click();
    await page.getByText("Choose a session").waitFor();
  }
});

test("an address of nothing leads to the first list, and one of a page for admins as well", async () => {
  const page = await world.console({ as: "hal" });
  await page.view("Mine").waitFor();
  for (const hash of ["#/nonsense", "#/statistics", "#x"]) {
    await page.evaluate((hash) => location.assign(hash), hash);
    await until(() => page.url().endsWith("#/mine"), { what: hash });
  }
});

test("an admin goes to statistics and agents and back to a list", async () => {
  await world.session("ike", { subject: "Admin one", messages: ["Hi"] });
  const page = await world.console({ as: "root", role: "admin" });
  await page.view("Statistics").click();
  await page.getByRole("heading", { name: "Statistics" }).waitFor();
  assert.match(page.url(), /#\/statistics$/);
  await page.view("Agents").click();
  await page.getByRole("heading", { name: "Agents" }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Statistics" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Statistics" }).waitFor();
  await page.view("Waiting").click();
  await page.row("Admin one").waitFor();
});

test("a link that is followed in an open console shows the list that has the session", async () => {
  const waiting = await world.session("jan", { subject: "Followed", messages: ["I wait too"] });
  const page = await world.console({ as: "jil" });
  await page.getByText("You have no sessions.").waitFor();
  await page.evaluate((id) => location.assign(`#/s/${id}`), waiting.id.toUpperCase());
  await page.message("I wait too").waitFor();
  await page.row("Followed").waitFor();
  assert.equal(await page.view("Waiting").getAttribute("aria-current"), "page");
  // The id is the same in capitals, and the address has it as all others.
  assert.equal(await page.row("Followed").getByRole("link").getAttribute("aria-current"), "true");
  assert.ok(page.url().endsWith(waiting.id));
});
