/** The open session: what its header offers, who may write in it, when it is read, and what is put into it. */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { PICTURE } from "../../widget/test/fixtures.js";
import { createWorld, until } from "./support.js";

const world = await createWorld();

/** How many messages support has not read. @param {{ id: string }} session */
async function unreadOf({ id }) {
  const { items } = await world.server.call(world.server.tokens.root, "GET", "/api/chat/inbox?view=assigned&limit=100");
  return items.find((/** @type {{ id: string }} */ item) => item.id === id)?.unreadCount;
}

/** The buttons of the thread, but for those of its messages and its box. @param {import("playwright-core").Page} page */
const offered = (page) =>
  page.locator(".thread").evaluate((thread) =>
    [...thread.querySelectorAll(".thread-header button, .thread-end button")]
      .filter((button) => button.checkVisibility())
      .map((button) => button.textContent),
  );

test("a session that waits is read, and written in once it is claimed", async () => {
  await world.session("anna", { subject: "Wait for me", name: "Anna", messages: ["Anybody?"] });
  const page = await world.console({ as: "adam" });
  await page.view("Waiting").click();
  await page.row("Wait for me").click({ position: { x: 60, y: 12 } });
  await page.message("Anybody?").waitFor();
  const thread = page.locator(".thread");
  assert.equal(await thread.getByRole("heading").textContent(), "Anna");
  await thread.getByText("Waiting", { exact: true }).waitFor();
  await thread.getByText("Wait for me").waitFor();
  assert.equal(await page.box.count(), 0);
  assert.deepEqual(await offered(page), ["Details", "Claim"]);
  await thread.getByRole("button", { name: "Claim" }).click();
  await page.box.waitFor();
  await thread.getByText("Yours", { exact: true }).waitFor();
  await until(() => page.box.evaluate((box) => box === document.activeElement), { what: "the focus in the box" });
  assert.deepEqual(await offered(page), ["Transfer", "Close", "Details"]);
  await page.send("Here I am");
  await page.message("Here I am").getByText(/^(Sent|Delivered|Read)$/).waitFor();
});

test("an ended session says so, and what was being written is kept", async () => {
  const session = await world.session("bert", { subject: "Soon over", agent: "boris", messages: ["Hello"] });
  const page = await world.console({ as: "boris" });
  await page.row("Soon over").click();
  await page.message("Hello").waitFor();
  await page.box.fill("Almost fin");
  await session.close();
  await page.getByText(/^This session has ended: Today/).waitFor();
  assert.equal(await page.box.count(), 0);
  assert.deepEqual(await offered(page), ["Details"]);
  const stored = () => page.evaluate(() => Object.values(localStorage));
  assert.ok((await stored()).includes("Almost fin"));
  const draft = page.getByRole("textbox", { name: "Your draft, not sent" });
  assert.equal(await draft.inputValue(), "Almost fin");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.middle.getByRole("button", { name: "Copy" }).click();
  await page.getByText("The draft is copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "Almost fin");
  // Its row shows what was written, and not what was not sent.
  await page.view("Closed").click();
  await page.row("Soon over").getByText("Hello").waitFor();
  await page.row("Soon over").click();
  await draft.waitFor();
  await page.middle.getByRole("button", { name: "Delete" }).click();
  await draft.waitFor({ state: "detached" });
  assert.ok(!(await stored()).includes("Almost fin"));
  await until(() => page.evaluate(() => document.activeElement !== document.body), { what: "the focus" });
});

test("an admin is offered what the server allows, and reads nothing in the place of the agent", async () => {
  const mine = await world.session("carl", { subject: "With cleo", agent: "cleo", messages: ["For Cleo"] });
  await world.session("carla", { subject: "Without an agent", messages: ["For no agent"] });
  const context = await world.browser.newContext();
  after(() => context.close());
  /** @type {string[]} */
  const frames = [];
  context.on("page", (page) =>
    page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => frames.push(String(payload)))),
  );
  const page = await world.console({ as: "root", role: "admin", context });
  await page.view("Assigned").click();
  await page.row("With cleo").click();
  await page.message("For Cleo").waitFor();
  assert.deepEqual(await offered(page), ["Transfer", "Close", "Details"]);
  await page.send("From above");
  await page.message("From above").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  // What is read is said in the same second as what has arrived.
  await until(() => frames.some((frame) => frame.includes('"ack"')), { what: "the receipt of delivery" });
  assert.deepEqual(frames.filter((frame) => frame.includes('"read"')), []);
  assert.equal(await unreadOf(mine), 1);
  await page.view("Waiting").click();
  await page.row("Without an agent").click({ position: { x: 60, y: 12 } });
  await page.message("For no agent").waitFor();
  assert.deepEqual(await offered(page), ["Assign", "Close", "Details"]);
  // The agent sees who has written for support.
  const agent = await world.console({ as: "cleo" });
  await agent.row("With cleo").click();
  await agent.message("From above").getByText("root").waitFor();
  await until(async () => (await unreadOf(mine)) === 0, { what: "the read receipt" });
});

test("a session is read only while the window is seen, has the focus, and shows its end", async () => {
  const session = await world.session("dan", { subject: "Read me", agent: "doro", messages: 40 });
  const page = await world.console({ as: "doro" });
  /** @param {boolean} hasFocus @param {boolean} isVisible */
  const set = (hasFocus, isVisible) =>
    page.evaluate(
      ([hasFocus, isVisible]) => {
        document.hasFocus = () => Boolean(hasFocus);
        Object.defineProperty(document, "visibilityState", { configurable: true, value: isVisible ? "visible" : "hidden" });
        document.dispatchEvent(new Event("visibilitychange"));
        window.dispatchEvent(new Event(hasFocus ? "focus" : "blur"));
      },
      [hasFocus, isVisible],
    );
  /** Writes, and waits until the message is shown. @param {string} text */
  const write = async (text) => {
    await session.write(text);
    await page.message(text).waitFor({ state: "attached" });
    // Reading is said within a second; the row would lose its count.
    await page.row("Read me").getByText("1 unread").waitFor();
  };
  await page.row("Read me").click();
  await page.message("Message 40").waitFor();
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });

  await set(false, true);
  await write("Without focus");
  assert.equal(await unreadOf(session), 1);
  await set(true, true);
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });

  await set(true, false);
  await write("Unseen");
  assert.equal(await unreadOf(session), 1);
  await set(true, true);
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });

  await page.log.evaluate((box) => (box.scrollTop = 300));
  await page.message("Message 5").first().waitFor();
  await write("Below");
  assert.equal(await unreadOf(session), 1);
  await page.log.evaluate((box) => (box.scrollTop = box.scrollHeight));
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });
});

test("where the screen is narrow, what the details cover is not read", async () => {
  const session = await world.session("ede", { subject: "Narrow", agent: "elsa", messages: ["Hello"] });
  const page = await world.console({ as: "elsa" });
  await page.row("Narrow").click();
  await page.message("Hello").waitFor();
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });
  for (const width of [360, 900]) {
    await page.setViewportSize({ width, height: 700 });
    await page.button("Details").click();
    await page.getByText("Customer ID").waitFor();
    await session.write(`Covered at ${width}`);
    await page.locator(".log").getByText(`Covered at ${width}`).waitFor({ state: "attached" });
    await until(async () => (await unreadOf(session)) === 1, { what: "the unread message" });
    await page.locator(".side").getByRole("button", { name: "Back" }).click();
    // It was new when it came, and is read now.
    await page.message(`Covered at ${width}`).getByText("New since you were here").waitFor();
    await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });
  }
  await page.setViewportSize({ width: 360, height: 700 });
  await page.locator(".thread").getByRole("button", { name: "Back" }).click();
  await page.row("Narrow").waitFor();
  await page.box.waitFor({ state: "detached" });
});

test("who types is shown by name, and nothing moves for it", async () => {
  const session = await world.session("fred", { subject: "Typing", agent: "fanny", messages: ["Hello"] });
  const page = await world.console({ as: "fanny" });
  await page.row("Typing").click();
  await page.message("Hello").waitFor();
  const before = await page.box.boundingBox();
  const admin = await world.console({ as: "root", role: "admin", path: `/s/${session.id}` });
  await admin.message("Hello").waitFor();
  await admin.box.pressSequentially("I");
  await page.locator(".thread").getByText("root is typing…").waitFor();
  assert.deepEqual(await page.box.boundingBox(), before);
  await admin.box.fill("");
  await page.locator(".thread").getByText("root is typing…").waitFor({ state: "detached" });
});

test("files are pasted and dropped, and pictures open in full size", async () => {
  await world.session("gus", { subject: "Files", agent: "gabi", messages: ["Show me"] });
  const page = await world.console({ as: "gabi" });
  await page.row("Files").click();
  await page.message("Show me").waitFor();
  const { buffer, mimeType } = PICTURE("pasted.png");
  /** @param {"paste" | "drop"} kind @param {string} name */
  const give = (kind, name) =>
    page.evaluate(
      ({ kind, name, bytes, mimeType }) => {
        const files = new DataTransfer();
        files.items.add(new File([Uint8Array.from(bytes)], name, { type: mimeType }));
        const event =
          kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: files, bubbles: true, cancelable: true })
            : new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
        document.querySelector(kind === "paste" ? ".thread textarea" : ".thread .log")?.dispatchEvent(event);
      },
      { kind, name, bytes: [...buffer], mimeType },
    );
  await give("paste", "pasted.png");
  await give("drop", "dropped.png");
  // Where nothing takes a file, the browser must not open it in the place of the page.
  const isKept = await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["x"], "x.txt"));
    const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
    return !document.querySelector(".list-column")?.dispatchEvent(event);
  });
  assert.equal(isKept, true);
  const waiting = page.getByRole("list", { name: "Files to send" });
  await waiting.getByText("pasted.png").waitFor();
  await waiting.getByText("dropped.png").waitFor();
  await page.send("Both");
  const sent = page.message("Both");
  await sent.getByText(/^(Sent|Delivered|Read)$/).waitFor();
  await sent.getByRole("button", { name: "Open picture dropped.png" }).click();
  const lightbox = page.getByRole("dialog", { name: "Picture" });
  await lightbox.getByRole("img", { name: "dropped.png" }).waitFor();
  await page.keyboard.press("Escape");
  await lightbox.waitFor({ state: "detached" });
  // The thread is still open: Escape was the lightbox's.
  await page.box.waitFor();
});

test("what comes while a picture covers everything is read when it is closed", async () => {
  const session = await world.session("guido", { subject: "Covered", agent: "greta", messages: ["Look"] });
  const page = await world.console({ as: "greta" });
  await page.row("Covered").click();
  await page.message("Look").waitFor();
  const picker = page.locator(".thread input[type=file]").first();
  await picker.setInputFiles(PICTURE("large.png"));
  await page.send("Mine");
  await page.message("Mine").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  await page.getByRole("button", { name: "Open picture large.png" }).click();
  const lightbox = page.getByRole("dialog", { name: "Picture" });
  await lightbox.waitFor();
  await session.write("Behind it");
  await page.row("Behind it").getByText("1 unread").waitFor({ state: "attached" });
  assert.equal(await unreadOf(session), 1);
  await page.keyboard.press("Escape");
  await until(async () => (await unreadOf(session)) === 0, { what: "the read receipt" });
});

test("what is pasted from an office program is its text, and a file is one also when its name comes along", async () => {
  await world.session("gina", { subject: "Tables", agent: "gerrit", messages: ["Numbers?"] });
  const page = await world.console({ as: "gerrit" });
  await page.row("Tables").click();
  await page.message("Numbers?").waitFor();
  const { buffer, mimeType } = PICTURE("pasted.png");
  /** Whether the box leaves it to the browser. @param {string} name @param {Record<string, string>} texts */
  const paste = (name, texts) =>
    page.evaluate(
      ({ name, bytes, mimeType, texts }) => {
        const clipboardData = new DataTransfer();
        for (const [type, text] of Object.entries(texts)) clipboardData.setData(type, text);
        clipboardData.items.add(new File([Uint8Array.from(bytes)], name, { type: mimeType }));
        const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
        return document.querySelector(".thread textarea")?.dispatchEvent(event);
      },
      { name, bytes: [...buffer], mimeType, texts },
    );
  assert.equal(await paste("cells.png", { "text/plain": "1\t2", "text/html": "<table></table>" }), true);
  assert.equal(await paste("finder.png", { "text/plain": "finder.png" }), false);
  assert.equal(await paste("web.png", { "text/html": "<img>" }), false);
  const waiting = page.getByRole("list", { name: "Files to send" });
  await waiting.getByText("web.png").waitFor();
  await waiting.getByText("finder.png").waitFor();
  assert.equal(await waiting.getByText("cells.png").count(), 0);
});

test("Enter while an input method composes sends nothing, and Shift with Enter breaks the line", async () => {
  const session = await world.session("hugo", { subject: "Composed", agent: "hilde", messages: ["Hello"] });
  const page = await world.console({ as: "hilde" });
  await page.row("Composed").click();
  await page.message("Hello").waitFor();
  await page.box.focus();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Input.imeSetComposition", { text: "にほん", selectionStart: 3, selectionEnd: 3 });
  const enter = { key: "Enter", code: "Enter", windowsVirtualKeyCode: 229 };
  await devtools.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...enter });
  await devtools.send("Input.insertText", { text: "日本" });
  assert.equal(await page.box.inputValue(), "日本");
  assert.equal(await page.messages.count(), 1);
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("x");
  assert.equal(await page.box.inputValue(), "日本\nx");
  await page.keyboard.press("Enter");
  await page.message("日本").waitFor();
  await until(async () => (await session.messages()).length === 2);
});

test("a thread without messages says so, and so does a link to no session", async () => {
  await world.session("ines", { subject: "Nothing yet", agent: "ivan" });
  const page = await world.console({ as: "ivan", faults: true });
  await page.row("Nothing yet").click();
  const thread = page.locator(".thread");
  await thread.getByText("No messages yet").waitFor();
  await page.send("The first");
  await page.message("The first").getByText(/^(Sent|Delivered|Read)$/).waitFor();
  await page.evaluate(() => location.assign("#/s/01890a5d-ac96-774b-bcce-b302099a8057"));
  await thread.getByText("There is no such session.").waitFor();
  await thread.getByRole("button", { name: "Back to the list" }).click();
  await page.row("Nothing yet").waitFor();
  await thread.waitFor({ state: "detached" });
});
