// Uploads through XMLHttpRequest, of which there is the part here that they use.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { browserFetch } from "../src/upload.js";
import { settle } from "./support/clock.js";

const requests = [];

beforeEach(() => {
  requests.length = 0;
  globalThis.XMLHttpRequest = class {
    upload = {};
    calls = [];
    status = 201;
    responseText = '{"id":"file"}';
    constructor() {
      requests.push(this);
    }
    open = (...parts) => this.calls.push(`open ${parts.join(" ")}`);
    setRequestHeader = (name, value) => this.calls.push(`${name}: ${value}`);
    send = (body) => this.calls.push(`send ${body}`);
    getResponseHeader = (name) => (name === "Retry-After" ? "7" : null);
    abort() {
      this.calls.push("abort");
      this.onabort?.(new Event("abort"));
    }
  };
});

afterEach(() => {
  delete globalThis.XMLHttpRequest;
});

const begin = (signal, onProgress = () => {}) =>
  browserFetch("/path", { method: "POST", headers: { A: "b" }, body: "text", signal }, onProgress);

test("an upload tells its progress and gives the answer", async () => {
  const seen = [];
  const answer = begin(new AbortController().signal, (bytes) => seen.push(bytes));
  const [request] = requests;
  assert.deepEqual(request.calls, ["open POST /path", "A: b", "send text"]);
  request.upload.onprogress({ loaded: 3 });
  request.onload();
  const { status, headers } = await answer;
  assert.deepEqual([status, headers.get("Retry-After"), seen], [201, "7", [3]]);
  assert.deepEqual(await (await answer).json(), { id: "file" });
});

test("an upload that is given up before it begins sends nothing", async () => {
  const abort = new AbortController();
  abort.abort();
  const outcome = begin(abort.signal).catch(({ name }) => name);
  await settle();
  assert.equal(await Promise.race([outcome, "nothing"]), "AbortError");
  assert.ok(!requests.some(({ calls }) => calls.some((call) => call.startsWith("send"))));
});

test("an upload that is given up ends", async () => {
  const abort = new AbortController();
  const outcome = begin(abort.signal).then(
    () => "answered",
    () => "ended",
  );
  abort.abort();
  await settle();
  assert.deepEqual(requests[0].calls.at(-1), "abort");
  assert.equal(await Promise.race([outcome, "nothing"]), "ended");
});
