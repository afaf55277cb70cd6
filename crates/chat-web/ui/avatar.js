/** A person as a circle: initials on a colour of their own, or their picture where the page may load it. */

import { html } from "./html.js"

/** So many colours has `tokens.css`. */
const COLOURS = 6

/**
 * @param {{ person?: { id: string, name?: string, avatarUrl?: string } | null, picture?: boolean }} props
 */
export function Avatar({ person, picture }) {
  const name = person?.name ?? person?.id ?? ""
  const colour = [...(person?.id ?? "")].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973, 7) % COLOURS
  return html`<span class=${`avatar avatar-${colour}`} part="avatar" aria-hidden="true">
    ${picture && person?.avatarUrl?.startsWith("https:")
      ? html`<img src=${person.avatarUrl} alt="" referrerpolicy="no-referrer" />`
      : initials(name)}
  </span>`
}

/** The first letters of the first and the last word, as people see letters. @param {string} name */
export function initials(name) {
  const words = name.match(/[\p{L}\p{N}\p{Extended_Pictographic}][^\s]*/gu) ?? []
  const ends = words.length > 1 ? [words[0], words[words.length - 1]] : words
  return ends.map((word) => first(word ?? "")).join("").toLocaleUpperCase()
}

/** @param {string} word */
function first(word) {
  for (const { segment } of new Intl.Segmenter().segment(word)) return segment
  return ""
}
