// The one type of failure that callers see.

export class ChatError extends Error {
  name = "ChatError";
  status = 0;
  retryable = false;
  /** @type {number | null} */
  retryAfter = null;
  /** @type {string | null} */
  requestId = null;
  /** @type {import("../index.d.ts").ChatErrorFields["details"]} */
  details = [];

  /**
   * @param {string} code
   * @param {string} message
   * @param {Partial<import("../index.d.ts").ChatErrorFields> & {cause?: unknown}} [fields]
   */
  constructor(code, message, { cause, ...fields } = {}) {
    super(message, { cause });
    this.code = code;
    Object.assign(this, fields);
  }
}

/** @param {unknown} cause */
export const networkError = (cause) =>
  new ChatError("NETWORK", "no connection", { retryable: true, cause });
export const timeoutError = () => new ChatError("TIMEOUT", "no answer in time", { retryable: true });
export const abortedError = () => new ChatError("ABORTED", "given up");
/** @param {unknown} [cause] @param {number} [status] */
export const authError = (cause, status = 0) =>
  new ChatError("AUTH", "no valid token: sign in again", { retryable: true, status, cause });
/** @param {unknown} cause */
export const storageError = (cause) =>
  new ChatError("STORAGE", "the storage has failed", { retryable: true, cause });
/** @param {string} message @param {boolean} [retryable] */
export const protocolError = (message, retryable = false) => new ChatError("PROTOCOL", message, { retryable });

// Statuses below 500 that say "later": 408 and 425 come from proxies.
const LATER = new Set([408, 425, 429]);

/**
 * The failure that an answer other than 2xx stands for. A proxy's own page has no code.
 * @param {number} status
 * @param {string | null} retryAfter the header
 * @param {any} body
 * @param {number} now
 */
export function errorOfResponse(status, retryAfter, body, now) {
  const error = body?.error;
  const retryable = status >= 500 || LATER.has(status);
  const code = error?.code ?? (retryable ? "NETWORK" : "PROTOCOL");
  if (status === 401) return authError(error?.message, status);
  return new ChatError(code, error?.message ?? `the server answered ${status}`, {
    status,
    retryable,
    retryAfter: seconds(retryAfter, now),
    requestId: error?.requestId ?? null,
    details: error?.details ?? [],
  });
}

/**
 * Whether asking again is in vain: the server refuses the person, or knows no such session. The page of a proxy with such a
 * status, as while a server is replaced, says nothing of either.
 *
 * @param {ChatError} error
 */
export const isFinal = ({ status, code }) => (status === 403 || status === 404) && code !== "PROTOCOL";

/** `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). @param {string | null} header @param {number} now */
function seconds(header, now) {
  if (!header) return null;
  const value = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(value) ? Math.min(86_400, Math.max(0, value)) : null;
}

/** What structured clone keeps of an error. @param {ChatError} error */
export const toRecord = ({ code, message, status, retryable, retryAfter, requestId, details }) => ({
  code,
  message,
  status,
  retryable,
  retryAfter,
  requestId,
  details,
});

/** @param {{code: string, message: string} & import("../index.d.ts").ChatErrorFields} record */
export const fromRecord = (record) => new ChatError(record.code, record.message, record);

/** @param {unknown} cause */
export const toChatError = (cause) =>
  cause instanceof ChatError ? cause : new ChatError("PROTOCOL", String(cause), { cause, retryable: true });
