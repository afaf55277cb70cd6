/**
 * Times as people read them. The time of the day and the names of the last two days are texts: the first formatter of `Intl`
 * looks at every language that the browser knows, which is one long task. Most people who ask something see no other day.
 */

/** @param {string} lang @param {(key: "am" | "pm" | "today" | "yesterday") => string} t */
export function createTimes(lang, t) {
  /** @type {Map<object, Intl.DateTimeFormat>} */
  const formats = new Map();

  /** @param {Intl.DateTimeFormatOptions} options @param {Date} date */
  function format(options, date) {
    const made = formats.get(options) ?? new Intl.DateTimeFormat(lang, options);
    formats.set(options, made);
    return made.format(date);
  }

  /** As the language counts hours: "3:05 PM", or "15:05". @param {string} time */
  function clock(time) {
    const date = new Date(time);
    const hours = date.getHours();
    const half = t(hours < 12 ? "am" : "pm");
    const minutes = pad(date.getMinutes());
    return half ? `${hours % 12 || 12}:${minutes} ${half}` : `${pad(hours)}:${minutes}`;
  }

  /** The names of days, which are asked for again and again. @type {Record<string, string>} */
  const days = {};

  /** "Today", "Yesterday", or the date. @param {string} time */
  function day(time) {
    const date = new Date(time);
    return (days[`${date.toDateString()} ${new Date().getDate()}`] ??= name(date));
  }

  /** @param {Date} date */
  function name(date) {
    const distance = Math.round((midnight(date) - midnight(new Date())) / 86_400_000);
    if (distance === 0) return t("today");
    return distance === -1 ? t("yesterday") : format(distance < -300 ? LONG_DAY : DAY, date);
  }

  return { clock, day };
}

/** @typedef {ReturnType<typeof createTimes>} Times */

/** @type {Intl.DateTimeFormatOptions} */
const DAY = { weekday: "long", day: "numeric", month: "long" };
/** @type {Intl.DateTimeFormatOptions} */
const LONG_DAY = { day: "numeric", month: "long", year: "numeric" };

/** @param {number} value */
const pad = (value) => String(value).padStart(2, "0");

/** @param {Date} date */
const midnight = (date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
