/** The layout: the bar at the top, the views with their counts, the list, the thread and the details of the customer. */

import { Component, h } from "preact";

import { avatar } from "../ui/avatar.js";
import { icon as common } from "../ui/icons.js";
import { signOut } from "./actions.js";
import { Connection } from "./connection.js";
import { customer } from "./customer.js";
import { openHelp } from "./help.js";
import { icon } from "./icons.js";
import { List } from "./list.js";
import { isSessionId } from "./routes.js";
import { thread } from "./thread.js";

/** @import { Parts, Route } from "./types.js" */

/** @param {Parts} parts @param {boolean} isPage whether the page has nothing but the console */
export function shell(parts, isPage) {
  const { desk, ui } = parts;
  const { view, session, details } = desk.route;
  const isOther = view === "statistics" || view === "agents";
  const at = isOther ? "page" : session === null ? "list" : details ? "details" : "thread";
  const hasSide = session !== null && !isOther && isSessionId(session);
  const kinds = ["frame", `at-${at}`, hasSide && desk.settings.value.details && "with-details"];
  return h(
    "div",
    { class: kinds.filter(Boolean).join(" ") },
    top(parts, isPage),
    views(parts),
    // Around all columns: on a narrow screen any of them may be the only one.
    h(
      "div",
      { class: "columns", role: isPage ? "main" : null },
      !isOther && h("div", { class: "list-column" }, h(List, { key: view, parts, name: view })),
      h(
        "div",
        { class: "middle", role: "region", "aria-label": ui.t("title"), tabIndex: -1 },
        isOther && h(LazyPage, { key: view, parts, name: view }),
        !isOther && (session === null ? nothingOpen(parts) : opened(parts, session)),
      ),
      hasSide &&
        h(
          "aside",
          { class: "side", "aria-label": ui.t("details") },
          h(
            "div",
            { class: "side-head" },
            h(
              "button",
              {
                class: "button side-back",
                "aria-label": ui.t("back"),
                title: ui.t("back"),
                onClick: () => desk.back({ details: false }),
              },
              common("back"),
            ),
            h("h2", null, ui.t("details")),
          ),
          customer(parts),
        ),
    ),
  );
}

/** @param {Parts} parts @param {boolean} isPage whose heading it is then */
function top({ desk, ui, ...rest }, isPage) {
  const { t } = ui;
  const { me, availability } = desk;
  const name = desk.nameOf(me.id);
  return h(
    "header",
    { class: "top" },
    h(isPage ? "h1" : "p", { class: "brand" }, t("title")),
    h(Connection, { desk, t, view: desk.connection }),
    availability &&
      h(
        "label",
        { class: `availability is-${availability}` },
        h("span", { class: "unseen" }, t("availability")),
        h("span", { class: `presence presence-${availability}`, "aria-hidden": true }),
        h(
          "select",
          {
            value: availability,
            onChange: (/** @type {{ currentTarget: HTMLSelectElement }} */ { currentTarget }) =>
              void desk.setAvailability(currentTarget.value === "away" ? "away" : "online"),
          },
          h("option", { value: "online" }, t("online")),
          h("option", { value: "away" }, t("away")),
        ),
      ),
    h(
      "span",
      { class: "me", title: t("signedInAs", { name }) },
      avatar({ id: me.id, name }, ui.avatars),
      h("bdi", null, name),
    ),
    h(
      "button",
      { class: "button", "aria-label": t("help"), title: t("help"), onClick: () => openHelp({ desk, ui, ...rest }) },
      icon("gear"),
    ),
    h(
      "button",
      {
        class: "button sign-out",
        "aria-label": t("signOut"),
        title: t("signOut"),
        onClick: () => signOut({ desk, ui, ...rest }),
      },
      icon("out"),
    ),
  );
}

/** @param {Parts} parts */
function views(parts) {
  const { desk, ui } = parts;
  const pages = desk.me.role === "admin" ? /** @type {const} */ (["statistics", "agents"]) : [];
  return h(
    "nav",
    { class: "views", "aria-label": ui.t("views") },
    [...desk.lists, ...pages].map((view) => link(parts, view)),
  );
}

/** @param {Parts} parts @param {Route["view"]} view */
function link({ desk, ui: { t }, address }, view) {
  const isPage = view === "statistics" || view === "agents";
  const count = isPage ? null : desk.countOf(view);
  const unread = view === "mine" ? desk.unread : 0;
  return h(
    "a",
    {
      key: view,
      class: "view",
      href: address({ view, session: null, details: false }),
      "aria-current": desk.route.view === view ? "page" : null,
      onClick(/** @type {MouseEvent} */ event) {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        desk.go({ view, session: null });
      },
    },
    h("span", { class: "view-icon" }, icon(view), unread > 0 && h("span", { class: "view-dot" })),
    h("span", { class: "view-name" }, t(view)),
    // Its line is there before it is known, so that nothing moves.
    !isPage && [" ", h("span", { class: "view-count" }, count ?? "\u00a0")],
    unread > 0 && h("span", { class: "unseen" }, ` ${t("unreadCount", { n: unread })}`),
  );
}

/** @param {Parts} parts @param {string} id */
function opened(parts, id) {
  const { desk, ui } = parts;
  if (isSessionId(id)) return thread(parts);
  return h(
    "div",
    { class: "notice" },
    h("p", { class: "big" }, ui.t("unknownSession")),
    h("button", { class: "primary", onClick: () => desk.go({ session: null }, { replace: true }) }, ui.t("toList")),
  );
}

/** @param {Parts} parts */
function nothingOpen({ desk, ui: { t } }) {
  return h(
    "div",
    { class: "notice nothing-open" },
    h("p", { class: "big" }, t("nothingOpen")),
    h("p", null, t(desk.settings.value.shortcuts ? "nothingOpenKeys" : "nothingOpenMore")),
  );
}

/**
 * @typedef {{ parts: Parts, name: "statistics" | "agents" }} LazyProps
 * @typedef {{ draw: ((parts: Parts) => import("preact").ComponentChildren) | null, isFailed: boolean }} LazyState
 */

/** How often these pages could not be loaded. */
let failures = 0;

/**
 * A page that few need: it is loaded when it is opened.
 *
 * @extends {Component<LazyProps, LazyState>}
 */
class LazyPage extends Component {
  /** @type {LazyState} */
  state = { draw: null, isFailed: false };

  componentDidMount() {
    this.load();
  }

  load = () => {
    this.setState({ isFailed: false });
    // A browser may keep the failure of an address as long as the page lives, so another attempt has another address.
    const again = `./pages.js?try=${failures}`;
    /** @type {Promise<typeof import("./pages.js")>} */
    const loading = failures === 0 ? import("./pages.js") : import(again);
    loading.then(
      (pages) => this.setState({ draw: pages[this.props.name] }),
      () => {
        failures++;
        this.setState({ isFailed: true });
      },
    );
  };

  /** @param {LazyProps} props */
  render({ parts }) {
    const { draw, isFailed } = this.state;
    const { t } = parts.ui;
    if (draw) return draw(parts);
    if (!isFailed) return h("p", { class: "notice late" }, t("loadingPage"));
    return h(
      "div",
      { class: "notice" },
      h("p", null, t("pageFailed")),
      failures > 1 && h("p", null, t("reloadMore")),
      h("button", { class: "primary", onClick: this.load }, t("retry")),
      failures > 1 && h("button", { class: "secondary", onClick: () => location.reload() }, t("reload")),
    );
  }
}
