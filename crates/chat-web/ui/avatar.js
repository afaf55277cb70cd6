/** A person as a circle: initials on a colour of their own, or their picture where the page may load it. */

import { h } from "preact";

/** So many colours has `tokens.css`. */
const COLOURS = 6;

/** @param {import("../client/index.js").Person | null | undefined} person @param {boolean} hasPicture */
export function avatar(person, hasPicture) {
  const { id = "", name = id, avatarUrl = "" } = person ?? {};
  const colour = [...id].reduce((sum, letter) => (sum * 31 + Number(letter.codePointAt(0))) % 9973, 7) % COLOURS;
  return h(
    "span",
    { class: `avatar avatar-${colour}`, part: "avatar", "aria-hidden": true },
    hasPicture && avatarUrl.startsWith("https:")
      ? h("img", { src: avatarUrl, alt: "", referrerpolicy: "no-referrer" })
      : initials(name),
  );
}

/** The first letters of the first and the last word, as people see letters. @param {string} name */
export function initials(name) {
  const words = name.match(/[\p{L}\p{N}]\S*/gu) ?? [];
  const ends = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  // Not by a segmenter of `Intl`: the first one takes as long as the rest of the panel.
  const letters = ends.map((word = "") => /^.\p{M}*/u.exec(word)?.[0]);
  return letters.join("").toLocaleUpperCase();
}
