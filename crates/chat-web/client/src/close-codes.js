// What a client does after a socket has ended: the table of close codes in the socket's reference.

/**
 * @typedef {{next: "stop", code: string} | {next: "renew" | "draining" | "dormant" | "retry"} | {next: "wait", seconds: number}} AfterClose
 */

// The client's own fault, or no right any more: to connect again would end in the same way.
const FINAL = new Map([
  [1002, "PROTOCOL"],
  [1003, "PROTOCOL"],
  [1007, "PROTOCOL"],
  [1009, "PROTOCOL"],
  [4400, "PROTOCOL"],
  [4403, "FORBIDDEN"],
  [4404, "SESSION_NOT_FOUND"],
]);

/** @param {number} code @param {string} reason @returns {AfterClose} */
export function afterClose(code, reason) {
  const final = FINAL.get(code);
  if (final) return { next: "stop", code: final };
  if (code === 4401) return { next: "renew" };
  if (code === 1001) return { next: "draining" };
  // Another tab or device of the same person took the place. Coming back at once would take it from that one.
  if (code === 4409) return { next: "dormant" };
  if (code === 4429) return { next: "wait", seconds: Number(/\d+/.exec(reason)?.[0] ?? 30) };
  return { next: "retry" };
}
