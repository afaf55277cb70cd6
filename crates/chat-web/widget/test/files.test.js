/** Files: how they get into a message, what is refused, and how they are shown. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { PICTURE } from "./fixtures.js";
import { createWorld, refusal, until } from "./support.js";

const world = await createWorld();

/** @param {string} user @param {Parameters<typeof world.visit>[1]} [options] */
async function chat(user, options) {
  const talk = await world.session(user);
  const visit = await world.visit({ user, csp: false }, options);
  await visit.open();
  await visit.box.waitFor();
  const picker = visit.panel.locator("input[type=file]").first();
  return { ...visit, talk, picker, chips: visit.panel.locator(".chip") };
}

test("19: files come from the picker, by paste and by drag, wait in the composer, and Enter sends them", async () => {
  const { page, picker, chips, box, panel, message, talk } = await chat("fay-1");
  await picker.setInputFiles([
    PICTURE("picked.png"),
    { name: "note.txt", mimeType: "text/plain", buffer: Buffer.from("note") },
  ]);
  await chips.nth(1).waitFor();
  /** @param {string} type @param {string} name @param {string} target */
  const transfer = (type, name, target) =>
    page.evaluate(
      ([type, name, target, bytes]) => {
        const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
        const data = new DataTransfer();
        data.items.add(
          new File([new Uint8Array(/** @type {number[]} */ (bytes))], String(name), { type: "image/png" }),
        );
        const init = { bubbles: true, cancelable: true, composed: true };
        const event =
          type === "paste"
            ? new ClipboardEvent("paste", { ...init, clipboardData: data })
            : new DragEvent(String(type), { ...init, dataTransfer: data });
        root.querySelector(String(target))?.dispatchEvent(event);
        return event.defaultPrevented;
      },
      /** @type {const} */ ([type, name, target, [...PICTURE(name).buffer]]),
    );
  assert.ok(await transfer("paste", "pasted.png", "textarea"));
  await chips.filter({ hasText: "pasted.png" }).waitFor();
  assert.ok(await transfer("dragover", "dropped.png", ".log-box, .notice"));
  assert.ok(await transfer("drop", "dropped.png", ".log-box, .notice"));
  await chips.filter({ hasText: "dropped.png" }).waitFor();
  await panel.getByRole("button", { name: "Remove note.txt" }).click();
  await box.fill("Files");
  await box.press("Enter");
  await message("Files").getByText("Sent").waitFor();
  assert.equal(await chips.count(), 0);
  const [stored] = (await talk.messages()).slice(-1);
  assert.deepEqual(
    stored.attachments.map((/** @type {any} */ { name }) => name),
    ["picked.png", "pasted.png", "dropped.png"],
  );
});

test("19: a phone offers its camera", async () => {
  const { panel, page } = await chat("fay-2", {
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
  });
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    panel.getByRole("button", { name: "Take a photo" }).click(),
  ]);
  const input = chooser.element();
  assert.equal(await input.getAttribute("capture"), "environment");
  assert.equal(await input.getAttribute("accept"), "image/*");
});

test("19: what the server would refuse is refused before it is uploaded", async () => {
  const { page, picker, panel, chips } = await chat("fay-3");
  let uploads = 0;
  page.on(
    "request",
    (request) => void (uploads += /attachments|messages/.test(request.url()) && request.method() === "POST" ? 1 : 0),
  );
  await picker.setInputFiles([
    { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) },
    PICTURE("fine.png"),
  ]);
  await panel.getByRole("alert").getByText("empty.txt is empty").waitFor();
  assert.equal(await chips.count(), 1);
  await page.evaluate(() => {
    const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(25 * 1024 * 1024 + 1)], "large.bin"));
    root
      .querySelector("textarea")
      ?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await panel.getByRole("alert").getByText("large.bin is larger than 25 MB").waitFor();
  await picker.setInputFiles(Array.from({ length: 10 }, (_, at) => PICTURE(`${at}.png`)));
  await panel.getByRole("alert").getByText("9.png: a message can have 10 files").waitFor();
  assert.equal(await chips.count(), 10);
  assert.equal(uploads, 0);
});

test("19: an upload shows its progress, can be cancelled, and a failed one can be repeated", async () => {
  const { page, picker, chips, box, message, messages, talk } = await chat("fay-4");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await devtools.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: 200_000,
  });
  const large = { name: "large.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(2_000_000, 1) };
  await picker.setInputFiles(large);
  await chips.first().waitFor();
  await box.fill("A large one");
  await box.press("Enter");
  await message("A large one").getByRole("progressbar").waitFor();
  await message("A large one").getByText("Sending").waitFor();
  await message("A large one").getByRole("button", { name: "Cancel" }).click();
  await until(async () => (await messages.count()) === 0);
  // It is in the composer again, with its file.
  assert.equal(await box.inputValue(), "A large one");
  await chips.getByRole("button", { name: "Remove large.bin" }).click();
  await until(async () => (await chips.count()) === 0);
  await devtools.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: -1,
  });
  await page.route("**/attachments", (route) => route.fulfill(refusal(400, "UPLOAD_QUOTA")));
  await picker.setInputFiles(PICTURE("again.png"));
  await chips.first().waitFor();
  await box.fill("Again");
  await box.press("Enter");
  await message("Again").getByText("Failed").waitFor();
  await page.unroute("**/attachments");
  await message("Again").getByRole("button", { name: "Retry" }).click();
  await message("Again").getByText("Sent").waitFor();
  const stored = await talk.messages();
  assert.deepEqual(
    stored.map(({ content }) => content),
    ["Again"],
  );
});

test("19: Edit of a message whose files do not all fit beside those that wait leaves all where it is", async () => {
  const { page, picker, chips, panel, box, message } = await chat("fay-8");
  const pictures = (/** @type {number} */ count) => Array.from({ length: count }, (_, at) => PICTURE(`${at}.png`));
  await page.route("**/attachments", (route) => route.fulfill(refusal(400, "UPLOAD_QUOTA")));
  await picker.setInputFiles(pictures(6));
  await chips.nth(5).waitFor();
  await box.fill("Six of them");
  await box.press("Enter");
  await message("Six of them").getByText("Failed").waitFor();
  await picker.setInputFiles(pictures(5));
  await chips.nth(4).waitFor();
  await box.fill("and more");
  const edit = message("Six of them").getByRole("button", { name: "Edit" });
  await edit.click();
  await panel.getByRole("alert").getByText("5.png: a message can have 10 files").waitFor();
  assert.equal(await chips.count(), 5);
  assert.equal(await box.inputValue(), "and more");
  await chips.last().getByRole("button").click();
  await edit.click();
  await chips.nth(9).waitFor();
  assert.equal(await box.inputValue(), "Six of them\nand more");
  await until(async () => (await message("Six of them").count()) === 0);
});

test("19: SVG and HTML are never rendered, and are downloaded as bytes", async () => {
  const { page, picker, chips, box, message, panel } = await chat("fay-5");
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="parent.hacked = 1"><script>parent.hacked = 1</script></svg>`;
  await picker.setInputFiles([
    { name: "a.svg", mimeType: "image/svg+xml", buffer: Buffer.from(svg) },
    { name: "b.html", mimeType: "text/html", buffer: Buffer.from("<script>parent.hacked = 1</script>") },
    // What it claims to be is a picture.
    { name: "c.png", mimeType: "image/png", buffer: Buffer.from(svg) },
  ]);
  await chips.nth(2).waitFor();
  await box.fill("Files");
  await box.press("Enter");
  await message("Files").getByText("Sent").waitFor();
  await until(async () => (await panel.locator(".file").count()) === 3);
  assert.equal(await panel.locator(".picture").count(), 0);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    panel.getByRole("button", { name: /a\.svg.*Download/ }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "a.svg");
  assert.equal(await readFile(await download.path(), "utf8"), svg);
  assert.equal(await page.evaluate("window.hacked"), undefined);
  assert.equal(page.context().pages().length, 1);
});

test("20: the lightbox has arrows, Escape, a download, and gives the focus back", async () => {
  const { page, picker, chips, box, message, panel } = await chat("fay-6");
  await picker.setInputFiles([PICTURE("one.png", 300, 200), PICTURE("two.png", 200, 300)]);
  await chips.nth(1).waitFor();
  await box.press("Enter");
  await message("Sent").waitFor();
  const first = panel.getByRole("button", { name: "Open picture one.png" });
  await first.press("Enter");
  const lightbox = page.getByRole("dialog", { name: "Picture" });
  const picture = lightbox.getByRole("img");
  await lightbox.getByText("1 of 2").waitFor();
  assert.equal(await lightbox.evaluate((element) => element.matches(":modal")), true);
  await page.keyboard.press("ArrowRight");
  await lightbox.getByText("2 of 2").waitFor();
  await page.keyboard.press("ArrowRight");
  await lightbox.getByText("1 of 2").waitFor();
  await lightbox.getByRole("button", { name: "Previous" }).click();
  await lightbox.getByText("two.png").waitFor();
  await until(
    async () => (await picture.evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalHeight)) === 300,
  );
  await lightbox.getByRole("button", { name: "Next" }).click();
  await lightbox.getByText("one.png").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    lightbox.getByRole("button", { name: "Download" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "one.png");
  assert.ok((await readFile(await download.path())).equals(PICTURE("one.png", 300, 200).buffer));
  await page.keyboard.press("Escape");
  await lightbox.waitFor({ state: "detached" });
  await panel.waitFor();
  assert.equal(await first.evaluate((element) => element.matches(":focus")), true);
});

test("20: in Arabic the arrows go the other way", async () => {
  await world.session("fay-7");
  const { page } = await world.visit({ user: "fay-7", data: { lang: "ar" } });
  const panel = page.locator("chat-widget .panel");
  await page.locator("chat-widget .launcher").click();
  await panel.locator(".composer textarea").waitFor();
  await panel
    .locator("input[type=file]")
    .first()
    .setInputFiles([PICTURE("one.png"), PICTURE("two.png"), PICTURE("three.png")]);
  await panel.locator(".chip").nth(2).waitFor();
  await panel.locator(".composer textarea").press("Enter");
  await panel.locator("button.picture").first().click();
  const name = page.locator("dialog .label");
  await until(async () => (await name.innerText()) === "one.png");
  await page.keyboard.press("ArrowLeft");
  await until(async () => (await name.innerText()) === "two.png");
});
