/** The list of earlier chats. It is loaded when it is opened, so it is given Preact: one copy of it stays in the panel. */

import styles from "./earlier.css";

/** @import { Parts } from "./app.js" */

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);

/** @param {Element | null} list */
function adopt(list) {
  const root = /** @type {ShadowRoot | undefined} */ (list?.getRootNode());
  if (root && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}

/**
 * @param {typeof import("preact").h} h
 * @param {(name: import("../ui/icons.js").IconName) => import("preact").VNode} icon
 * @param {Parts} parts
 */
export function earlier(h, icon, { ui: { t, times }, model }) {
  if (!model.earlier.length) return h("p", { class: "notice" }, t("noEarlier"));
  return h(
    "ul",
    { class: "earlier", ref: adopt },
    model.earlier.map(({ id, subject, startedAt, status }, at) => {
      const date = times.day(startedAt);
      const isClosed = status === "closed";
      return h(
        "li",
        { key: id },
        h(
          "button",
          { class: at ? "" : "focus-first", onClick: () => model.open(id, isClosed) },
          h("bdi", { class: "label" }, subject ?? t("chatOf", { date })),
          h("small", null, date, " · ", t(isClosed ? "ended" : "active")),
          icon("next"),
        ),
      );
    }),
  );
}
