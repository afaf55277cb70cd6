/** Finds addresses in the text of a message. What comes out is text and `http`, `https` and `mailto` links, never markup. */

/**
 * Controls that change the direction of text are no part of an address: they can make it look like another one. The parts of
 * an address of mail have limits, so that a long text without one is read once.
 */
const ADDRESS =
  /\b(?:https?:\/\/|mailto:)[^\s<>"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+|(?<![\w+-])\w[\w.+-]{0,63}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}\b/gi;

/**
 * @param {string} text
 * @returns {(string | { href: string, text: string })[]}
 */
export function linkify(text) {
  /** @type {(string | { href: string, text: string })[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const found = trimmed(match[0]);
    const href = safe(/^(?:https?|mailto):/i.test(found) ? found : `mailto:${found}`);
    if (!href) continue;
    parts.push(text.slice(end, match.index), { href, text: found });
    end = match.index + found.length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
}

/**
 * What ends a sentence does not end an address. A closing bracket belongs to it if the opening one does.
 *
 * @param {string} address
 */
function trimmed(address) {
  let { length } = address;
  let open = address.split("(").length - address.split(")").length;
  for (;;) {
    const last = address.charAt(length - 1);
    if (last && ".,:!?'*_".includes(last)) length--;
    else if (last === ";") length -= address.endsWith("&quot;", length) ? 6 : 1;
    else if (last === ")" && open < 0) {
      length--;
      open++;
    } else return address.slice(0, length);
  }
}

/** @param {string} address */
function safe(address) {
  try {
    const { protocol, href } = new URL(address);
    return /^(?:https?|mailto):$/.test(protocol) ? href : null;
  } catch {
    return null;
  }
}
