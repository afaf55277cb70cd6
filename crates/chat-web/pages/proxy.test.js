/** What the proxy does to connections, in front of a small server. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { afterEach, beforeEach, test } from "node:test";

import { startProxy } from "./proxy.js";

/** @type {http.Server} */
let server;
/** @type {import("./proxy.js").Proxy} */
let proxy;
/** @type {string[]} */
let received;
/** @type {http.Agent} */
let agent;

beforeEach(async () => {
  received = [];
  server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      received.push(`${request.method} ${request.url} ${body.length}`);
      response.end("answer");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startProxy(/** @type {import("node:net").AddressInfo} */ (server.address()).port);
  agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
});

afterEach(async () => {
  agent.destroy();
  await proxy.close();
  server.closeAllConnections();
  server.close();
});

/**
 * A request over the one connection of the agent, as a browser uses it again.
 *
 * @param {string} method
 * @param {string} path
 * @param {string} [body]
 * @returns {Promise<string>}
 */
function request(method, path, body = "") {
  return new Promise((resolve, reject) => {
    const sent = http.request(proxy.url + path, { method, agent }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece));
      response.on("end", () => resolve(text));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

test("requests and answers pass, also large ones", async () => {
  assert.equal(await request("POST", "/large", "x".repeat(1_000_000)), "answer");
  assert.equal(await request("GET", "/"), "answer");
  assert.deepEqual(received, ["POST /large 1000000", "GET / 0"]);
  assert.equal(proxy.accepted, 1);
});

test("a stalled connection stays open, and goes on with what has waited", async () => {
  assert.equal(await request("GET", "/first"), "answer");
  proxy.stall();
  const waiting = request("POST", "/second", "x".repeat(300_000));
  const other = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 100, "nothing"))]);
  assert.equal(other, "nothing");
  assert.equal(proxy.open, 1);
  proxy.flow();
  assert.equal(await waiting, "answer");
  assert.deepEqual(received, ["GET /first 0", "POST /second 300000"]);
  assert.equal(proxy.accepted, 1);
});

test("a connection that is cut is an error, and the next one works", async () => {
  assert.equal(await request("GET", "/first"), "answer");
  proxy.stall();
  const cut = assert.rejects(request("GET", "/second"));
  proxy.cut();
  await cut;
  proxy.flow();
  assert.equal(await request("GET", "/third"), "answer");
});

test("connections are refused until it flows again", async () => {
  proxy.refuse();
  await assert.rejects(request("GET", "/"));
  proxy.flow();
  assert.equal(await request("GET", "/"), "answer");
});

test("the answer of the chosen request is dropped, once, after the server has acted", async () => {
  const dropped = proxy.dropAnswer({ method: "POST", path: /^\/messages/ });
  assert.equal(await request("GET", "/messages"), "answer");
  assert.equal(await request("POST", "/others", "x"), "answer");
  await assert.rejects(request("POST", "/messages", "xy"));
  assert.equal(await dropped, "POST /messages");
  assert.equal(await request("POST", "/messages", "xyz"), "answer");
  assert.deepEqual(received.slice(2), ["POST /messages 2", "POST /messages 3"]);
});

test("a request that gets no answer is not the one whose answer is dropped", async () => {
  const dropped = proxy.dropAnswer();
  server.once("request", (unanswered) => unanswered.socket.destroy());
  await assert.rejects(request("POST", "/first", "x"));
  await assert.rejects(request("POST", "/second", "xy"));
  assert.equal(await dropped, "POST /second");
  assert.deepEqual(received, ["POST /first 1", "POST /second 2"]);
});

test("an answer that hangs leaves the connection open", async () => {
  const dropped = proxy.dropAnswer({ how: "hang" });
  const hanging = assert.rejects(request("POST", "/messages", "x"));
  await dropped;
  assert.equal(proxy.open, 1);
  proxy.cut();
  await hanging;
});
