/** Finds addresses in the text of a message. What comes out is text and `http`, `https` and `mailto` links, never markup. */

/** Controls that change the direction of text are no part of an address: they can make it look like another one. */
const ADDRESS =
  /\b(?:https?:\/\/|mailto:)[^\s<>"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b/gi;
/** What ends a sentence does not end an address. A closing bracket belongs to it if the opening one does. */
const TRAILING = /(?:[.,;:!?'*_]|&quot;|\)(?<!\([^()]*\)))+$/;

/**
 * @param {string} text
 * @returns {(string | { href: string, text: string })[]}
 */
export function linkify(text) {
  /** @type {(string | { href: string, text: string })[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const found = match[0].replace(TRAILING, "");
    const href = safe(/^(?:https?|mailto):/i.test(found) ? found : `mailto:${found}`);
    if (!href) continue;
    parts.push(text.slice(end, match.index), { href, text: found });
    end = match.index + found.length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
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
