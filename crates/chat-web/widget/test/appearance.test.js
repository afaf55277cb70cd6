/** How the widget looks and sounds, and how it is used without a mouse, on a phone, and at 400 %. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { createWorld, refusal, until } from "./support.js";
import { PICTURE } from "./fixtures.js";

const world = await createWorld();

const axe = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const PHONE = { width: 360, height: 740 };

/** The colours of a part as they are on the screen. @param {import("playwright-core").Locator} part */
const colours = (part) =>
  part.evaluate((element) => {
    /** @param {string} colour */
    const rgb = (colour) => {
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(1, 1).getContext("2d"));
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const { color, backgroundColor } = getComputedStyle(element);
    return { text: rgb(color), background: rgb(backgroundColor) };
  });

/** The contrast of two colours by WCAG 2. @param {number[]} a @param {number[]} b */
function contrast(a, b) {
  const luminance = (/** @type {number[]} */ colour) =>
    colour
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, at) => sum + value * /** @type {number} */ ([0.2126, 0.7152, 0.0722][at]), 0);
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}

test("5: text on any accent has a contrast of 4.5", async () => {
  const { page, launcher, open, message } = await world.visit({ user: "bea-1" });
  const { write } = await world.session("bea-1");
  await write("A bubble");
  await open();
  await message("A bubble").waitFor();
  const bubble = message("A bubble").locator(".bubble");
  const accents = ["#000", "#fff", "#777", "#767676", "#ff0", "#0f0", "#f00", "#00f", "#e11d48", "#f59e0b", "#0ea5e9"];
  for (let hue = 0; hue < 360; hue += 30)
    accents.push(`hsl(${hue} 90% 45%)`, `hsl(${hue} 50% 60%)`, `oklch(0.6 0.15 ${hue})`);
  for (const accent of accents) {
    await page.evaluate((value) => document.documentElement.style.setProperty("--chat-accent", value), accent);
    for (const part of [launcher, bubble]) {
      const { text, background } = await colours(part);
      assert.ok(contrast(text, background) >= 4.5, `${accent}: ${text} on ${background}`);
    }
  }
});

test("5: light, dark and auto, variables and parts", async () => {
  const css = `:root { --chat-accent: rgb(1, 2, 3); --chat-radius: 4px }
    chat-widget::part(bubble-own) { letter-spacing: 3px }`;
  const { write } = await world.session("bea-2");
  await write("A bubble");
  /** @param {Record<string, string>} data @param {"light" | "dark"} colorScheme */
  async function background(data, colorScheme) {
    const { open, panel, message, page } = await world.visit({ user: "bea-2", css, data }, { colorScheme });
    await open();
    await message("A bubble").waitFor();
    const bubble = message("A bubble").locator(".bubble");
    assert.equal(await bubble.evaluate((element) => getComputedStyle(element).letterSpacing), "3px");
    assert.equal(await bubble.evaluate((element) => getComputedStyle(element).borderStartStartRadius), "4px");
    assert.deepEqual((await colours(bubble)).background, [1, 2, 3]);
    const colour = (await colours(panel)).background;
    await page.context().close();
    return colour;
  }
  const [light, dark] = [await background({}, "light"), await background({}, "dark")];
  assert.ok(contrast(light, dark) > 12);
  assert.deepEqual(await background({ theme: "auto" }, "dark"), dark);
  assert.deepEqual(await background({ theme: "light" }, "dark"), light);
  assert.deepEqual(await background({ theme: "dark" }, "light"), dark);
});

for (const reducedMotion of /** @type {const} */ (["no-preference", "reduce"])) {
  test(`5: with the motion that a person wants (${reducedMotion}) ${reducedMotion === "reduce" ? "nothing" : "something"} moves`, async () => {
    const visit = await world.visit({ user: `bea-3-${reducedMotion}` }, { reducedMotion });
    await visit.launcher.waitFor();
    await visit.page.evaluate(() => {
      const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
      Object.assign(window, { moved: 0 });
      for (const name of ["animationstart", "transitionrun"]) {
        root.addEventListener(name, () => /** @type {any} */ (window).moved++);
      }
    });
    await visit.open();
    await visit.begin("Motion");
    await visit.send("One");
    await visit.message("One").getByText("Sent").waitFor();
    await visit.launcher.click();
    await visit.panel.waitFor({ state: "hidden" });
    // What has begun is reported with the next picture.
    await visit.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const moved = Number(await visit.page.evaluate("moved"));
    if (reducedMotion === "reduce") assert.equal(moved, 0);
    else assert.ok(moved > 0);
  });
}

test("6: the button has a name with the unread count, says whether it is open, and is large enough", async () => {
  const { say, write } = await world.session("bea-4");
  await write("Hello");
  const { page, open, launcher, panel } = await world.visit({ user: "bea-4" });
  assert.equal(await launcher.evaluate((element) => element.tagName), "BUTTON");
  await page.getByRole("button", { name: "Chat", exact: true, expanded: false }).waitFor();
  const box = await launcher.boundingBox();
  assert.ok(box && box.width >= 44 && box.height >= 44);
  await open();
  await page.getByRole("button", { name: "Chat", exact: true, expanded: true }).waitFor();
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
  await say("One");
  await say("Two");
  await page.getByRole("button", { name: "Chat, 2 unread", exact: true, expanded: false }).waitFor();
  assert.equal(await launcher.locator(".badge").innerText(), "2");
});

test("7: on a desktop the panel is a dialog that traps nothing, and Escape closes it", async () => {
  const { page, launcher, open, panel } = await world.visit({ user: "bea-5" });
  await open();
  await panel.getByRole("textbox").first().waitFor();
  assert.equal(await panel.getAttribute("aria-modal"), null);
  assert.equal(await page.evaluate("document.body.inert"), false);
  /** Where the focus is, in the widget or in the page. */
  const focused = () =>
    page.evaluate(() => {
      const inner = document.activeElement?.shadowRoot?.activeElement;
      return inner?.className ?? document.activeElement?.tagName ?? "";
    });
  assert.match(await focused(), /focus-first/);
  for (let presses = 0; presses < 12 && (await focused()) !== "A" && (await focused()) !== "BODY"; presses++) {
    await page.keyboard.press("Tab");
  }
  assert.match(await focused(), /^(?:A|BODY)$/);
  await panel.getByRole("textbox").first().focus();
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
  assert.equal(await launcher.evaluate((element) => element.matches(":focus")), true);
});

test("7 and 25: on a phone the panel is modal, and the page is as it was afterwards", async () => {
  const body = `<main style="height: 4000px"><a href="#x">A link</a></main>`;
  const css = "html { overflow-x: hidden }";
  const { page, open, panel } = await world.visit(
    { user: "bea-6", body, css, csp: false },
    { viewport: PHONE, reducedMotion: "reduce" },
  );
  await page.evaluate(() => {
    document.documentElement.style.setProperty("overflow", "auto");
    scrollTo(0, 700);
  });
  const before = await page.evaluate("document.documentElement.outerHTML");
  await open();
  // What makes it so is loaded when it is needed.
  await until(async () => (await panel.getAttribute("aria-modal")) === "true");
  assert.equal(await page.evaluate("document.body.inert"), true);
  assert.deepEqual(await panel.boundingBox(), { x: 0, y: 0, ...PHONE });
  await page.mouse.move(180, 20);
  await page.mouse.wheel(0, 500);
  assert.equal(await page.evaluate("scrollY"), 700);
  // The keyboard covers half of it: the visual viewport says so, and the composer stays above.
  await page.evaluate(() => {
    const viewport = /** @type {VisualViewport} */ (visualViewport);
    Object.defineProperty(viewport, "height", { value: 400, configurable: true });
    Object.defineProperty(viewport, "offsetTop", { value: 30, configurable: true });
    viewport.dispatchEvent(new Event("resize"));
  });
  assert.deepEqual(await panel.boundingBox(), { x: 0, y: 30, width: 360, height: 400 });
  await panel.getByRole("button", { name: "Close the chat" }).click();
  await panel.waitFor({ state: "hidden" });
  assert.equal(await page.evaluate("document.body.inert"), false);
  assert.equal(await page.evaluate("scrollY"), 700);
  assert.equal(await page.evaluate("document.documentElement.outerHTML"), before);
});

test("25: nothing goes sideways at 320 pixels and at 400 %", async () => {
  const { say } = await world.session("bea-7", { subject: "A".repeat(200) });
  await say(`${"long".repeat(200)} https://example.com/${"path/".repeat(60)}`);
  for (const viewport of [
    { width: 320, height: 568 },
    { width: 320, height: 200 },
  ]) {
    const { page, open, panel, message, box } = await world.visit({ user: "bea-7" }, { viewport });
    await open();
    await message("longlong").waitFor();
    const wide = await page.evaluate(() => {
      const root = /** @type {ShadowRoot} */ (document.querySelector("chat-widget")?.shadowRoot);
      const out = [...root.querySelectorAll(".panel, .panel *")].filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        // What is cut off with "…" is wider than what one sees.
        if (element.localName === "bdi") return false;
        return width > 1 && (left < -0.5 || right > innerWidth + 0.5);
      });
      return [document.documentElement.scrollWidth, ...out.map((element) => element.className)];
    });
    assert.deepEqual(wide, [320]);
    const [whole, writing] = [await panel.boundingBox(), await box.boundingBox()];
    assert.ok(whole && writing && writing.y + writing.height <= whole.height, "the composer is out of sight");
    await page.context().close();
  }
});

/**
 * The eight states of point 9: what leads to each. @type {Record<string, (visit: any, talk: any) => Promise<void>>}
 */
const STATES = {
  closed: async () => {},
  form: async ({ open, panel }) => {
    await open();
    await panel.getByRole("textbox").first().waitFor();
  },
  empty: async ({ open, box }) => {
    await open();
    await box.waitFor();
  },
  chat: async ({ open, box, page, panel, messages }, { say, write }) => {
    await write("Hello https://example.com/");
    await say("Hello");
    await open();
    await messages.nth(1).waitFor();
    await panel
      .locator("input[type=file]")
      .first()
      .setInputFiles([PICTURE("a.png"), PICTURE("b.png")]);
    await panel.getByRole("list").nth(1).getByRole("listitem").nth(1).waitFor();
    await box.fill("text");
    await page.mouse.move(0, 0);
  },
  failed: async ({ open, box, send, page, panel }) => {
    await page.route("**/messages", (/** @type {any} */ route) =>
      route.request().method() === "POST" ? route.fulfill(refusal(400, "VALIDATION_FAILED")) : route.continue(),
    );
    await open();
    await box.waitFor();
    await send("This is refused");
    await panel.getByText("Failed").waitFor();
  },
  lightbox: async ({ open, box, panel, page, send }) => {
    await open();
    await box.waitFor();
    await panel
      .locator("input[type=file]")
      .first()
      .setInputFiles([PICTURE("a.png"), PICTURE("b.png")]);
    await panel.locator(".chip").nth(1).waitFor();
    await send("");
    await panel.locator("button.picture").first().click();
    await page.locator("dialog img").waitFor();
  },
  offline: async ({ open, message, page, panel }, { write }) => {
    await write("Hello");
    await open();
    await message("Hello").waitFor();
    await page.context().setOffline(true);
    world.cut();
    await panel.locator(".connection").waitFor();
  },
  ended: async ({ open, box, panel }, { say, close }) => {
    await say("Bye");
    await open();
    await box.waitFor();
    await close();
    await panel.locator(".over").waitFor();
  },
};

for (const [name, reach] of Object.entries(STATES)) {
  test(`9: axe finds nothing in the state ${name}, light and dark, in both directions`, async () => {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      for (const lang of ["en", "ar"]) {
        const user = `cai-${name}-${colorScheme}-${lang}`;
        const talk = name === "form" || name === "closed" ? null : await world.session(user, { subject: "Axe" });
        const visit = await world.visit({ user, csp: false, data: { lang } }, { colorScheme, reducedMotion: "reduce" });
        await reach(arabic(visit), talk);
        await visit.page.evaluate(axe);
        const { violations } = await visit.page.evaluate(() =>
          /** @type {any} */ (window).axe.run({ include: [["chat-widget"]] }, { resultTypes: ["violations"] }),
        );
        const found = violations.map((/** @type {any} */ { id, nodes }) => [
          id,
          nodes.map((/** @type {any} */ node) => node.html),
        ]);
        assert.deepEqual(found, [], `${colorScheme} ${lang}`);
        await visit.page.context().close();
      }
    }
  });
}

/** The same hands where the words are others: what they look for is found by its class. @param {any} visit */
function arabic(visit) {
  const { page } = visit;
  const panel = page.locator("chat-widget .panel");
  const box = panel.locator(".composer textarea");
  return {
    ...visit,
    panel: Object.assign(panel, {
      getByText: (/** @type {string} */ text) => (text === "Failed" ? panel.locator(".failed") : panel.locator(text)),
    }),
    box,
    open: async () => {
      await visit.launcher.click();
      await panel.waitFor();
    },
    send: async (/** @type {string} */ text) => {
      await box.fill(text);
      await box.press("Enter");
    },
  };
}

test("on a phone that lies on its side the button is not over the panel", async () => {
  const { page, open, begin, box, panel, message } = await world.visit({ user: "side" });
  await page.setViewportSize({ width: 844, height: 390 });
  await open();
  await begin("On its side");
  await box.fill("By the button");
  // It is not pressed if something lies over it.
  await panel.getByRole("button", { name: "Send" }).click();
  await message("By the button").waitFor();
  await panel.getByRole("button", { name: "Close the chat" }).click();
  await page.locator("chat-widget .launcher").click();
  await message("By the button").waitFor();
});

test("10: a whole conversation by the keyboard alone", async () => {
  const { page, panel, box, log, message, messages } = await world.visit({ user: "dan-1" });
  const { keyboard } = page;
  /** The name of what has the focus. */
  const focused = () =>
    page.evaluate(() => {
      const inner = /** @type {any} */ (document.activeElement?.shadowRoot?.activeElement);
      return inner?.ariaLabel ?? inner?.labels?.[0]?.innerText ?? inner?.innerText ?? inner?.role ?? "";
    });
  /** @param {RegExp} name @param {string} [key] */
  async function reach(name, key = "Tab") {
    for (let presses = 0; presses < 30; presses++) {
      if (name.test(await focused())) return;
      await keyboard.press(key);
    }
    assert.fail(`${name} cannot be reached: the focus is at ${await focused()}`);
  }
  await page.locator("chat-widget .launcher").waitFor();
  await reach(/^Chat$/);
  await keyboard.press("Enter");
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
  await until(async () => /Subject/.test(await focused()));
  await keyboard.type("By keyboard");
  // It starts no chat without a message.
  await keyboard.press("Enter");
  await until(async () => /Your message/.test(await focused()));
  await keyboard.type("The first message");
  await reach(/Start chat/);
  await keyboard.press("Enter");
  await message("The first message").waitFor();
  await until(async () => /^Message$/.test(await focused()));
  await keyboard.type("The second");
  await keyboard.press("Enter");
  await message("The second").getByText("Sent").waitFor();
  for (let at = 0; at < 20; at++) await box.page().keyboard.type(`line ${at}\n`);
  await until(async () => (await messages.count()) === 22);
  await reach(/^Messages$/, "Shift+Tab");
  const bottom = await log.evaluate((element) => element.scrollTop);
  await keyboard.press("PageUp");
  await until(async () => (await log.evaluate((element) => element.scrollTop)) < bottom);
  await reach(/Earlier chats/, "Shift+Tab");
  await keyboard.press("Enter");
  await panel.getByRole("button", { name: /By keyboard/ }).waitFor();
  await reach(/Back/);
  await keyboard.press("Enter");
  await box.waitFor();
  await reach(/Close the chat/);
  await keyboard.press("Enter");
  await panel.waitFor({ state: "hidden" });
  assert.equal(await focused(), "Chat");
});
