// Sends one message of the outbox until the server has it or refuses it: uploads, repetition, waiting.
import { backoff } from "./backoff.js";
import { ChatError, toChatError } from "./errors.js";

/** @typedef {import("./outbox.js").Item} Item */

// For a file, the time limit allows for slow networks: bytes in a millisecond.
const SLOWEST = 16;
const LIMIT = 15_000;

/**
 * @param {object} ports
 * @param {import("./rest.js").Rest} ports.rest
 * @param {import("../index.d.ts").Clock} ports.clock
 * @param {() => number} ports.random
 * @param {(item: Item, delivery: import("../index.d.ts").Delivery, how?: {progress?: number, error?: ChatError}) => void} ports.report
 * @param {(item: Item) => Promise<void>} ports.keep stores a changed record
 */
export function createSender({ rest, clock, random, report, keep }) {
  /** @type {Map<() => void, boolean>} whether a person or the network may shorten it */
  const pauses = new Map();
  let isEnded = false;

  /**
   * @param {number} failures @param {number | null} [seconds] what the server has asked for, which only the end shortens
   * @returns {Promise<void>}
   */
  function pause(failures, seconds = null) {
    return new Promise((resolve) => {
      if (isEnded) return resolve();
      const wake = () => {
        clock.clearTimeout(timer);
        pauses.delete(wake);
        resolve();
      };
      const timer = clock.setTimeout(wake, Math.max((seconds ?? 0) * 1_000, backoff(failures, random)));
      pauses.set(wake, seconds === null);
    });
  }

  /** @param {Item} item @param {AbortSignal} signal */
  async function upload(item, signal) {
    const { files, uploads, sessionId } = item.record;
    const total = files.reduce((sum, { size }) => sum + size, 0);
    let before = files.slice(0, uploads.length).reduce((sum, { size }) => sum + size, 0);
    for (const file of files.slice(uploads.length)) {
      report(item, "uploading", { progress: before / total || 0 });
      const { body } = await rest.request("POST", `/sessions/${sessionId}/attachments`, {
        body: file,
        headers: { "Content-Type": file.type || "application/octet-stream", "Content-Disposition": disposition(file) },
        limit: LIMIT + file.size / SLOWEST,
        onProgress: (bytes) => {
          if (!signal.aborted) report(item, "uploading", { progress: Math.min(1, (before + bytes) / total) });
        },
        signal,
      });
      before += file.size;
      // Kept, so that a later attempt goes on after it, also on another page.
      item.record = { ...item.record, uploads: [...item.record.uploads, body.id] };
      await keep(item);
    }
  }

  return {
    pause,
    /** Ends the pauses that may be ended. @param {boolean} [isEnd] whether for good */
    wake(isEnd = false) {
      isEnded ||= isEnd;
      for (const [wake, isShort] of pauses) if (isShort || isEnd) wake();
    },

    /**
     * The stored message, or `null` when it need not be sent any more. What is thrown is final.
     * @param {Item} item
     * @param {() => unknown} isWanted
     * @returns {Promise<import("../index.d.ts").Message | null>}
     */
    async send(item, isWanted) {
      let hasUploadedAgain = false;
      for (let failures = 0; isWanted(); ) {
        const abort = (item.abort = new AbortController());
        try {
          await upload(item, abort.signal);
          report(item, "sending");
          const { key, sessionId, content, uploads } = item.record;
          const { body } = await rest.request("POST", `/sessions/${sessionId}/messages`, {
            body: { content, ...(uploads.length && { attachmentIds: uploads }) },
            headers: { "Idempotency-Key": key },
            signal: abort.signal,
          });
          return body;
        } catch (cause) {
          if (!isWanted()) break;
          const error = toChatError(cause);
          // The network has changed, and the request was begun on the old one.
          if (error.code === "ABORTED") continue;
          if (error.status === 400 && item.delivery === "sending" && item.record.uploads.length && !hasUploadedAgain) {
            // The server removes what is not sent within a day. The key is free still: a refused request has not used it.
            hasUploadedAgain = true;
            item.record = { ...item.record, uploads: [] };
            continue;
          }
          if (!error.retryable) throw error;
          report(item, "queued", { error });
          await pause(failures++, error.retryAfter);
        } finally {
          item.abort = null;
        }
      }
      return null;
    },
  };
}

/** RFC 6266 with the encoding of RFC 8187, for names in any language. @param {Blob} file */
function disposition(file) {
  const name = /** @type {Partial<File>} */ (file).name || "file";
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return `attachment; filename*=UTF-8''${encoded}`;
}
