/** What the pages may load, who may read them, where a token is, and that what people write is text and nothing else. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { serve } from "../../pages/browser.js";
import { XSS } from "../../widget/test/xss.js";
import { hashOf } from "../hash.js";
import { createWorld, until } from "./support.js";

/** @import { Page } from "playwright-core" */

const world = await createWorld();
const { server } = world;
const PAGES = ["/console", "/"];

test("the policy of the pages allows nothing unsafe and no other origin", async () => {
  for (const path of PAGES) {
    const { headers, status } = await fetch(server.url + path, { headers: { Accept: "text/html" } });
    assert.equal(status, 200);
    const policy = headers.get("content-security-policy") ?? "";
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]) {
      assert.ok(policy.split("; ").includes(part), `${path}: ${part} is not in ${policy}`);
    }
    assert.doesNotMatch(policy, /unsafe|data:|\*/, path);
    const own = `ws://127.0.0.1:${server.port}`;
    for (const [address] of policy.matchAll(/\w+:\/\/\S+/g)) assert.equal(address.replace(/;$/, ""), own, path);
    assert.equal(headers.get("x-frame-options"), "DENY", path);
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin", path);
    assert.equal(headers.get("referrer-policy"), "no-referrer", path);
    assert.equal(headers.get("access-control-allow-origin"), null, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
  }
});

test("no script and no style is in the markup of the pages", async () => {
  for (const part of ["console", "demo"]) {
    const html = await readFile(new URL(`../../${part}/dist/index.html`, import.meta.url), "utf8");
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i, part);
    assert.doesNotMatch(html, /(?:src|href)="(?:https?:)?\/\//, part);
  }
});

test("text cannot become markup or a script in the page", async () => {
  const bob = await world.console();
  const outcome = await bob.evaluate(() => {
    /** @param {() => unknown} run */
    const attempt = (run) => {
      try {
        run();
        return "done";
      } catch (error) {
        return /** @type {Error} */ (error).name;
      }
    };
    return [
      attempt(() => (document.createElement("div").innerHTML = "<b>x</b>")),
      attempt(() => (document.createElement("script").src = "/widget.js")),
      attempt(() => document.write("x")),
      attempt(() => new DOMParser().parseFromString("<b>x</b>", "text/html")),
    ];
  });
  assert.deepEqual(outcome, ["TypeError", "TypeError", "TypeError", "TypeError"]);
  // The browser has said so.
  assert.equal(bob.problems.length, 4);
  bob.problems.length = 0;
});

test("another site can neither frame nor read the console, nor the people of development mode", async () => {
  const framed = PAGES.map((path) => `<iframe src="${server.url}${path}"></iframe>`).join("");
  const site = await serve(() => ({ body: `<!doctype html><title>Another</title>${framed}` }));
  try {
    for (const origin of [site.url, site.localhost]) {
      const page = await world.browser.newPage();
      await page.goto(origin);
      const frames = page.frames().slice(1);
      assert.equal(frames.length, 2);
      for (const frame of frames) assert.ok(!frame.url().startsWith(server.url), frame.url());
      for (const path of [...PAGES, "/console/development-people", "/api/chat/inbox?view=mine"]) {
        const read = await page.evaluate(async (address) => {
          try {
            return (await fetch(address)).status;
          } catch (error) {
            return String(error);
          }
        }, server.url + path);
        assert.match(String(read), /Failed to fetch/, path);
      }
      await page.close();
    }
    const elsewhere = await fetch(`${server.url}/console/development-people`, { headers: { Origin: site.url } });
    assert.equal(elsewhere.status, 404);
  } finally {
    await site.close();
  }
});

test("a window that another site has opened is out of its reach", async () => {
  const site = await serve(() => ({ body: "<!doctype html><title>Another</title><button>Open</button>" }));
  try {
    const page = await world.browser.newPage();
    await page.goto(site.localhost);
    const opened = page.waitForEvent("popup");
    await page.evaluate((address) => Object.assign(window, { other: window.open(address) }), `${server.url}/console`);
    const popup = await opened;
    await popup.waitForLoadState();
    assert.equal(await popup.evaluate("opener"), null);
    await until(() => page.evaluate("other.closed"), { what: "the handle of the window ended" });
    await page.context().close();
  } finally {
    await site.close();
  }
});

/**
 * Works as an agent does, with all that makes requests.
 *
 * @param {Awaited<ReturnType<typeof world.console>>} bob @param {string} subject
 */
async function work(bob, subject) {
  await bob.view("Waiting").click();
  await bob.row(subject).click();
  await bob.message("Hello").waitFor();
  await bob.middle.getByRole("button", { name: "Claim" }).click();
  await bob.box.waitFor();
  await bob.send("Good day");
  await bob.message("Good day").getByText(/Sent|Delivered/).waitFor();
}

test("a token is in no address, in no lasting storage and in no line of a log", async () => {
  const token = server.mint("bob", { role: "agent", name: "Bob" });
  const secret = token.split(".")[2] ?? "";
  await world.session("ann-1", { subject: "Token", messages: ["Hello"] });
  const context = await world.browser.newContext();
  /** @type {string[]} */
  const addresses = [];
  /** @type {string[]} */
  const said = [];
  context.on("page", (page) => {
    page.on("request", (request) => addresses.push(request.url(), request.headers()["referer"] ?? ""));
    page.on("websocket", (socket) => addresses.push(socket.url()));
    page.on("console", (message) => said.push(message.text()));
  });
  const bob = await world.console({ token, context });
  await work(bob, "Token");
  await bob.evaluate("history.back()");
  await bob.waitForTimeout(200);
  addresses.push(bob.url(), String(await bob.evaluate("document.referrer")));
  // Playwright shows the address of a navigation with its fragment, which no browser sends.
  const sent = addresses.map((address) => address.replace(/\/console#token=.*/, "/console"));
  assert.ok(sent.length > 10);
  for (const text of [...sent, ...said, ...server.log]) assert.ok(!text.includes(secret), text);
  const stored = await bob.evaluate(async () => {
    const rows = [JSON.stringify(localStorage), document.cookie];
    for (const { name = "" } of await indexedDB.databases()) {
      const database = await new Promise((/** @type {(database: IDBDatabase) => void} */ resolve) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => resolve(request.result);
      });
      for (const store of database.objectStoreNames) {
        const request = database.transaction(store).objectStore(store).getAll();
        await new Promise((resolve) => (request.onsuccess = resolve));
        rows.push(JSON.stringify(request.result));
      }
      database.close();
    }
    return rows;
  });
  for (const text of stored) assert.ok(!text.includes(secret), text);
  assert.ok(String(await bob.evaluate("JSON.stringify(sessionStorage)")).includes(secret));

  await bob.reload();
  await bob.view("Mine").waitFor();
  assert.ok(!(await bob.content()).includes(secret));
  await context.close();
});

test("the pages make no request but to this server", async () => {
  await world.session("ann-2", { subject: "Origins", messages: ["Hello https://example.com/picture.png"] });
  const context = await world.browser.newContext();
  /** @type {string[]} */
  const addresses = [];
  context.on("request", (request) => addresses.push(request.url()));
  context.on("page", (page) => page.on("websocket", (socket) => addresses.push(socket.url())));
  const bob = await world.console({ context });
  await work(bob, "Origins");
  const demo = await context.newPage();
  await demo.goto(server.url);
  await demo.locator("chat-widget .launcher").waitFor();
  await demo.locator(".console").waitFor();
  const origins = new Set(addresses.map((address) => new URL(address)).map(({ protocol, host }) => `${protocol}//${host}`));
  for (const origin of origins) assert.match(origin, new RegExp(`^(?:http|ws|blob):/*127.0.0.1:${server.port}$|^blob:`));
  await context.close();
});

/** What text that became markup would leave in a page. @param {Page} page */
const traces = (page) =>
  page.evaluate(() => {
    const found = [];
    for (const element of document.querySelectorAll("*")) {
      for (const name of element.getAttributeNames()) if (/^on|^style$|^srcdoc$/.test(name)) found.push(element.outerHTML);
      if (/^(?:iframe|object|embed|base|template|marquee|math|mglyph)$/.test(element.localName)) found.push(element.outerHTML);
      const address = element.getAttribute("href") ?? element.getAttribute("src") ?? "";
      if (/^\s*(?:javascript|data|vbscript):/i.test(address)) found.push(element.outerHTML);
    }
    return [...found, ...[...document.scripts].filter(({ src }) => !src.startsWith(location.origin)).map(({ text }) => text)];
  });

test("what people write stays text: names, subjects, tags, messages, files, agents and canned replies", async () => {
  const bob = await world.console({ viewport: { width: 1500, height: 900 } });
  bob.on("dialog", (dialog) => {
    bob.problems.push(`a script ran: ${dialog.message()}`);
    void dialog.dismiss();
  });
  let accepted = 0;
  for (const [at, text] of XSS.entries()) {
    await server.call(server.tokens.root, "PUT", `/api/chat/agents/agent-${at}`, { displayName: text.slice(0, 100) });
    try {
      await world.session(`mallory-${at}`, {
        name: text.slice(0, 100),
        subject: `${at} ${text}`,
        tags: [text.slice(0, 30)],
        agent: "bob",
        messages: [text],
      });
      accepted++;
    } catch (error) {
      // The server refuses some of it, such as control characters in a tag.
      assert.match(String(error), / 400 /);
    }
  }
  assert.ok(accepted > XSS.length / 2, `${accepted} were accepted`);
  const sessions = /** @type {any[]} */ (
    (await server.call(server.mint("bob", { role: "agent" }), "GET", "/api/chat/inbox?view=mine&limit=100")).items
  ).filter(({ userId }) => userId.startsWith("mallory"));
  for (const { id, subject, lastMessage } of sessions.slice(0, 50)) {
    await bob.evaluate((id) => location.assign(`#/s/${id}`), id);
    await bob.getByText(subject.trim(), { exact: false }).first().waitFor();
    const text = XSS[Number(subject.split(" ")[0])] ?? lastMessage.preview;
    await until(async () => (await bob.messages.allInnerTexts()).some((shown) => flat(shown).includes(flat(text))), {
      what: `the message ${text}`,
    });
  }
  assert.deepEqual(await traces(bob), []);

  await bob.locator("input[type=file]").first().setInputFiles({
    name: `<img src=x onerror=alert(1)>.txt`,
    mimeType: "text/plain",
    buffer: Buffer.from("x"),
  });
  await bob.box.press("Enter");
  await bob.message("<img src=x onerror=alert(1)>").getByText(/Sent|Delivered/).waitFor();

  await bob.evaluate(
    ({ key, texts }) => {
      const replies = texts.map((text, at) => ({ name: `reply${at}`, text }));
      localStorage.setItem(key, JSON.stringify(replies));
    },
    { key: `chatConsole:canned:${hashOf("bob")}`, texts: XSS },
  );
  await bob.reload();
  await bob.box.fill("/");
  const options = bob.getByRole("option", { name: "reply" });
  await options.first().waitFor();
  assert.ok((await options.allInnerTexts()).some((text) => text.includes("<script>alert(1)</script>")));
  assert.deepEqual(await traces(bob), []);
  await bob.box.press("Enter");
  assert.ok(XSS.includes(await bob.box.inputValue()), "a reply is in the box as it was written");
  await bob.box.fill("");
  await bob.button("Canned replies").click();
  await bob.getByRole("dialog").getByText("<script>alert(1)</script>").first().waitFor();
  assert.deepEqual(await traces(bob), []);
  await bob.keyboard.press("Escape");
  await bob.button("Transfer").first().click();
  await bob.getByRole("dialog").waitFor();
  await bob.getByRole("dialog").getByText("<script>alert(1)</script>").first().waitFor({ state: "attached" });
  assert.deepEqual(await traces(bob), []);
  await bob.keyboard.press("Escape");

  const root = await world.console({ as: "root", role: "admin" });
  root.on("dialog", () => root.problems.push("a script ran"));
  await root.view("Agents").click();
  await root.getByText("<script>alert(1)</script>").first().waitFor();
  assert.deepEqual(await traces(root), []);
  await root.view("Assigned").click();
  await root.row("<script>alert(1)</script>").first().waitFor();
  assert.deepEqual(await traces(root), []);
});

/** Without white space, which is shown otherwise than it is written. @param {string} text */
const flat = (text) => text.replace(/[\s\u202a-\u202e\u2066-\u2069]+/g, "");
