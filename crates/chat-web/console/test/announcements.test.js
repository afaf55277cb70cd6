/** What is said to people who do not see the page: news of the open thread, failures at once, and nothing else. */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { startProxy } from "../../pages/proxy.js";
import { createWorld, until } from "./support.js";

const world = await createWorld();

/** Collects what live regions say. Runs in the page. */
function collect() {
  /** @type {[string, string][]} */
  const spoken = [];
  Object.assign(window, { spoken });
  new MutationObserver((changes) => {
    for (const { addedNodes, target } of changes) {
      for (const node of addedNodes) {
        const live = target instanceof Element ? target.getAttribute("aria-live") : null;
        if (live && live !== "off" && node.textContent) spoken.push([live, node.textContent]);
      }
    }
  }).observe(document, { childList: true, subtree: true });
}

/** What live regions say from now on. @param {import("playwright-core").Page} page */
async function listen(page) {
  await page.evaluate(collect);
  return async () => {
    const all = /** @type {[string, string][]} */ (await page.evaluate("spoken"));
    return all.map(([live, text]) => `${live}: ${text}`);
  };
}

test("a message in the open thread is said once, politely, with its author; history and one's own are not", async () => {
  const open = await world.session("uma", { subject: "Open", name: "Uma", agent: "paul", messages: ["History"] });
  const other = await world.session("vera", { subject: "Other", name: "Vera", agent: "paul", messages: ["Elsewhere"] });
  const page = await world.console({ as: "paul" });
  await page.row("Other").waitFor();
  const spoken = await listen(page);
  await page.row("Open").click();
  await page.message("History").waitFor();
  assert.equal(await page.log.getAttribute("aria-live"), "off");
  await page.send("My own");
  await page.message("My own").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  await other.write("In the background");
  await page.row("In the background").waitFor();
  await open.write("News");
  await page.message("News").waitFor();
  await until(async () => (await spoken()).some((line) => line.includes("News")), { what: "the announcement" });
  // The other thread is history when it is opened.
  await page.row("Other").click();
  await page.message("In the background").waitFor();
  await other.write("More news");
  await page.message("More news").waitFor();
  await until(async () => (await spoken()).some((line) => line.includes("More news")), { what: "the announcement" });
  const messages = (await spoken()).filter((line) => /News|news|own|History|Elsewhere|background/.test(line));
  assert.deepEqual(messages, ["polite: Uma: News", "polite: Vera: More news"]);
});

test("many messages at once are said as a number", async () => {
  const open = await world.session("wim", { subject: "Flood", name: "Wim", agent: "quinn", messages: ["Begin"] });
  const proxy = await startProxy(world.server.port);
  after(() => proxy.close());
  const page = await world.console({ as: "quinn", origin: proxy.url, faults: true });
  await page.row("Flood").click();
  await page.message("Begin").waitFor();
  const spoken = await listen(page);
  // They come in one go, as after a time without a connection.
  proxy.stall();
  for (const text of ["One", "Two", "Three", "Four", "Five"]) await open.write(text);
  proxy.flow();
  await page.message("Five").waitFor();
  await until(async () => (await spoken()).some((line) => /Wim|new messages/.test(line)), { what: "the announcement" });
  const said = (await spoken()).filter((line) => /Wim:|new messages/.test(line));
  assert.deepEqual(said, ["polite: 5 new messages"]);
});

test("a message that was not sent is said at once, and only when it happens", async () => {
  const open = await world.session("xena", { subject: "Refused", agent: "rosa", messages: ["Begin"] });
  const page = await world.console({ as: "rosa", faults: true });
  await page.row("Refused").click();
  await page.message("Begin").waitFor();
  const spoken = await listen(page);
  await page.route(`**${open.path}/messages`, (route) => {
    if (route.request().method() !== "POST") return route.continue();
    const error = { code: "VALIDATION_FAILED", message: "no", details: [] };
    return route.fulfill({ status: 400, json: { success: false, message: "no", error } });
  });
  await page.send("Refuse me");
  await page.message("Refuse me").getByText("Failed").waitFor();
  const failures = async () => (await spoken()).filter((line) => line.includes("A message was not sent."));
  await until(async () => (await failures()).length === 1, { what: "the announcement" });
  assert.match((await failures())[0] ?? "", /^assertive: /);
  // After a reload it is history, and what fails then is not.
  await page.addInitScript(collect);
  await page.reload();
  await page.message("Refuse me").getByText("Failed").waitFor();
  await page.send("Refuse me too");
  await page.message("Refuse me too").getByText("Failed").waitFor();
  await until(async () => (await failures()).length > 0, { what: "the announcement" });
  assert.equal((await failures()).length, 1);
  // Sent again, it fails again.
  await page.message("Refuse me too").getByRole("button", { name: "Retry" }).click();
  await until(async () => (await failures()).length === 2, { what: "the announcement" });
});
