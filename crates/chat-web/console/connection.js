/** Whether the console hears from the server, in words: with the seconds until the next attempt, and a button to try now. */

import { Component, h } from "preact";

/** @import { ConsoleUi, Desk } from "./types.js" */

/** A short break is no news: so long nothing is shown but the sign of it. */
const PATIENCE_MS = 1_000;

/** @typedef {{ desk: Desk, t: ConsoleUi["t"], view: Desk["connection"] }} ConnectionProps */

/** @extends {Component<ConnectionProps>} */
export class Connection extends Component {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** Whether it was said that the connection is lost: a countdown is not said each second. */
  #isSaid = false;
  #isEnding = false;
  #isCalm = true;
  /** Whether there was a connection that can be lost. */
  #wasLive = false;
  #since = Date.now();

  componentDidMount() {
    this.#timer = setInterval(() => {
      if (this.props.desk.connection.state !== "live") this.forceUpdate();
    }, 500);
  }

  componentWillUnmount() {
    clearInterval(this.#timer);
  }

  componentDidUpdate() {
    const { desk, t } = this.props;
    const { state, error } = desk.connection;
    const isLive = state === "live";
    const isEnding = isLive && error?.code === "AUTH";
    if (isEnding && !this.#isEnding) desk.say(t("signInEndsSaid"), "assertive");
    this.#isEnding = isEnding;
    if (isLive && this.#isSaid) {
      desk.say(t("connectedAgain"));
      this.#isSaid = false;
    } else if (!isLive && !this.#isCalm && !this.#isSaid) {
      this.#isSaid = true;
      desk.say(t(this.#wasLive ? "connectionLost" : "connectionSlow"), "assertive");
    }
  }

  /** @param {ConnectionProps} props */
  render({ desk, t, view: { state, retryAt, error } }) {
    if (state === "live") {
      this.#wasLive = true;
      this.#since = 0;
      this.#isCalm = true;
      const isEnding = error?.code === "AUTH";
      const words = h("span", { class: "connection-text" }, t(isEnding ? "signInEnds" : "connected"));
      return status(isEnding ? "ending" : "live", words);
    }
    this.#since ||= Date.now();
    this.#isCalm = Date.now() - this.#since < PATIENCE_MS;
    const seconds = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1_000));
    const isOffline = state === "offline" || !navigator.onLine;
    const text = this.#isCalm
      ? t("connecting")
      : isOffline
        ? t("youAreOffline")
        : seconds > 0
          ? t("reconnectingIn", { n: seconds })
          : t(this.#wasLive ? "reconnectingNow" : "connecting");
    return status("lost", [
      h("span", { class: "connection-text" }, text),
      !this.#isCalm && [
        h("span", { class: "connection-or" }, t(seconds > 0 && !isOffline ? "orNow" : "tryIt")),
        h("button", { class: "link", onClick: () => desk.retryNow() }, t("now")),
      ],
    ]);
  }
}

/** @param {string} kind @param {import("preact").ComponentChildren} content */
const status = (kind, content) =>
  h(
    "div",
    { class: `connection-state connection-${kind}` },
    h("span", { class: "connection-dot", "aria-hidden": true }),
    content,
  );
