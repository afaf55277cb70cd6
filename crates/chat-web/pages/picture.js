/**
 * Makes the picture of the README, `docs/pictures/demo.png`: the demo with a short conversation. Run it with
 * `node pages/picture.js` behind a build of the server, and look at what it has made.
 */

import { mkdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { hands } from "../console/test/support.js";
import { launch } from "./browser.js";
import { start } from "./server.js";

/** The README is loaded over slow lines too. */
const MOST_BYTES = 200 * 1024;

const file = fileURLToPath(new URL("../../../docs/pictures/demo.png", import.meta.url));
const server = await start();
const browser = await launch();
try {
  await others();
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  await page.goto(server.url);
  await conversation(page);
  await page.mouse.move(0, 0);
  await mkdir(fileURLToPath(new URL(".", `file://${file}`)), { recursive: true });
  await page.screenshot({ path: file });
  const { size } = await stat(file);
  console.log(`${file}: ${size} bytes`);
  if (size > MOST_BYTES) throw new Error(`the picture may have ${MOST_BYTES} bytes`);
} finally {
  await browser.close();
  await server.stop();
}

/** Customers with whom the agent has more to do. */
async function others() {
  const bob = server.mint("bob", { role: "agent", name: "Bob" });
  /** @type {[id: string, name: string, subject: string, text: string, answer: string][]} */
  const sessions = [
    ["mara", "Mara Lindt", "Invoice for the workshop", "Could you send me the invoice again?", "It is on its way to you."],
    ["tom", "Tom Okafor", "Glaze of the Trough", "Is the glaze safe for herbs?", ""],
    ["yuki", "Yuki Sato", "Delivery to Oslo", "Do you deliver to Norway?", ""],
  ];
  for (const [id, name, subject, text, answer] of sessions) {
    const customer = server.mint(id, { name });
    const session = await server.call(customer, "POST", "/api/chat/sessions", { subject });
    const path = `/api/chat/sessions/${session.id}`;
    const message = await server.call(customer, "POST", `${path}/messages`, { content: text });
    if (id === "yuki") continue;
    await server.call(bob, "PUT", `${path}/assign`, { agentId: "bob" });
    if (!answer) continue;
    await server.call(bob, "PUT", `${path}/read`, { messageIds: [message.id] });
    await server.call(bob, "POST", `${path}/messages`, { content: answer });
  }
}

/** @param {import("playwright-core").Page} page */
async function conversation(page) {
  const customer = page.locator("chat-widget");
  await customer.getByRole("textbox", { name: "Subject" }).fill("A pot for my fern");
  await customer.getByRole("textbox", { name: "Your message" }).fill("Hello! Is the Olla large enough for a fern of 30 cm?");
  await customer.getByRole("button", { name: "Start chat" }).click();

  const desk = page.getByRole("region", { name: "console" });
  const { view, row, middle, box } = hands(/** @type {import("playwright-core").Page} */ (/** @type {unknown} */ (desk)));
  await view("Waiting").click();
  await row("A pot for my fern").click();
  await middle.getByRole("button", { name: "Claim" }).click();
  for (const text of ["Hello Alice! For a fern of that size I would take the Half moon.", "Its roots have 4 cm more there."]) {
    await box.fill(text);
    await box.press("Enter");
    await customer.getByRole("listitem").filter({ hasText: text }).waitFor();
  }
  const answer = customer.getByRole("textbox", { name: "Message", exact: true });
  await answer.fill("Wonderful, thank you. I have ordered it just now.");
  await answer.press("Enter");
  await row("ordered it just now").waitFor();
  await customer.getByText("Read", { exact: true }).last().waitFor();
  await desk.getByRole("log").getByText("Read", { exact: true }).last().waitFor();
  // The port of a test is another one each time.
  const snippet = page.locator("#snippet");
  await snippet.evaluate((element, url) => {
    element.textContent = String(element.textContent).replace(url, "http://127.0.0.1:8080");
  }, server.url);
}
