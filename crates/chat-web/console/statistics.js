/** The page with the figures of the desk, for admins. They are read again by themselves while the page is seen. */

import { Component, h } from "preact";

/** @import { Statistics as Figures } from "../client/index.js" */
/** @import { Parts } from "./types.js" */

const EVERY_MS = 30_000;

/** @param {Parts} parts */
export const statistics = (parts) => h(Statistics, { parts });

/**
 * @typedef {object} State
 * @property {Figures | null} figures
 * @property {string} readAt a time of the clock
 * @property {boolean} hasFailed
 *
 * @extends {Component<{ parts: Parts }, State>}
 */
class Statistics extends Component {
  /** @type {State} */
  state = { figures: null, readAt: "", hasFailed: false };
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #isGone = false;

  componentDidMount() {
    void this.#read();
    this.#timer = setInterval(() => document.hidden || void this.#read(), EVERY_MS);
  }

  componentWillUnmount() {
    this.#isGone = true;
    clearInterval(this.#timer);
  }

  async #read() {
    const { desk, ui } = this.props.parts;
    try {
      const figures = await desk.client.stats();
      const readAt = ui.times.clock(new Date().toISOString());
      if (!this.#isGone) this.setState({ figures, readAt, hasFailed: false });
    } catch {
      // The figures of before stay, with the time at which they were read.
      if (!this.#isGone) this.setState({ hasFailed: true });
    }
  }

  render() {
    const { t, lang } = this.props.parts.ui;
    const { figures, readAt, hasFailed } = this.state;
    return h(
      "section",
      { class: "page", "aria-labelledby": "statistics-title" },
      h(
        "header",
        { class: "page-header" },
        h("h2", { id: "statistics-title" }, t("statistics")),
        readAt && h("p", null, t("asOf", { time: readAt })),
        h("button", { class: "secondary", onClick: () => void this.#read() }, t("refresh")),
      ),
      hasFailed && h("p", { class: "page-problem", role: "alert" }, t("statisticsFailed")),
      figures ? list(figures, lang, t) : !hasFailed && h("p", { class: "page-empty" }, t("statisticsLoading")),
    );
  }
}

/** @param {Figures} figures @param {string} lang @param {Parts["ui"]["t"]} t */
function list(figures, lang, t) {
  const { totalSessions, activeSessions, averageResponseTime, messagesExchanged } = figures;
  const number = new Intl.NumberFormat(lang);
  /** @type {[name: string, value: string, more: string][]} */
  const all = [
    [t("activeSessions"), number.format(activeSessions), t("activeSessionsMore")],
    [
      t("responseTime"),
      averageResponseTime > 0 ? duration(averageResponseTime, lang) : t("responseTimeNone"),
      t("responseTimeMore"),
    ],
    [t("totalSessions"), number.format(totalSessions), t("totalSessionsMore")],
    [t("totalMessages"), number.format(messagesExchanged), t("totalMessagesMore")],
  ];
  return h(
    "dl",
    { class: "figures" },
    all.map(([name, value, more]) =>
      h("div", { key: name }, h("dt", null, name), h("dd", null, value), h("dd", { class: "figure-more" }, more)),
    ),
  );
}

/**
 * In the largest unit of which there is at least one, such as "45 seconds" or "2.5 minutes".
 *
 * @param {number} minutes @param {string} lang
 */
export function duration(minutes, lang) {
  /** @type {[amount: number, unit: string]} */
  const [amount, unit] =
    minutes < 1 ? [minutes * 60, "second"] : minutes < 60 ? [minutes, "minute"] : [minutes / 60, "hour"];
  /** @type {Intl.NumberFormatOptions} */
  const options = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: unit === "second" ? 0 : 1 };
  return new Intl.NumberFormat(lang, options).format(unit === "second" ? Math.max(1, Math.round(amount)) : amount);
}
