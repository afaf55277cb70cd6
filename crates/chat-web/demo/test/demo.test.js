/** The page of development mode: a customer's page and an agent's console that know of each other. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";

import { watch } from "../../pages/browser.js";
import { start } from "../../pages/server.js";
import { createWorld, hands, until } from "../../console/test/support.js";

const axe = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const PHONE = { width: 360, height: 740 };

/** A new server for each test, since alice has one browser. @param {import("playwright-core").BrowserContextOptions} [options] */
async function visit(options) {
  const world = await createWorld();
  const page = await (await world.browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })).newPage();
  const problems = watch(page);
  after(() => assert.deepEqual(problems, []));
  await page.goto(world.server.url);
  const customer = page.locator("chat-widget");
  const desk = page.getByRole("region", { name: "console" });
  await customer.locator(".launcher").waitFor();
  await desk.locator(".console").waitFor();
  return { ...world, page, customer, desk, problems };
}

/**
 * A conversation as a person who sees the page for the first time would begin it.
 *
 * @param {Awaited<ReturnType<typeof visit>>} visit
 */
async function talk({ customer, desk }) {
  await customer.getByRole("textbox", { name: "Subject" }).fill("Does the Olla fit a fern?");
  await customer.getByRole("textbox", { name: "Your message" }).fill("Mine is 30 cm high.");
  await customer.getByRole("button", { name: "Start chat" }).click();
  const { view, row, middle, box } = hands(/** @type {any} */ (desk));
  await view("Waiting").click();
  await row("Does the Olla fit").click();
  await middle.getByRole("button", { name: "Claim" }).click();
  await box.fill("It does.");
  await box.press("Enter");
  await customer.getByRole("listitem").filter({ hasText: "It does." }).waitFor();
}

test("what the customer writes is in the console, and the answer in the widget", async () => {
  const shown = await visit();
  await talk(shown);
  const { page, customer, desk } = shown;
  await customer.getByRole("textbox", { name: "Message", exact: true }).fill("Wonderful!");
  await customer.getByRole("textbox", { name: "Message", exact: true }).press("Enter");
  await desk.getByRole("log").getByText("Wonderful!").waitFor();
  // The console in it has no address and no title.
  assert.equal(page.url(), `${shown.server.url}/`);
  assert.equal(await page.title(), "Support chat: a demo");
});

test("the widget stays on the customer's side", async () => {
  const { page, customer } = await visit();
  const shop = await page.locator(".demo-customer").boundingBox();
  await customer.locator(".panel").waitFor();
  for (const part of [".launcher", ".panel"]) {
    const box = await customer.locator(part).boundingBox();
    assert.ok(shop && box);
    assert.ok(box.x >= shop.x && box.x + box.width <= shop.x + shop.width, `${part} is beside the shop`);
    assert.ok(box.y >= shop.y && box.y + box.height <= shop.y + shop.height, `${part} is above or below the shop`);
  }
});

test("the page says what one sees, has the lines for another page, and leads further", async () => {
  const { page, server } = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByText("Start a chat in the shop, claim it under Waiting").waitFor();
  const lines = (await page.locator("#snippet").innerText()).trim();
  assert.equal(lines.split("\n").length, 3);
  assert.ok(lines.startsWith(`<script async src="${server.url}/widget.js"></script>`), lines);
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByText("Copied").waitFor();
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), lines);
  for (const [name, path] of [
    ["The console alone", "/console"],
    ["API reference", "/docs/"],
  ]) {
    const link = page.getByRole("link", { name });
    assert.equal(await link.evaluate((element) => /** @type {HTMLAnchorElement} */ (element).href), server.url + path);
    assert.equal((await fetch(server.url + path)).status, 200);
  }
});

test("on a phone the windows are one below the other, and the chat covers the page while it is open", async () => {
  const { page, customer, desk } = await visit({ viewport: PHONE });
  const [shop, agents] = [await page.locator(".demo-customer").boundingBox(), await desk.boundingBox()];
  assert.ok(shop && agents && agents.y >= shop.y + shop.height);
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
  await customer.locator(".launcher").click();
  // It slides in.
  await until(async () => (await customer.locator(".panel").boundingBox())?.y === 0, { what: "the panel at the top" });
  assert.deepEqual(await customer.locator(".panel").boundingBox(), { x: 0, y: 0, ...PHONE });
  await customer.getByRole("button", { name: "Close the chat" }).click();
  await customer.locator(".panel").waitFor({ state: "hidden" });
  await desk.scrollIntoViewIfNeeded();
  const launcher = await customer.locator(".launcher").boundingBox();
  const below = await desk.boundingBox();
  assert.ok(launcher && below && launcher.y + launcher.height <= below.y, "the button is with the shop");
});

test("keys that are typed in the shop are none of the console's", async () => {
  const shown = await visit();
  await talk(shown);
  const { page, customer, desk } = shown;
  await customer.locator(".launcher").focus();
  for (const key of ["c", "t", "e", "?", "j"]) await page.keyboard.press(key);
  assert.equal(await page.locator("dialog[open]").count(), 0);
  await desk.getByRole("log").getByText("It does.").waitFor();
});

test("axe finds nothing in the demo, light, dark and in forced colours", async () => {
  for (const viewport of [{ width: 1280, height: 800 }, PHONE]) {
    const { page } = await visit({ viewport, reducedMotion: "reduce" });
    await page.evaluate(axe);
    for (const media of /** @type {const} */ ([
      { colorScheme: "light", forcedColors: "none" },
      { colorScheme: "dark", forcedColors: "none" },
      { colorScheme: "dark", forcedColors: "active" },
    ])) {
      await page.emulateMedia(media);
      const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run(document));
      const found = violations.map((/** @type {any} */ { id, nodes }) => [
        id,
        nodes.map((/** @type {any} */ node) => node.html),
      ]);
      assert.deepEqual(found, [], JSON.stringify(media));
    }
  }
});

test("a page under another name learns where the demo is", async () => {
  const { server, browser } = await createWorld();
  const page = await browser.newPage();
  // What a name of a network leads to, without one.
  await page.route("**/console/development-people", (route) => route.fulfill({ status: 404 }));
  await page.goto(server.url);
  await page.getByText(`http://localhost:${server.port}/`).first().waitFor();
});

test("an agent who is refused is not signed in again and again", async () => {
  const { server, browser } = await createWorld();
  await server.call(server.tokens.root, "PUT", "/api/chat/people/bob/block", {});
  const page = await browser.newPage();
  let signIns = 0;
  page.on("request", (request) => request.url().endsWith("/development-people") && signIns++);
  await page.goto(server.url);
  await page.getByText("does not let Bob in").waitFor();
  assert.ok(signIns <= 3, `${signIns} sign-ins`);
  // The customer has the chat all the same.
  await page.locator("chat-widget").getByRole("button", { name: "Start chat" }).waitFor();
});

test("who signs out in the console of the demo can sign in again there", async () => {
  const { page, desk } = await visit();
  await desk.getByRole("button", { name: "Sign out" }).click();
  await desk.getByText("Bob has signed out.").waitFor();
  assert.equal(await desk.locator(".console").count(), 0);
  await page.keyboard.press("Enter");
  await desk.getByText("You have no sessions").waitFor();
});

for (const [what, viewport] of /** @type {const} */ ([
  ["a small laptop", { width: 1366, height: 650 }],
  ["a phone", PHONE],
  ["a window at 200 %", { width: 683, height: 384 }],
])) {
  test(`on ${what} the page begins at its top, with the button of the chat in sight`, async () => {
    const { page, customer } = await visit({ viewport });
    const isOpen = viewport.width > 1000;
    assert.equal(await customer.locator(".launcher").getAttribute("aria-expanded"), String(isOpen));
    if (isOpen) await customer.getByRole("textbox", { name: "Subject" }).and(page.locator(":focus")).waitFor();
    assert.equal(await page.evaluate("scrollY"), 0);
    const launcher = await customer.locator(".launcher").boundingBox();
    assert.ok(launcher && launcher.y + launcher.height <= viewport.height, JSON.stringify(launcher));
    assert.equal(await customer.locator(".panel").isVisible(), isOpen);
  });
}

test("outside development mode the server's address leads to the console", async () => {
  const server = await start({ env: { CHAT_JWT_SECRET: "a secret of more than thirty-two bytes, for this test" } });
  try {
    const answer = await fetch(`${server.url}/`, { redirect: "manual", headers: { Accept: "text/html" } });
    assert.equal(answer.headers.get("location"), "console");
    assert.equal((await fetch(`${server.url}/console/development-people`)).status, 404);
  } finally {
    await server.stop();
  }
});
