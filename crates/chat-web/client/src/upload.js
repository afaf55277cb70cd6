// Uploads that tell how far they are. `fetch` does not; XMLHttpRequest, which only browsers have, does.

/** @typedef {(url: string, init: any, onProgress?: (bytes: number) => void) => Promise<Response>} Fetch */

/**
 * `fetch`, and where an upload wants to know its progress, XMLHttpRequest in its place.
 * @type {Fetch}
 */
export function browserFetch(url, init, onProgress) {
  if (!onProgress || !globalThis.XMLHttpRequest) return globalThis.fetch(url, init);
  return new Promise((resolve, reject) => {
    init.signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(init.method, url);
    for (const [name, value] of Object.entries(init.headers))
      request.setRequestHeader(name, /** @type {string} */ (value));
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onerror = request.onabort = reject;
    request.onload = () => {
      const retryAfter = request.getResponseHeader("Retry-After");
      const headers = new Headers(retryAfter ? { "Retry-After": retryAfter } : {});
      resolve(new Response(request.responseText, { status: request.status, headers }));
    };
    init.signal.addEventListener("abort", () => request.abort());
    request.send(init.body);
  });
}
