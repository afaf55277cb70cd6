/** How an agent comes in: who is let in, what the others read, and where the token is and is not. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWorld, until } from "./support.js";

const world = await createWorld();

/** @param {string} id */
const agentsToken = (id) => world.server.mint(id, { role: "agent" });

test("development mode offers its agent and its admin, and a click signs in", async () => {
  const page = await world.console({ token: "" });
  await page.button("Sign in as bob").waitFor();
  const offered = await page.getByRole("button", { name: /^Sign in as/ }).allTextContents();
  assert.deepEqual(offered, ["Sign in as bob", "Sign in as root"]);
  await page.button("Sign in as root").click();
  await page.view("Assigned").waitFor();
  await page.view("All").waitFor();
});

test("a token in the fragment is gone from the address at once, and stays in this tab alone", async () => {
  const token = agentsToken("fred");
  const page = await world.console({ token, as: "fred" });
  await page.view("Mine").waitFor();
  const kept = await page.evaluate(() => ({
    address: location.href,
    entries: history.length,
    tab: JSON.stringify({ ...sessionStorage }),
    browser: JSON.stringify({ ...localStorage }) + document.cookie,
  }));
  assert.doesNotMatch(kept.address, /token|eyJ/);
  assert.ok(kept.tab.includes(token));
  assert.ok(!kept.browser.includes(token));
  await page.reload();
  await page.view("Mine").waitFor();
  const other = await world.console({ token: "", context: page.context() });
  await other.getByRole("textbox", { name: "Token" }).waitFor();
});

test("a token that is pasted signs in, also with the word before it that a header has", async () => {
  const page = await world.console({ token: "" });
  await page.getByRole("textbox", { name: "Token" }).fill(` Bearer ${agentsToken("gina")}\n`);
  await page.button("Sign in").click();
  await page.view("Waiting").waitFor();
});

test("a token that lets no person in is refused with its reason, and what was pasted stays", async () => {
  const page = await world.console({ token: "", faults: true });
  const box = page.getByRole("textbox", { name: "Token" });
  const alert = page.getByRole("alert");
  const foreign = `${agentsToken("bob").split(".").slice(0, 2).join(".")}.c2lnbmF0dXJl`;
  await world.agent("zoe", "Zoe");
  await world.server.call(world.server.tokens.root, "DELETE", "/api/chat/agents/zoe");
  for (const [token, text] of [
    ["", "Paste a token first."],
    ["hello", "This is not a token."],
    [world.server.mint("alice"), "This token is a customer's."],
    [world.server.mint("bob", { role: "agent", lifetime: -600 }), "This token has expired."],
    [foreign, "The server does not accept this token."],
    [agentsToken("zoe"), "This agent is deactivated."],
  ]) {
    await box.fill(token ?? "");
    await page.button("Sign in").click();
    await alert.filter({ hasText: text ?? "" }).waitFor();
    assert.equal(await box.inputValue(), token);
  }
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test("a link with a token that is followed in an open console signs in as that person", async () => {
  const page = await world.console({ as: "hans", name: "Hans" });
  await page.view("Mine").waitFor();
  await page.evaluate((token) => location.assign(`#token=${token}`), world.server.mint("rita", { role: "admin", name: "Rita" }));
  await page.view("Assigned").waitFor();
  assert.doesNotMatch(page.url(), /token/);
  assert.equal(await page.view("Mine").count(), 0);
});

test("when the token ends one is asked to sign in again, and comes back to the same session with its draft", async () => {
  const session = await world.session("ivan", { subject: "Iron", agent: "ines" });
  const page = await world.console({ as: "ines", lifetime: 12, path: `/s/${session.id}`, faults: true });
  await page.box.fill("Half a sentence");
  await page.getByText("Your sign-in ends soon").waitFor();
  await page.getByText("Your sign-in has expired").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await page.getByRole("textbox", { name: "Token" }).fill(agentsToken("ines"));
  await page.button("Sign in").click();
  await page.box.waitFor();
  await until(async () => (await page.box.inputValue()) === "Half a sentence", { what: "the draft" });
});

/** All that the databases of the browser have. @param {import("playwright-core").Page} page @returns {Promise<string>} */
const stored = (page) =>
  page.evaluate(async () => {
    /** @param {IDBRequest} request @returns {Promise<any>} */
    const result = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const all = [];
    for (const { name } of await indexedDB.databases()) {
      const database = await result(indexedDB.open(name ?? ""));
      for (const store of database.objectStoreNames) {
        const rows = database.transaction(store).objectStore(store);
        all.push(store, await result(rows.getAllKeys()), await result(rows.getAll()));
      }
      database.close();
    }
    return JSON.stringify(all);
  });

test("who signs out leaves nothing in the browser, in all windows", async () => {
  const session = await world.session("jack", { subject: "Jam", agent: "jane" });
  const page = await world.console({ as: "jane", path: `/s/${session.id}`, faults: true });
  await page.route(/\/messages$/, (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  await page.send("A secret that is not sent");
  await page.message("A secret that is not sent").waitFor();
  await page.box.fill("A secret");
  // What one has chosen is kept, without the name of who has.
  await page.getByRole("button", { name: "Details" }).click();
  await until(async () => (await stored(page)).includes("secret that is not sent"), { what: "the outbox" });
  const second = await world.console({ as: "jane", context: page.context() });
  await second.view("Mine").waitFor();
  // A draft would be lost, so it asks.
  await page.button("Sign out").click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.equal(await page.box.inputValue(), "A secret");
  await page.button("Sign out").click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  await second.getByText("You are signed out.").waitFor();
  for (const window of [page, second]) {
    const kept = () => window.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.doesNotMatch(await kept(), /secret|jane|eyJ/);
    await until(async () => !/secret|jane|eyJ/.test(await stored(window)), { what: "the empty outbox" });
  }
});

test("who signs out is asked about drafts of sessions that are elsewhere now", async () => {
  const session = await world.session("jule", { subject: "Jewel", agent: "jana" });
  await world.agent("jens");
  const page = await world.console({ as: "jana", path: `/s/${session.id}` });
  await page.box.fill("Kept for later");
  await session.transfer("jens");
  await page.getByText("Your draft is kept.").first().waitFor();
  // The focus may have gone from the box to its row, which holds still then.
  const row = page.row("Jewel");
  await until(async () => (await row.count()) === (await row.getByText("No longer here").count()), { what: "the row is gone" });
  await page.button("Sign out").click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.view("Mine").waitFor();
});

test("a tab that shows another page while one signs out is signed out when it comes back", async () => {
  const page = await world.console({ as: "jill" });
  await page.view("Mine").waitFor();
  const second = await world.console({ as: "jill", context: page.context() });
  await second.view("Mine").waitFor();
  await page.goto("about:blank");
  await second.button("Sign out").click();
  await second.getByText("You are signed out.").waitFor();
  await page.goBack();
  await page.getByText("You are signed out.").waitFor();
  await page.getByRole("textbox", { name: "Token" }).fill(agentsToken("jill"));
  await page.button("Sign in").click();
  await page.view("Mine").waitFor();
  await page.reload();
  await page.view("Mine").waitFor();
});

test("a link with a token that is refused leaves the sign-in as it is", async () => {
  const session = await world.session("jess", { subject: "Jelly", agent: "jean", messages: ["Hello"] });
  const page = await world.console({ as: "jean", path: `/s/${session.id}`, faults: true });
  await page.box.fill("Half a sentence");
  await page.evaluate(() => location.assign("#token=nonsense"));
  await page.getByText("This is not a token.").waitFor();
  await page.message("Hello").waitFor();
  assert.equal(await page.box.inputValue(), "Half a sentence");
  assert.ok(page.url().endsWith(`#/s/${session.id}`));
  await page.goto("about:blank");
  await page.goto(`${world.server.url}/console#token=nonsense`);
  await page.getByText("This is not a token.").waitFor();
  await page.view("Mine").waitFor();
});

test("a token of a link that the server could not be asked about can be tried once more", async () => {
  const page = await world.console({ token: "", faults: true });
  await page.goto("about:blank");
  await page.route("**/api/chat/agents", (route) => route.abort(), { times: 1 });
  await page.goto(`${world.server.url}/console#token=${agentsToken("june")}`);
  await page.getByText("The server cannot be reached.").waitFor();
  await page.button("Sign in").click();
  await page.view("Mine").waitFor();
});

test("who has come in otherwise meanwhile stays who they are", async () => {
  const page = await world.console({ token: "" });
  /** @type {() => void} */
  let go = () => {};
  const gone = new Promise((resolve) => (go = () => resolve(null)));
  await page.route(
    "**/api/chat/agents",
    async (route) => {
      await gone;
      await route.continue();
    },
    { times: 1 },
  );
  await page.getByRole("textbox", { name: "Token" }).fill(world.server.mint("slow", { role: "agent", name: "Slow" }));
  await page.button("Sign in").click();
  await page.evaluate(
    (token) => location.assign(`#token=${token}`),
    world.server.mint("fast", { role: "agent", name: "Fast" }),
  );
  await page.getByTitle("Signed in as Fast").waitFor();
  const answered = page.waitForEvent("requestfinished", (request) => request.url().endsWith("/api/chat/agents"));
  go();
  await answered;
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  assert.equal(await page.getByTitle("Signed in as Slow").count(), 0);
});

test("a sign-out in another window is called so, also after something had failed", async () => {
  const page = await world.console({ as: "jack" });
  await page.view("Mine").waitFor();
  const second = await world.console({ token: "", context: page.context() });
  // The server cannot say what is in the lists.
  await second.routeWebSocket(/\/ws\/chat/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((text) => {
      const { type } = JSON.parse(String(text));
      const error = { type: "error", data: { ref: "open_inbox", code: "INTERNAL", message: "no" } };
      socket.send(type === "inbox" ? JSON.stringify(error) : text);
    });
  });
  await second.reload();
  await second.getByRole("textbox", { name: "Token" }).fill(agentsToken("jack"));
  await second.button("Sign in").click();
  await second.getByText(/^Reconnecting/).first().waitFor();
  await page.button("Sign out").click();
  await second.getByText("You are signed out.").waitFor();
});

test("a sign-out that could not erase what is stored says so", async () => {
  const session = await world.session("jim", { subject: "Juice", agent: "judy" });
  const page = await world.console({ as: "judy", path: `/s/${session.id}`, faults: true });
  await page.route(/\/messages$/, (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  await page.send("Not sent");
  await page.message("Not sent").waitFor();
  await until(async () => (await stored(page)).includes("Not sent"), { what: "the outbox" });
  await page.evaluate(() => {
    IDBObjectStore.prototype.getAll = () => {
      throw new DOMException("broken", "UnknownError");
    };
  });
  await page.button("Sign out").click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await page.getByText("this browser has not deleted messages").waitFor();
  await page.getByRole("textbox", { name: "Token" }).waitFor();
});

test("nothing that is offered ends in a refusal, for agents and for admins", async () => {
  const waiting = await world.session("kim", { subject: "Kiwi waits" });
  const mine = await world.session("kurt", { subject: "Kale of mine", agent: "karl" });
  const closed = await world.session("kora", { subject: "Kelp has ended", agent: "karl" });
  await closed.close();
  const karl = await world.console({ as: "karl" });
  const root = await world.console({ as: "root", role: "admin" });
  /** @type {string[]} */
  const refused = [];
  for (const page of [karl, root]) {
    page.on("response", (response) => void (response.status() === 403 && refused.push(response.url())));
  }
  /** The buttons that change something. @param {typeof karl} page @param {string} list @param {string} subject */
  async function offered(page, list, subject) {
    await page.view(list).click();
    await page.row(subject).click();
    await page.getByRole("heading", { name: subject.split(" ")[0] ?? "" }).or(page.getByText(subject)).last().waitFor();
    await page.log.or(page.getByText("No messages yet")).waitFor();
    const main = page.getByRole("region", { name: "Chat console" });
    /** @type {string[]} */
    const names = [];
    for (const name of ["Claim", "Assign", "Transfer", "Close", "Send"]) {
      if (await main.getByRole("button", { name, exact: true }).count()) names.push(name);
    }
    return names;
  }
  assert.deepEqual(await offered(karl, "Waiting", "Kiwi waits"), ["Claim"]);
  assert.deepEqual(await offered(karl, "Mine", "Kale of mine"), ["Transfer", "Close", "Send"]);
  assert.deepEqual(await offered(karl, "Closed", "Kelp has ended"), []);
  assert.equal(await karl.view("Statistics").count(), 0);
  assert.deepEqual(await offered(root, "Waiting", "Kiwi waits"), ["Assign", "Close", "Send"]);
  assert.deepEqual(await offered(root, "Assigned", "Kale of mine"), ["Transfer", "Close", "Send"]);
  await root.send("From above");
  await until(async () => (await mine.messages()).length === 1);
  assert.deepEqual(await offered(root, "Closed", "Kelp has ended"), []);
  assert.equal(await root.getByRole("combobox", { name: "Availability" }).count(), 0);
  await karl.getByRole("combobox", { name: "Availability" }).selectOption("Away");
  await until(async () => {
    const { agents } = await world.server.call(world.server.tokens.root, "GET", "/api/chat/agents");
    return agents.find((/** @type {{ id: string }} */ { id }) => id === "karl").availability === "away";
  });
  // And all of it works.
  const dialog = (/** @type {typeof karl} */ page) => page.getByRole("dialog");
  /** @param {typeof karl} page @param {string} name */
  const press = (page, name) => page.middle.getByRole("button", { name, exact: true }).click();
  await karl.view("Waiting").click();
  await karl.row("Kiwi waits").click();
  await press(karl, "Claim");
  await press(karl, "Transfer");
  await dialog(karl).getByRole("radio", { name: "Back to the queue" }).check();
  await dialog(karl).getByRole("button", { name: "Transfer", exact: true }).click();
  await root.view("Waiting").click();
  await root.row("Kiwi waits").click();
  await press(root, "Assign");
  await dialog(root).getByRole("radio", { name: "karl" }).check();
  await dialog(root).getByRole("button", { name: "Assign", exact: true }).click();
  await until(async () => (await waiting.get()).agentId === "karl", { what: "the assignment" });
  await press(root, "Transfer");
  await dialog(root).getByRole("radio", { name: "Back to the queue" }).check();
  await dialog(root).getByRole("button", { name: "Transfer", exact: true }).click();
  await until(async () => (await waiting.get()).agentId === null, { what: "the way back" });
  await press(root, "Close");
  await dialog(root).getByRole("button", { name: "Close", exact: true }).click();
  await until(async () => (await waiting.get()).status === "closed", { what: "the end of one that waits" });
  await karl.view("Mine").click();
  await karl.row("Kale of mine").click();
  await press(karl, "Close");
  await dialog(karl).getByRole("button", { name: "Close", exact: true }).click();
  await until(async () => (await mine.get()).status === "closed", { what: "the end of one's own" });
  assert.deepEqual(refused, []);
});
