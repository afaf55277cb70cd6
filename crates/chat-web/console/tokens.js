/** What a token says of its person. It is read, not trusted: the server verifies it. */

/** @import { Me } from "./types.js" */

/** @param {string} token @returns {Record<string, unknown> | null} the claims of a JSON Web Token */
export function claimsOf(token) {
  try {
    const payload = atob((token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    const text = new TextDecoder().decode(Uint8Array.from(payload, (sign) => sign.charCodeAt(0)));
    const claims = JSON.parse(text);
    return typeof claims?.sub === "string" ? claims : null;
  } catch {
    return null;
  }
}

/** When it ends, in milliseconds since 1970. @param {string} token */
export const expiryOf = (token) => Number(claimsOf(token)?.exp ?? Infinity) * 1_000;

/** @param {string} token @param {Me["role"]} [role] as the server has said it: the claim may have another name @returns {Me} */
export function personOf(token, role) {
  const claims = claimsOf(token);
  return { id: String(claims?.sub ?? ""), role: role ?? (claims?.role === "admin" ? "admin" : "agent") };
}
