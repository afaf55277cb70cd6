// Requests to the REST API: token, time limit, and one type of failure.
import { abortedError, errorOfResponse, networkError, protocolError, timeoutError } from "./errors.js";

/** @typedef {ReturnType<typeof createRest>} Rest */
/**
 * @typedef {object} RequestOptions
 * @property {any} [body] sent as JSON, a `Blob` as it is
 * @property {Record<string, string>} [headers]
 * @property {Record<string, unknown>} [query] what is `undefined` is left out
 * @property {AbortSignal} [signal]
 * @property {number} [limit] milliseconds for one attempt
 * @property {boolean} [bytes] whether the answer is a file
 * @property {(bytes: number) => void} [onProgress] how much of the body is sent, where that is known
 */

const LIMIT = 15_000;

/**
 * @param {string} base
 * @param {import("./tokens.js").Tokens} tokens
 * @param {import("./upload.js").Fetch} fetch
 * @param {import("../index.d.ts").Clock} clock
 */
export function createRest(base, tokens, fetch, clock) {
  /**
   * @param {string} method @param {string} path @param {RequestOptions} options @param {string} token
   * @returns {Promise<{status: number, headers: Headers, body: any}>}
   */
  function attempt(method, path, { body, headers, signal, limit = LIMIT, bytes = false, onProgress }, token) {
    return new Promise((resolve, reject) => {
      const abort = new AbortController();
      // The promise ends here and not where `fetch` notices: it may take its time over a dead network.
      const giveUp = (/** @type {Error} */ error) => {
        reject(error);
        abort.abort();
      };
      const onAbort = () => giveUp(abortedError());
      const timer = clock.setTimeout(() => giveUp(timeoutError()), limit);
      if (signal?.aborted) onAbort();
      signal?.addEventListener("abort", onAbort);

      const isFile = body instanceof Blob;
      const json = body !== undefined && !isFile;
      const run = async () => {
        const init = {
          method,
          headers: {
            Authorization: `Bearer ${token}`,
            ...(json && { "Content-Type": "application/json" }),
            ...headers,
          },
          body: json ? JSON.stringify(body) : body,
          signal: abort.signal,
          // Who calls is in the token alone, and a cached answer would be an old one.
          credentials: /** @type {const} */ ("omit"),
          cache: /** @type {const} */ ("no-store"),
        };
        const response = await fetch(base + path, init, onProgress);
        const { status, headers: answered } = response;
        if (bytes && response.ok) return { status, headers: answered, body: await response.blob() };
        const text = await response.text();
        return { status, headers: answered, body: status === 204 ? null : parse(text) };
      };
      run()
        .then(resolve, (error) => reject(networkError(error)))
        .finally(() => {
          clock.clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
        });
    });
  }

  return {
    /**
     * The answer, if it is 2xx. A refused token is renewed once.
     * @param {string} method @param {string} path @param {RequestOptions} [options]
     */
    async request(method, path, options = {}) {
      const address = `/api/chat${path}${queryOf(options.query)}`;
      const token = await tokens.get();
      let answer = await attempt(method, address, options, token);
      if (answer.status === 401) {
        answer = await attempt(method, address, options, await tokens.renew(token, "rejected"));
      }
      const { status, headers, body } = answer;
      if (status < 200 || status > 299) throw errorOfResponse(status, headers.get("Retry-After"), body, clock.now());
      // Networks that ask for a log-in answer everything with a page of theirs.
      if (body === undefined) throw protocolError("the answer is not JSON", true);
      return { headers, body };
    },
  };
}

/** @param {Record<string, unknown>} [query] */
function queryOf(query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  return pairs.length ? `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}` : "";
}

/** @param {string} text `undefined` for what is not JSON */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
