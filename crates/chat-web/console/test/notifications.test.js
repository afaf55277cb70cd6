/** What an agent hears of while they look elsewhere: once over all windows, and only if they have asked for it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { hashOf } from "../hash.js";
import { createWorld, until } from "./support.js";

const world = await createWorld();

/** What stands in for the notifications of the operating system, and a person who looks elsewhere. */
function init() {
  const shown = /** @type {any[]} */ ([]);
  class Notification {
    static permission = "granted";
    static requestPermission = async () => Notification.permission;
    onclick = () => {};
    isClosed = false;
    onClose = () => {};
    close() {
      this.isClosed = true;
      this.onClose();
    }
    /** @param {string} _ @param {() => void} listener */
    addEventListener(_, listener) {
      this.onClose = listener;
    }
    /** @param {string} title @param {object} options */
    constructor(title, options) {
      shown.push(Object.assign(this, { title, ...options }));
    }
  }
  Object.assign(window, { Notification, shown, played: 0 });
  document.hasFocus = () => false;
  // Each tone is an oscillator, and two are a sound.
  const { start } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function (when) {
    Object.assign(window, { played: /** @type {any} */ (window).played + 1 });
    start.call(this, when);
  };
}

/** @param {import("playwright-core").Page} page @param {{ notifications: boolean, sound: boolean }} settings */
async function choose(page, settings) {
  await page.evaluate(([key, settings]) => {
    const before = JSON.parse(localStorage.getItem(key) ?? "{}");
    localStorage.setItem(key, JSON.stringify({ ...before, ...settings }));
    // As another window would have chosen it.
    dispatchEvent(new StorageEvent("storage", { key, newValue: localStorage.getItem(key), storageArea: localStorage }));
  }, /** @type {const} */ ([`chatConsole:settings:${hashOf("bob")}`, settings]));
}

/** @param {import("playwright-core").Page} page @param {boolean} has */
const look = (page, has) =>
  page.evaluate((has) => {
    document.hasFocus = () => has;
    dispatchEvent(new Event(has ? "focus" : "blur"));
  }, has);

/** Whether the windows know that the person looks at one of them. @param {import("playwright-core").Page} page */
const isLookedAt = (page) =>
  page.evaluate(async () => {
    const { held = [] } = await navigator.locks.query();
    return held.some(({ name }) => name?.includes("attention"));
  });

/** @param {import("playwright-core").Page} page @returns {Promise<any[]>} */
const shown = (page) => page.evaluate("shown.map(({ title, body }) => [title, body])");

test("nothing is shown and nothing sounds until the agent has asked for it", async () => {
  const bob = await world.console({ init });
  const quiet = await world.session("ann-1", { subject: "Quiet", agent: "bob" });
  await bob.row("Quiet").waitFor();
  await quiet.write("Hello");
  await bob.row("Hello").waitFor();
  assert.deepEqual(await shown(bob), []);
  assert.equal(await bob.evaluate("played"), 0);
});

test("a session that comes into the queue is shown once over two windows, and a click opens it", async () => {
  const bob = await world.console({ init });
  const other = await world.console({ init, context: bob.context() });
  for (const page of [bob, other]) {
    await choose(page, { notifications: true, sound: false });
    await page.listed();
  }
  const talk = await world.session("ann-2", { subject: "Parcel", name: "Ann" });
  await until(async () => (await shown(bob)).length + (await shown(other)).length > 0);
  await other.view("Waiting").click();
  await other.row("Parcel").waitFor();
  const [first, second] = [await shown(bob), await shown(other)];
  assert.deepEqual([...first, ...second], [["A new session waits", "Ann: Parcel"]]);
  const page = first.length ? bob : other;
  await page.evaluate("shown[0].onclick()");
  await until(() => page.url().includes(talk.id), { what: "the address" });
});

test("a message in a session of mine is shown with its author, and one in a session of a colleague is not", async () => {
  const bob = await world.console({ init });
  await choose(bob, { notifications: true, sound: false });
  const mine = await world.session("ann-3", { subject: "Mine it is", name: "Ann", agent: "bob" });
  const theirs = await world.session("ann-4", { subject: "Theirs", agent: "carol" });
  await bob.row("Mine it is").waitFor();
  await theirs.write("Not for bob");
  await mine.write("For bob");
  await until(async () => (await shown(bob)).some(([, body]) => body === "For bob"));
  const messages = (await shown(bob)).filter(([title]) => !title.includes("session"));
  assert.deepEqual(messages, [["Ann", "For bob"]]);
});

test("each message alerts, and what was shown goes when the agent comes back", async () => {
  const bob = await world.console({ init });
  await choose(bob, { notifications: true, sound: false });
  const mine = await world.session("ann-8", { subject: "Again", name: "Ann", agent: "bob" });
  await bob.row("Again").waitFor();
  for (const text of ["First", "Second"]) {
    await mine.write(text);
    await until(async () => (await shown(bob)).some(([, body]) => body === text));
  }
  const about = `shown.filter(({ tag }) => tag === "${mine.id}").map(({ renotify, isClosed }) => [renotify, isClosed])`;
  const all = /** @type {boolean[][]} */ (await bob.evaluate(about));
  assert.ok(all.length >= 2 && all.every(([renotify, isClosed]) => renotify && !isClosed));
  await look(bob, true);
  assert.ok(/** @type {boolean[][]} */ (await bob.evaluate(about)).every(([, isClosed]) => isClosed));
});

test("a click of an admin leads to a session that was claimed meanwhile", async () => {
  const root = await world.console({ as: "bob", role: "admin", init });
  await choose(root, { notifications: true, sound: false });
  await root.listed();
  const talk = await world.session("ann-9", { subject: "Claimed meanwhile", messages: ["Hello"] });
  await until(async () => (await shown(root)).some(([, body]) => body.includes("Claimed meanwhile")));
  await talk.claim("carol");
  await root.view("Assigned").click();
  await root.row("Claimed meanwhile").waitFor();
  await root.view("Waiting").click();
  await root.evaluate("shown.at(-1).onclick()");
  await root.message("Hello").waitFor();
});

test("a session that a colleague hands over is shown", async () => {
  await world.agent("carol", "Carol");
  const bob = await world.console({ init });
  await choose(bob, { notifications: true, sound: false });
  await bob.listed();
  const talk = await world.session("ann-7", { subject: "Handed over", agent: "carol" });
  await talk.transfer("bob");
  await bob.row("Handed over").waitFor();
  await until(async () => (await shown(bob)).some(([title]) => title === "A session was given to you"));
  assert.deepEqual((await shown(bob)).at(-1), ["A session was given to you", "Handed over"]);
});

test("while the agent looks at one window, none says anything", async () => {
  const bob = await world.console({ init });
  const other = await world.console({ init, context: bob.context() });
  for (const page of [bob, other]) await choose(page, { notifications: true, sound: true });
  const mine = await world.session("ann-5", { subject: "Seen", agent: "bob" });
  for (const page of [bob, other]) {
    // Without a click a browser plays nothing.
    await page.row("Seen").click();
    await page.box.waitFor();
  }
  await look(other, true);
  await until(() => isLookedAt(bob));
  const said = async () => [await shown(bob), await shown(other), await bob.evaluate("played"), await other.evaluate("played")];
  const before = await said();
  await mine.write("Read at once");
  for (const page of [bob, other]) {
    await page.message("Read at once").waitFor();
    // The sound is loaded before a window asks which one is looked at, and the one that asks has its answer before us.
    await until(() =>
      page.evaluate(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("/sound.js"))),
    );
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    for (let turn = 0; turn < 3; turn++) await page.evaluate(() => navigator.locks.query().then(() => {}));
  }
  assert.deepEqual(await said(), before);
  await look(other, false);
  await until(async () => !(await isLookedAt(bob)));
  await mine.write("Missed");
  await until(async () => [...(await shown(bob)), ...(await shown(other))].some(([, body]) => body === "Missed"));
});

test("a sound is played by one window", async () => {
  const bob = await world.console({ init });
  const other = await world.console({ init, context: bob.context() });
  const mine = await world.session("ann-6", { subject: "Loud", agent: "bob" });
  // What has come before the choice is quiet.
  for (const page of [bob, other]) await page.row("Loud").waitFor();
  for (const page of [bob, other]) {
    await choose(page, { notifications: false, sound: true });
    // Without a click a browser plays nothing.
    await page.row("Loud").click();
  }
  await look(bob, false);
  await mine.write("Listen");
  for (const page of [bob, other]) await page.message("Listen").waitFor();
  await until(async () => Number(await bob.evaluate("played")) + Number(await other.evaluate("played")) > 0);
  const played = await Promise.all([bob, other].map((page) => page.evaluate("played")));
  assert.deepEqual(played.toSorted(), [0, 2]);
});
