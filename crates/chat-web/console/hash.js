/** Names without the name: what stays in the browser after a sign-out does not say whose it is to who looks at it. */

/**
 * A number of 53 bits for a text, in letters: cyrb53, by which keys differ. It is no secret, since a program that knows an id
 * can compute it, and also works where the browser has no cryptography, as on a page without TLS.
 *
 * @param {string} text
 */
export function hashOf(text) {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    high = Math.imul(high ^ sign, 2654435761);
    low = Math.imul(low ^ sign, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36);
}
