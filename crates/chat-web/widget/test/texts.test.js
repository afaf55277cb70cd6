/** The texts: each language has all of them, with the forms that its plural has. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { initials } from "../../ui/avatar.js";
import { linkify } from "../../ui/linkify.js";
import { createTimes } from "../../ui/time.js";
import { createWords } from "../../ui/words.js";
import en from "../texts/en.js";

const LANGUAGES = ["en", "de", "fr", "es", "ar"];

test("each language has each text, with the same values and the plural forms of CLDR", async () => {
  for (const lang of LANGUAGES) {
    const { default: texts } = await import(`../texts/${lang}.js`);
    assert.deepEqual(Object.keys(texts), Object.keys(en), lang);
    // Some categories belong to none and to millions, of which no text speaks.
    const rules = new Intl.PluralRules(lang);
    const categories = new Set(Array.from({ length: 1_000 }, (_, at) => rules.select(at + 1)));
    for (const [key, text] of Object.entries(en)) {
      if (typeof text === "string") {
        assert.deepEqual(valuesOf(texts[key]), valuesOf(text), `${lang} ${key}`);
        assert.ok(texts[key].trim() || MAY_BE_EMPTY.has(key), `${lang} ${key}`);
      } else {
        assert.deepEqual(Object.keys(texts[key]).sort(), [...categories].sort(), `${lang} ${key}`);
      }
    }
  }
});

/** Languages that count the hours to 24 have no halves of the day. */
const MAY_BE_EMPTY = new Set(["am", "pm"]);

/** @param {string} text */
const valuesOf = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

test("plurals are those of the language", async () => {
  /** @param {string} lang @param {number} n */
  const unread = async (lang, n) => createWords(lang, (await import(`../texts/${lang}.js`)).default)("unread", { n });
  assert.equal(await unread("en", 2), "Chat, 2 unread");
  assert.equal(await unread("de", 1), "Chat, 1 ungelesene Nachricht");
  assert.equal(await unread("de", 1234), "Chat, 1234 ungelesene Nachrichten");
  assert.equal(await unread("ar", 2), "دردشة، رسالتان غير مقروءتين");
});

test("a value is put in as it is, whatever it looks like", () => {
  const t = createWords("en", { typing: "{name} is typing…" });
  assert.equal(t("typing", { name: "$& {name} <b>" }), "$& {name} <b> is typing…");
});

test("days are named as people name them", async () => {
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1, 12);
  for (const lang of LANGUAGES) {
    const { day } = createTimes(lang, createWords(lang, (await import(`../texts/${lang}.js`)).default));
    const names = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
    assert.equal(day(today.toISOString()).toLowerCase(), names.format(0, "day"));
    assert.equal(day(yesterday.toISOString()).toLowerCase(), names.format(-1, "day"));
    assert.equal(
      day("2001-02-03T12:00:00Z"),
      new Intl.DateTimeFormat(lang, { dateStyle: "long" }).format(new Date("2001-02-03T12:00:00Z")),
    );
  }
});

test("initials are the first letters as people see them, with the signs that belong to them", () => {
  for (const [name, letters] of [
    ["Support", "S"],
    ["Ada King-Noel Lovelace", "AL"],
    ["łukasz Żak", "ŁŻ"],
    ["e\u0301lodie", "E\u0301"],
    ["दुकान", "दु"],
    ["山田 太郎", "山太"],
    ["", ""],
  ]) {
    assert.equal(initials(String(name)), letters);
  }
});

test("the time of the day is what Intl makes of it, but for a zero before the hours", async () => {
  for (const lang of LANGUAGES) {
    const { clock } = createTimes(lang, createWords(lang, (await import(`../texts/${lang}.js`)).default));
    const format = new Intl.DateTimeFormat(lang, { timeStyle: "short" });
    for (let minutes = 0; minutes < 24 * 60; minutes += 7) {
      const time = new Date(2026, 0, 5, 0, minutes);
      const expected = format.format(time).replace(/\s/g, " ");
      assert.equal(clock(time.toISOString()).replace(/^0(?=\d:)/, ""), expected.replace(/^0(?=\d:)/, ""), lang);
    }
  }
});

test("addresses are found in sentences and nothing else becomes a link", () => {
  /** @param {string} text */
  const links = (text) => linkify(text).flatMap((part) => (typeof part === "string" ? [] : [part.href]));
  assert.deepEqual(links("See https://example.com/a_(b), (https://example.com/c) and me@example.com."), [
    "https://example.com/a_(b)",
    "https://example.com/c",
    "mailto:me@example.com",
  ]);
  assert.deepEqual(
    links("javascript:alert(1) data:text/html,x ftp://example.com vbscript:x file:///etc //example.com"),
    [],
  );
  // A control that turns the direction around would make this look like another address.
  assert.deepEqual(links("https://example.com/\u202Egnp.exe"), ["https://example.com/"]);
  const text = "a https://example.com/?q=1&b=2#c b";
  assert.equal(
    linkify(text)
      .map((part) => (typeof part === "string" ? part : part.text))
      .join(""),
    text,
  );
});

test("a long text is searched for addresses in a time that grows with its length alone", () => {
  for (const [start, more] of /** @type {const} */ ([
    ["", "a."],
    ["", "a@"],
    ["", "a@b."],
    ["https://x/", ")"],
    ["https://x/", "("],
    ["https://x/", "."],
    ["https://x/", "&quot;"],
  ])) {
    // The fastest of five: what else the machine does is not counted. The square would be 256 times as long.
    const took = [10_000, 160_000].map((length) => {
      const text = start + more.repeat(length / more.length);
      return Math.min(
        ...Array.from({ length: 5 }, () => {
          const begin = performance.now();
          linkify(text);
          return performance.now() - begin;
        }),
      );
    });
    assert.ok(Number(took[1]) < 80 * Math.max(Number(took[0]), 0.5), `${start}${more}: ${took} ms`);
  }
});
