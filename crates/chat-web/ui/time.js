/** Times as people read them, by `Intl`. A formatter takes milliseconds to make, so each is made when it is needed. */

/** @param {string} lang */
export function createTimes(lang) {
  /** @type {Map<object, Intl.DateTimeFormat>} */
  const formats = new Map();

  /** @param {Intl.DateTimeFormatOptions} options @param {Date} date */
  function format(options, date) {
    const made = formats.get(options) ?? new Intl.DateTimeFormat(lang, options);
    formats.set(options, made);
    return made.format(date);
  }

  /** @param {string} time */
  const clock = (time) => format(CLOCK, new Date(time));

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
    if (distance > 0 || distance < -1) return format(distance < -300 ? LONG_DAY : DAY, date);
    const words = new Intl.RelativeTimeFormat(lang, { numeric: "auto" }).format(distance, "day");
    return words.charAt(0).toLocaleUpperCase(lang) + words.slice(1);
  }

  return { clock, day };
}

/** @typedef {ReturnType<typeof createTimes>} Times */

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { timeStyle: "short" };
/** @type {Intl.DateTimeFormatOptions} */
const DAY = { weekday: "long", day: "numeric", month: "long" };
/** @type {Intl.DateTimeFormatOptions} */
const LONG_DAY = { day: "numeric", month: "long", year: "numeric" };

/** @param {Date} date */
const midnight = (date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
