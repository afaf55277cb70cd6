/** How a page gets the widget, and what the widget does to a page. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch } from "../../pages/browser.js";
import { createWorld, hands, long, until } from "./support.js";

const world = await createWorld();

test("1: one script, calls before it loads are queued, and nothing happens until there is a reason", async () => {
  const page = await (await world.browser.newContext()).newPage();
  /** @type {string[]} */
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
  // Timers that the page itself has none of.
  await page.addInitScript(() => {
    const { setTimeout, setInterval } = window;
    Object.assign(window, { timers: 0 });
    /** @type {any} */ (window).setTimeout = (/** @type {any[]} */ ...timer) => {
      /** @type {any} */ (window).timers++;
      return /** @type {any} */ (setTimeout)(...timer);
    };
    /** @type {any} */ (window).setInterval = (/** @type {any[]} */ ...timer) => {
      /** @type {any} */ (window).timers++;
      return /** @type {any} */ (setInterval)(...timer);
    };
  });
  const visit = await world.visit({
    user: "ann-1",
    script: `(window.chatWidget ||= []).push(["on", "ready", () => { window.isReady = true }])`,
  });
  await page.goto(visit.url);
  const { launcher, open, panel } = hands(page);
  await launcher.waitFor();
  await page.waitForFunction("window.isReady");
  await page.waitForLoadState("networkidle");
  assert.deepEqual(requests, [visit.url, `${world.origin}/widget.js`]);
  assert.equal(await page.evaluate("timers"), 0);
  assert.deepEqual(await page.evaluate("[localStorage.length, sessionStorage.length]"), [0, 0]);
  await open();
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
  assert.ok(requests.some((url) => /^\/assets\/[0-9a-f]{16}\/widget\/panel\.js$/.test(url.replace(world.origin, ""))));
});

test("1: with a stored session the widget connects without being opened", async () => {
  const { id, say } = await world.session("ann-2");
  await say("Are you there?");
  const { page, launcher } = await world.visit({
    user: "ann-2",
    script: `localStorage.chatWidget ??= '{"session":"${id}"}'`,
  });
  await page.getByRole("button", { name: "Chat, 1 unread" }).waitFor();
  assert.equal(await launcher.getAttribute("aria-expanded"), "false");
});

test("2: no third party, no cookie, and no layout shift", async () => {
  const { url } = await world.visit({ user: "ann-3" });
  const context = await world.browser.newContext();
  const page = await context.newPage();
  /** @type {Set<string>} */
  const origins = new Set();
  page.on("request", (request) => origins.add(new URL(request.url()).origin));
  await page.addInitScript(() => {
    Object.assign(window, { shift: 0 });
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput } of /** @type {any[]} */ (list.getEntries())) {
        // What moves because a person has just pressed something is no shift by its definition.
        if (!hadRecentInput) /** @type {any} */ (window).shift += value;
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(url);
  const { open, begin, send, message, panel } = hands(page);
  await open();
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
  await begin("A chat");
  await send("Hello");
  await message("Hello").getByText("Sent").waitFor();
  assert.equal(await page.evaluate("shift"), 0);
  assert.deepEqual([...origins].sort(), [world.origin, world.site].sort());
  assert.deepEqual(await context.cookies(), []);
  await context.close();
});

test("2: no long task on a machine that is four times slower", long, async () => {
  /** The longest task of each phase, in each attempt. @type {Record<string, number[]>} */
  const longest = {};
  for (let attempt = 0; attempt < 5; attempt++) {
    // A person of their own for each: all of them do the same.
    const { url } = await world.visit({ user: `ann-slow-${attempt}` });
    const context = await world.browser.newContext();
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
    const { launcher, open, begin, send, message, panel } = hands(page);
    /** @type {Record<string, () => Promise<unknown>>} */
    const phases = {
      load: () => page.goto(url).then(() => launcher.waitFor()),
      open: () => open().then(() => panel.getByRole("button", { name: "Start chat" }).waitFor()),
      begin: () => begin("A slow machine"),
      send: () => send("Hello").then(() => message("Hello").getByText("Sent").waitFor()),
    };
    for (const [phase, run] of Object.entries(phases)) {
      await world.browser.startTracing(page, {
        categories: ["devtools.timeline", "disabled-by-default-devtools.timeline"],
      });
      await run();
      const { traceEvents } = JSON.parse(String(await world.browser.stopTracing()));
      (longest[phase] ??= []).push(Math.max(...tasksOf(traceEvents, phase !== "load")));
    }
    await context.close();
  }
  const medians = Object.entries(longest).map(([phase, tasks]) => [phase, tasks.sort((a, b) => a - b)[2]]);
  for (const [, median] of medians) assert.ok(Number(median) <= 50, `${medians.join("; ")} ms`);
});

/**
 * How long the tasks of the widget were, in milliseconds of the processor: those in which it ran, and those in which what it
 * had drawn was laid out and painted, since nothing else of the page changes. That the browser begins to load its file is a
 * part of another task, which parses the page.
 *
 * @param {{ name: string, pid: number, tid: number, ts: number, dur: number, tdur: number, args: any }[]} events
 * @param {boolean} isLoaded whether the page is there already, so that all that is laid out is the widget's
 */
function tasksOf(events, isLoaded) {
  const ran = events.filter(
    ({ name, args }) =>
      /^(?:EvaluateScript|FunctionCall|v8\..*)$/.test(name) && /\/widget(?:\.js|\/)/.test(args?.data?.url ?? ""),
  );
  const tasks = events.filter(({ name }) => name === "RunTask");
  assert.ok(ran.length > 0 && tasks.length > 0);
  const threads = new Set(ran.map(({ pid, tid }) => `${pid} ${tid}`));
  const drawn = events.filter(
    ({ name, pid, tid }) =>
      isLoaded && /^(?:UpdateLayoutTree|Layout|PrePaint|Paint|Layerize|Commit)$/.test(name) && threads.has(`${pid} ${tid}`),
  );
  const own = [...ran, ...drawn];
  return tasks
    .filter(({ pid, tid, ts, dur }) =>
      own.some((event) => event.pid === pid && event.tid === tid && event.ts >= ts && event.ts < ts + dur),
    )
    .map(({ tdur }) => Math.round(tdur / 1000));
}

test("3: a strict policy of the page is not violated once", async () => {
  const { say } = await world.session("ann-4");
  await say("Look: https://example.com/");
  const { page, open, message, send, panel, problems } = await world.visit({
    user: "ann-4",
    script: `addEventListener("securitypolicyviolation", (event) => (window.violations ||= []).push(event.violatedDirective))`,
  });
  await open();
  await message("Look").waitFor();
  await panel
    .locator("input[type=file]")
    .first()
    .setInputFiles({ name: "dot.png", mimeType: "image/png", buffer: DOT });
  await panel.getByText("dot.png").waitFor();
  await send("A picture");
  await message("A picture").getByText("Sent").waitFor();
  await panel.getByRole("button", { name: "Open picture dot.png" }).click();
  await page.getByRole("dialog", { name: "Picture" }).getByRole("img").waitFor();
  await page.keyboard.press("Escape");
  await panel.getByRole("button", { name: "Earlier chats" }).click();
  await panel.getByRole("button", { name: /Active/ }).waitFor();
  assert.equal(await page.evaluate("window.violations"), undefined);
  assert.deepEqual(problems, []);
});

/** The smallest PNG: one pixel. */
const DOT = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

test("4: hostile styles of the page change nothing, and the page's globals stay as they are", async () => {
  const hostile = `*, *::before, *::after { all: unset !important } html { font-size: 62.5% !important }
    button, div, section, textarea, p, span { color: red !important; font-size: 40px !important; display: none !important }
    chat-widget { display: none !important; position: static !important; transform: rotate(9deg) !important }`;
  const { say } = await world.session("ann-5", { subject: "Styles" });
  await say("A message in a bubble");
  /** @param {string} css */
  async function look(css) {
    const context = await world.browser.newContext({ viewport: { width: 1000, height: 800 }, reducedMotion: "reduce" });
    const visit = await world.visit({ user: "ann-5", css, body: "<main></main>", csp: false }, { context });
    await visit.open();
    await visit.message("A message in a bubble").waitFor();
    await visit.box.waitFor();
    await visit.page.mouse.move(0, 0);
    const box = await visit.panel.boundingBox();
    const button = await visit.launcher.boundingBox();
    assert.ok(box && button);
    const inner = { x: box.x + 4, y: box.y + 24, width: box.width - 8, height: box.height - 60 };
    const center = { x: button.x + 10, y: button.y + 10, width: 36, height: 36 };
    await until(async () => (await visit.page.evaluate("document.hasFocus()")) === true);
    return {
      box,
      button,
      panel: await visit.page.screenshot({ clip: inner, caret: "hide" }),
      launcher: await visit.page.screenshot({ clip: center }),
    };
  }
  const [plain, other] = [await look(""), await look(hostile)];
  assert.deepEqual(other.box, plain.box);
  assert.deepEqual(other.button, plain.button);
  assert.ok(plain.panel.equals(other.panel), "the panel looks different");
  assert.ok(plain.launcher.equals(other.launcher), "the button looks different");
});

test("4: the widget adds one global and touches no prototype", async () => {
  const context = await world.browser.newContext();
  await context.addInitScript(() => {
    const owners = [
      Object,
      Array,
      String,
      Function,
      Promise,
      Element,
      HTMLElement,
      Node,
      Event,
      Map,
      Set,
      Date,
      RegExp,
    ];
    const names = () =>
      owners.map(({ name, prototype }) => {
        const described = Object.entries(Object.getOwnPropertyDescriptors(prototype));
        return [name, described.map(([key, { value }]) => [key, typeof value === "function" ? String(value) : ""])];
      });
    const [globals, before] = [Object.getOwnPropertyNames(window), JSON.stringify(names())];
    Object.assign(window, {
      compare: () => ({
        added: Object.getOwnPropertyNames(window).filter((name) => !globals.includes(name)),
        same: JSON.stringify(names()) === before,
      }),
    });
  });
  const { page, open, panel } = await world.visit({ user: "ann-6", csp: false }, { context });
  await open();
  await panel.getByRole("button", { name: "Start chat" }).waitFor();
  const { added, same } = await page.evaluate("compare()");
  assert.deepEqual(
    added.filter((/** @type {string} */ name) => !["compare", "asked"].includes(name)),
    ["chatWidget"],
  );
  assert.ok(same);
});

test("24: open, close, toggle, on, and a script that is loaded twice", async () => {
  const { page, launcher, panel, problems } = await world.visit({ user: "ann-7", csp: false });
  await launcher.waitFor();
  await page.evaluate((origin) => {
    const chat = /** @type {any} */ (window).chatWidget;
    /** @type {any} */ (window).heard = [];
    const off = chat.on("open", () => /** @type {any} */ (window).heard.push("open"));
    chat.on("close", () => {
      /** @type {any} */ (window).heard.push("close");
      throw new Error("a listener of the page");
    });
    chat.push(["open"], ["close"], ["toggle"]);
    off();
    chat.close();
    chat.toggle();
    /** @type {any} */ (window).first = chat;
    const script = document.createElement("script");
    script.src = `${origin}/widget.js`;
    document.head.append(script);
    return new Promise((resolve) => (script.onload = resolve));
  }, world.origin);
  assert.deepEqual(await page.evaluate("heard"), ["open", "close", "open", "close"]);
  // Its faults are reported, and do no harm.
  await until(() => problems.length === 2);
  assert.deepEqual(problems.splice(0), Array(2).fill("Error: a listener of the page"));
  assert.equal(await page.evaluate("first === chatWidget"), true);
  assert.equal(await page.locator("chat-widget").count(), 1);
  await panel.waitFor();
});

test("24: destroy leaves nothing, and the script can be loaded again", async () => {
  const { id } = await world.session("ann-8");
  const { page, open, box, context } = await (async () => {
    const visit = await world.visit({ user: "ann-8", csp: false });
    return { ...visit, context: visit.page.context() };
  })();
  const devtools = await context.newCDPSession(page);
  /** The listeners of the window and the document. */
  async function listeners() {
    const kinds = [];
    for (const expression of ["window", "document", "document.documentElement", "document.body", "visualViewport"]) {
      const { result } = await devtools.send("Runtime.evaluate", { expression });
      const { listeners } = await devtools.send("DOMDebugger.getEventListeners", { objectId: result.objectId ?? "" });
      kinds.push(...listeners.map(({ type }) => `${expression} ${type}`));
    }
    return kinds;
  }
  /** @type {import("playwright-core").WebSocket[]} */
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket));
  await open();
  await box.waitFor();
  await until(() => sockets.length > 0);
  assert.ok((await listeners()).length > 0);
  await page.evaluate("chatWidget.destroy()");
  assert.deepEqual(await listeners(), []);
  assert.equal(await page.locator("chat-widget").count(), 0);
  assert.equal(await page.evaluate("typeof chatWidget"), "undefined");
  await until(() => sockets.every((socket) => socket.isClosed()));
  assert.equal(await page.evaluate("document.documentElement.outerHTML.includes('chat-widget')"), false);
  await page.evaluate((origin) => {
    /** @type {any} */ (window).chatWidget = [["identify", { token: async () => (await fetch("token")).text() }]];
    const script = document.createElement("script");
    script.src = `${origin}/widget.js`;
    document.head.append(script);
  }, world.origin);
  await box.waitFor();
  assert.equal(JSON.parse(await page.evaluate("localStorage.chatWidget")).session, id);
});

test("24: the widget survives that the page replaces its body", async () => {
  const { say } = await world.session("ann-9");
  const { page, open, message, launcher } = await world.visit({ user: "ann-9" });
  await open();
  await say("Before");
  await message("Before").waitFor();
  await page.evaluate(() => {
    const body = document.createElement("body");
    body.append("Another page");
    document.body.replaceWith(body);
  });
  await say("After");
  await message("After").waitFor();
  // What is removed with everything else comes back.
  await page.evaluate(() => document.querySelector("chat-widget")?.remove());
  await launcher.waitFor();
  await say("And again");
  await message("And again").waitFor();
});

test("24: the widget survives the back/forward cache, and lets the page into it", async () => {
  const { say } = await world.session("ann-10");
  // Playwright turns the cache off.
  const browser = await launch({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  try {
    const context = await browser.newContext();
    const script = `addEventListener("pageshow", ({ persisted }) => (window.persisted = persisted))`;
    const { page, open, message, box } = await world.visit({ user: "ann-10", script }, { context });
    await open();
    await say("Before");
    await message("Before").waitFor();
    await page.goto(`${world.site}/elsewhere/`);
    await say("Meanwhile");
    // A page out of the cache does not load again.
    await page.goBack({ waitUntil: "commit" });
    await message("Meanwhile").waitFor();
    assert.equal(await page.evaluate("persisted"), true);
    assert.equal(await message("Before").count(), 1);
    await say("After");
    await message("After").waitFor();
    await box.fill("And back");
    await box.press("Enter");
    await message("And back").getByText("Sent").waitFor();
  } finally {
    await browser.close();
  }
});
