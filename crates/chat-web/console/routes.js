/**
 * Addresses of the console: `#/mine` and the other lists, `#/s/<id>` for a session, `#/s/<id>/details`, `#/statistics`,
 * `#/agents`. The list beside an open session is kept in the entry of the browser's history.
 */

/** @import { ListName, Route } from "./types.js" */

/** @param {string} id */
export const isSessionId = (id) => /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id);

/** @param {Route} route */
export const addressOf = ({ view, session, details }) =>
  session === null ? `#/${view}` : `#/s/${encodeURIComponent(session)}${details ? "/details" : ""}`;

/**
 * What the browser's history keeps beside an address: the list, and the address from which one has come.
 *
 * @param {Route} route @param {string} [from]
 */
export const stateOf = ({ view }, from) => ({ chatConsole: view, from });

/**
 * What an address names; `null` if it is none of the console's.
 *
 * @param {string} hash
 * @param {readonly Route["view"][]} views those that the person has
 * @param {Route["view"]} view the list beside a session
 * @returns {Route | null}
 */
export function routeOf(hash, views, view) {
  const [, name = "", id = "", more = ""] = hash.replace(/^#/, "").split("/");
  if (name === "s" && id) return { view, session: idIn(id), details: more === "details" };
  const found = views.find((other) => other === name);
  return found ? { view: found, session: null, details: false } : null;
}

/** The id in an address, as the server writes it. @param {string} text */
function idIn(text) {
  let id = text;
  try {
    id = decodeURIComponent(text);
  } catch {
    // It is the id of nothing, which is said.
  }
  return isSessionId(id) ? id.toLowerCase() : id;
}

/**
 * @param {object} options
 * @param {boolean} options.addresses whether the address bar follows; else the route is in memory
 * @param {readonly [ListName, ...Route["view"][]]} options.views those that the person has, the one to begin with first
 * @param {() => void} options.changed
 */
export function createRouter({ addresses, views, changed }) {
  const [home] = views;
  /** @type {Route} */
  let route = { view: home, session: null, details: false };

  /** @param {unknown} state of the history @returns {Route["view"] | undefined} */
  const viewIn = (state) => views.find((view) => view === /** @type {any} */ (state)?.chatConsole);

  function read() {
    const known = viewIn(history.state);
    route = routeOf(location.hash, views, known ?? route.view) ?? { view: home, session: null, details: false };
    if (!known || location.hash !== addressOf(route)) write(true);
  }

  /** @param {boolean} replace @param {string} [before] */
  function write(replace, before) {
    isGoingBack = false;
    if (replace) history.replaceState(stateOf(route, history.state?.from), "", addressOf(route));
    else history.pushState(stateOf(route, before), "", addressOf(route));
  }

  let isGoingBack = false;

  /** Whether the list beside the session was not named by anybody, and another one may be shown. */
  let isGuessed = false;

  /** The address was opened, or a link to it was followed, or one has gone back. */
  function arrive() {
    const isKnown = viewIn(history.state) !== undefined;
    read();
    isGuessed = !isKnown && route.session !== null;
  }

  function moved() {
    isGoingBack = false;
    arrive();
    changed();
  }

  if (addresses) {
    arrive();
    addEventListener("popstate", moved);
  }

  return {
    get route() {
      return route;
    },
    get isGuessed() {
      return isGuessed;
    },
    go,
    /** To where one has probably come from. If one has, the history goes back too. @param {Partial<Route>} changes */
    back(changes) {
      const isKnown = addresses && history.state?.from === addressOf({ ...route, ...changes });
      if (!isKnown) return go(changes, { replace: true });
      // It takes a moment, in which a second press must not go further.
      if (!isGoingBack) history.back();
      isGoingBack = true;
    },
    close() {
      removeEventListener("popstate", moved);
    },
  };

  /** @param {Partial<Route>} changes @param {{ replace?: boolean }} [options] */
  function go(changes, { replace = false } = {}) {
    const next = { ...route, ...changes };
    if (!views.includes(next.view)) return;
    const isPage = next.view === "statistics" || next.view === "agents";
    if (isPage && !changes.session) next.session = null;
    // A session that is opened from a page stands beside a list again.
    else if (isPage) next.view = home;
    if (next.session !== route.session && changes.details === undefined) next.details = false;
    if (next.session === null) next.details = false;
    isGuessed = false;
    const isSame = next.view === route.view && next.session === route.session && next.details === route.details;
    if (isSame) return;
    const before = addressOf(route);
    route = next;
    if (addresses) write(replace, before);
    changed();
  }
}
