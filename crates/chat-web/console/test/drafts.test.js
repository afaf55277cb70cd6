/** What is typed and what waits to be sent: for each session by itself, and never lost. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PICTURE } from "../../widget/test/fixtures.js";
import { createWorld, until } from "./support.js";

const world = await createWorld();

/** Two sessions of an agent, and the agent's page. @param {string} agent @param {import("./support.js").Desk} [desk] */
async function twoSessions(agent, desk = {}) {
  const a = await world.session(`${agent}-anna`, { subject: `Apples ${agent}`, agent, messages: ["About apples"] });
  const b = await world.session(`${agent}-bert`, { subject: `Bread ${agent}`, agent, messages: ["About bread"] });
  const page = await world.console({ as: agent, ...desk });
  return {
    a,
    b,
    page,
    async toA() {
      await page.row(`Apples ${agent}`).click();
      await page.message("About apples").waitFor();
    },
    async toB() {
      await page.row(`Bread ${agent}`).click();
      await page.message("About bread").waitFor();
    },
  };
}

test("a draft for each session survives switching, a reload and a crash of the page", async () => {
  const { page, toA, toB } = await twoSessions("dora");
  await toA();
  await page.box.fill("For Anna\nin two lines");
  await toB();
  assert.equal(await page.box.inputValue(), "");
  await page.box.fill("For Bert");
  await toA();
  assert.equal(await page.box.inputValue(), "For Anna\nin two lines");
  await page.reload();
  await page.message("About apples").waitFor();
  assert.equal(await page.box.inputValue(), "For Anna\nin two lines");
  await page.box.press("End");
  await page.box.pressSequentially("!");
  // A crash has no time to store anything.
  const crashed = page.waitForEvent("crash");
  await Promise.all([crashed, page.goto("chrome://crash").catch(() => {})]);
  const second = await world.console({ as: "dora", context: page.context() });
  await second.row("Apples dora").click();
  await until(async () => (await second.box.inputValue()) === "For Anna\nin two lines!", { what: "the draft of Anna" });
  await second.row("Bread dora").click();
  await until(async () => (await second.box.inputValue()) === "For Bert", { what: "the draft of Bert" });
});

test("who types and switches fast mixes nothing", async () => {
  const { page, toA, toB } = await twoSessions("erik");
  await toA();
  await toB();
  // In the page, so that letters come also between the click and the picture that follows it: what is typed belongs to the
  // session that is shown at that moment.
  const typed = await page.evaluate(async () => {
    const typed = { Apples: "", Bread: "" };
    const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
    const row = (/** @type {string} */ subject) =>
      [...document.querySelectorAll("a")].find((link) => link.closest("li") && link.textContent?.includes(subject));
    for (const [at, letter] of [...letters].entries()) {
      if (at % 3 === 0) row(at % 2 ? "Bread" : "Apples")?.click();
      if (at % 4 === 1) await new Promise(requestAnimationFrame);
      const shown = document.querySelector(".thread-subject")?.textContent?.includes("Apples") ? "Apples" : "Bread";
      const box = /** @type {HTMLTextAreaElement} */ (document.querySelector(".thread textarea"));
      box.focus();
      box.setSelectionRange(box.value.length, box.value.length);
      document.execCommand("insertText", false, letter);
      typed[shown] += letter;
    }
    return typed;
  });
  assert.ok(typed.Apples && typed.Bread);
  await toA();
  await until(async () => (await page.box.inputValue()) === typed.Apples, { what: "the draft of the first" });
  await toB();
  await until(async () => (await page.box.inputValue()) === typed.Bread, { what: "the draft of the second" });
});

test("files that wait in the box are still there after switching", async () => {
  const { page, toA, toB } = await twoSessions("fritz");
  await toA();
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.getByRole("button", { name: "Attach files" }).click(),
  ]);
  await chooser.setFiles(PICTURE("apple.png"));
  const files = page.getByRole("list", { name: "Files to send" });
  await files.getByText("apple.png").waitFor();
  await toB();
  await files.waitFor({ state: "hidden" });
  await toA();
  await files.getByText("apple.png").waitFor();
  await page.send("With a picture");
  await page.message("With a picture").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  await page.message("With a picture").getByRole("button", { name: "Open picture apple.png" }).waitFor();
});

test("files that wait are still there when the session was away for a while", async () => {
  await world.agent("felix", "Felix");
  const { a, page, toA } = await twoSessions("fred");
  await toA();
  await page.locator(".composer input[type=file]").first().setInputFiles(PICTURE("apple.png"));
  const files = page.getByRole("list", { name: "Files to send" });
  await files.getByText("apple.png").waitFor();
  await world.server.call(world.server.tokens.root, "PUT", `${a.path}/transfer`, { agentId: "felix" });
  await page.box.waitFor({ state: "hidden" });
  await world.server.call(world.server.tokens.root, "PUT", `${a.path}/transfer`, { agentId: "fred" });
  await toA();
  await files.getByText("apple.png").waitFor();
});

test("another window of the same person shows the draft, and what it sends empties the box here", async () => {
  const { page, toA } = await twoSessions("gerd");
  await toA();
  const second = await world.console({ as: "gerd", context: page.context() });
  await second.row("Apples gerd").click();
  await second.message("About apples").waitFor();
  await second.box.fill("Written there");
  await until(async () => (await page.box.inputValue()) === "Written there", { what: "the draft in the other window" });
  await second.box.press("Enter");
  await page.message("Written there").waitFor();
  await until(async () => (await page.box.inputValue()) === "", { what: "the empty box" });
});

test("a transfer by another person closes the thread, and the draft is kept", async () => {
  await world.agent("heidi", "Heidi");
  const { a, page, toA } = await twoSessions("hans");
  await toA();
  await page.box.fill("Half a sent");
  await world.server.call(world.server.tokens.root, "PUT", `${a.path}/transfer`, { agentId: "heidi" });
  await page.box.waitFor({ state: "hidden" });
  await page.getByText("Your draft is kept").first().waitFor();
  await world.server.call(world.server.tokens.root, "PUT", `${a.path}/transfer`, { agentId: "hans" });
  await page.row("Apples hans").click();
  await page.message("About apples").waitFor();
  assert.equal(await page.box.inputValue(), "Half a sent");
});

test("a message that waits in one session holds up no other, and is still there after switching and a reload", async () => {
  const { a, b, page, toA, toB } = await twoSessions("ida", { faults: true });
  await toA();
  let isBroken = true;
  await page.route(`**${a.path}/messages`, (route) =>
    isBroken && route.request().method() === "POST" ? route.abort() : route.continue(),
  );
  await page.send("Stuck");
  const stuck = page.message("Stuck");
  await stuck.getByText(/^(Queued|Sending)$/).waitFor();
  await toB();
  assert.equal(await page.message("Stuck").count(), 0);
  await page.send("Through");
  await page.message("Through").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  await until(async () => (await b.messages()).some(({ content }) => content === "Through"));
  await toA();
  await stuck.getByText(/^(Queued|Sending)$/).waitFor();
  await page.reload();
  await page.message("About apples").waitFor();
  await stuck.getByText(/^(Queued|Sending)$/).waitFor();
  isBroken = false;
  await stuck.getByText(/^(Sent|Delivered|Read)$/).waitFor();
  const sent = (await a.messages()).filter(({ content }) => content === "Stuck");
  assert.equal(sent.length, 1);
});

test("a message that was refused says why, and can be sent again, changed or removed", async () => {
  const { a, page, toA, toB } = await twoSessions("jens", { faults: true });
  await toA();
  let isRefused = true;
  await page.route(`**${a.path}/messages`, (route) => {
    if (!isRefused || route.request().method() !== "POST") return route.continue();
    const error = { code: "VALIDATION_FAILED", message: "no", details: [] };
    return route.fulfill({ status: 400, json: { success: false, message: "no", error } });
  });
  for (const text of ["First", "Second", "Third"]) await page.send(text);
  for (const text of ["First", "Second", "Third"]) await page.message(text).getByText("Failed").waitFor();
  await toB();
  await toA();
  await page.reload();
  for (const text of ["First", "Second", "Third"]) await page.message(text).getByText("Failed").waitFor();
  await page.message("Third").getByRole("button", { name: "Delete" }).click();
  await page.message("Third").waitFor({ state: "detached" });
  await page.box.fill("draft");
  await page.message("Second").getByRole("button", { name: "Edit" }).click();
  await page.message("Second").waitFor({ state: "detached" });
  assert.equal(await page.box.inputValue(), "Second\ndraft");
  isRefused = false;
  await page.message("First").getByRole("button", { name: "Retry" }).click();
  await page.message("First").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  await page.box.press("Enter");
  await page.message("Second").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  assert.deepEqual((await a.messages()).map(({ content }) => content), ["About apples", "First", "Second\ndraft"]);
});

test("messages that wait when a session is taken away become a draft, whether it is open or not", async () => {
  await world.agent("karla", "Karla");
  const { a, page, toA, toB } = await twoSessions("karl", { faults: true });
  await page.route(`**${a.path}/messages`, (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  const give = (/** @type {string} */ agentId) =>
    world.server.call(world.server.tokens.root, "PUT", `${a.path}/transfer`, { agentId });
  for (const isOpen of [true, false]) {
    await toA();
    await page.box.fill("");
    for (const text of ["One of them", "The other one"]) {
      await page.send(text);
      await page.message(text).getByText(/^(Queued|Sending)$/).waitFor();
    }
    // It has the words of a message, but not as a line.
    await page.box.fill("Not One of them");
    if (!isOpen) await toB();
    await give("karla");
    const notice = page.getByText("2 messages in “Apples karl” were not sent. They are kept as your draft.");
    await notice.waitFor();
    if (isOpen) {
      await page.evaluate((id) => location.assign(`#/s/${id}`), a.id);
      const draft = page.getByRole("textbox", { name: "Your draft, not sent" });
      assert.equal(await draft.inputValue(), "One of them\nThe other one\nNot One of them");
    }
    await give("karl");
    await toA();
    assert.equal(await page.box.inputValue(), "One of them\nThe other one\nNot One of them");
    assert.equal(await page.message("One of them").count(), 0);
    await page.getByRole("button", { name: "Dismiss" }).first().click();
  }
  assert.equal((await a.messages()).length, 1);
});

test("a session that has come back opens at once, although the list does not know it yet", async () => {
  let isHeld = false;
  const { a, page, toA, toB } = await twoSessions("kim", {
    beforeOpening: (page) =>
      page.routeWebSocket(/\/ws\/chat/, (socket) => {
        const server = socket.connectToServer();
        server.onMessage((frame) => {
          if (!isHeld || !String(frame).includes('"inbox_update"')) socket.send(frame);
        });
      }),
  });
  await world.agent("karla", "Karla");
  const give = (/** @type {string} */ agentId) =>
    world.server.call(world.server.tokens.root, "PUT", `${a.path}/transfer`, { agentId });
  await toA();
  await toB();
  await give("karla");
  await page.row("Apples kim").getByText("No longer here").waitFor();
  isHeld = true;
  await give("kim");
  await toA();
});

test("a message that fails in a session that is not open is said with its subject, and its row says so", async () => {
  const { a, page, toA, toB } = await twoSessions("lena", { faults: true });
  await toA();
  let refuse = () => {};
  const isDue = new Promise((resolve) => (refuse = () => resolve(undefined)));
  await page.route(`**${a.path}/messages`, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    await isDue;
    const error = { code: "VALIDATION_FAILED", message: "no", details: [] };
    await route.fulfill({ status: 400, json: { success: false, message: "no", error } });
  });
  await page.send("Doomed");
  await page.message("Doomed").getByText(/^(Queued|Sending)$/).waitFor();
  await toB();
  refuse();
  await page.getByRole("alert").getByText("A message in “Apples lena” was not sent.").waitFor();
  await page.row("Apples lena").getByText("Not sent").waitFor();
  assert.equal(await page.row("Bread lena").getByText("Not sent").count(), 0);
  await toA();
  await page.message("Doomed").getByRole("button", { name: "Delete" }).click();
  await page.row("Apples lena").getByText("Not sent").waitFor({ state: "hidden" });
});

test("a message whose files are too many together with those in the box stays as it is when it is changed", async () => {
  const { a, page, toA } = await twoSessions("mia", { faults: true });
  await toA();
  await page.route(`**${a.path}/messages`, (route) => {
    if (route.request().method() !== "POST") return route.continue();
    const error = { code: "VALIDATION_FAILED", message: "no", details: [] };
    return route.fulfill({ status: 400, json: { success: false, message: "no", error } });
  });
  const picker = page.locator(".composer input[type=file]").first();
  const waiting = page.getByRole("list", { name: "Files to send" });
  await picker.setInputFiles(PICTURE("precious.png"));
  await waiting.getByText("precious.png").waitFor();
  await page.send("With a file");
  const message = page.message("With a file");
  await message.getByText("Failed").waitFor();
  await picker.setInputFiles(Array.from({ length: 10 }, (_, at) => PICTURE(`other-${at}.png`)));
  await waiting.getByText("other-9.png").waitFor();
  await message.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("alert").getByText(/precious\.png/).waitFor();
  await message.getByText("Failed").waitFor();
  assert.equal(await page.box.inputValue(), "");
  await page.getByRole("button", { name: "Remove other-0.png" }).click();
  await message.getByRole("button", { name: "Edit" }).click();
  await message.waitFor({ state: "detached" });
  await waiting.getByText("precious.png").waitFor();
  assert.equal(await page.box.inputValue(), "With a file");
});
