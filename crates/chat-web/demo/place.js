/**
 * Keeps the widget on the customer's side. Its button and its panel are fixed to the window, and an element around the widget
 * that contains its layout takes the window's place for them. That element is beside the body too: on a phone an open panel
 * makes the body inert.
 */

/** @import { ChatWidget } from "../widget/types.js" */

/** @param {() => Promise<string>} token of the customer */
export function placeWidget(token) {
  const place = document.createElement("div");
  place.className = "widget-place";
  document.documentElement.append(place);

  const page = /** @type {{ chatWidget?: Pick<ChatWidget, "push"> }} */ (/** @type {unknown} */ (window));
  /** @type {Pick<ChatWidget, "push">} */
  const chatWidget = (page.chatWidget ??= /** @type {any} */ ([]));
  chatWidget.push(
    [
      "on",
      "ready",
      () => {
        const widget = document.querySelector("chat-widget");
        if (widget && widget.parentNode !== place) place.append(widget);
      },
    ],
    // On a phone the panel covers the window then, and not its place.
    ["on", "open", () => place.classList.add("is-open")],
    ["on", "close", () => place.classList.remove("is-open")],
    ["identify", { token }],
  );
  // Elsewhere it would cover the console, or the page would begin in its middle, where the form has the focus.
  if (matchMedia("(min-width: 1001px), (min-width: 641px) and (min-height: 900px)").matches) chatWidget.push(["open"]);
}
