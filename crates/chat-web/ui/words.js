/** Texts in the language of the page. Plural forms are those of `Intl`. */

/**
 * A text, or its plural forms by the categories of CLDR. `{name}` stands for a value, and `{n}` for the number.
 *
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text
 * @typedef {Record<string, string | number>} Values
 */

/**
 * @template {string} K
 * @param {string} lang
 * @param {Record<K, Text>} table
 * @returns {(key: K, values?: Values) => string}
 */
export function createWords(lang, table) {
  /** @type {Intl.PluralRules | undefined} */
  let rules;
  // A name in Latin letters at the beginning must not turn an Arabic sentence around.
  const [before, after] = lang === "ar" ? ["\u2068", "\u2069"] : ["", ""];
  return (key, values = {}) => {
    let text = table[key];
    if (typeof text === "object") {
      rules ??= new Intl.PluralRules(lang);
      text = text[rules.select(Number(values.n))] ?? text.other ?? "";
    }
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name] ?? "";
      return typeof value === "number" ? String(value) : before + value + after;
    });
  };
}
