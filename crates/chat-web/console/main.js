/**
 * The page `/console`. A token is taken from the fragment, which is removed at once, else from the storage of this tab, else
 * from the sign-in. It is kept in the tab alone, and never in an address.
 */

import { render } from "preact";

import { createWords } from "../ui/words.js";
import { adopt, adoptStyles, mountConsole } from "./mount.js";
import page from "./page.css";
import { checkToken, showSignIn } from "./sign-in.js";
import texts from "./texts.js";

/** @import { Me, MountedConsole, MountOptions } from "./types.js" */

const KEY = "chatConsole:signIn";
const t = createWords("en", texts);
/** The server's address, which may have a path. */
const url = new URL(".", location.href).href.replace(/\/$/, "");

/** Where the browser stores nothing, the sign-in lasts as long as the page. */
const storage = (() => {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
})();

/** @type {MountedConsole | null} */
let mounted = null;
/** Changes with each sign-in: what was asked for an earlier one is not shown. */
let turn = 0;

/** The token in the fragment, which is not there any more when this returns. */
function takeToken() {
  const found = /^#token=([^&]*)/.exec(location.hash)?.[1];
  if (found === undefined) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  try {
    return decodeURIComponent(found);
  } catch {
    return found;
  }
}

/** @returns {{ token: string, role: Me["role"] } | null} */
function stored() {
  try {
    const { token, role } = JSON.parse(storage?.getItem(KEY) ?? "null") ?? {};
    return typeof token === "string" && (role === "agent" || role === "admin") ? { token, role } : null;
  } catch {
    return null;
  }
}

/** An empty page of a kind. @param {string} kind */
function begin(kind) {
  turn++;
  mounted?.destroy();
  mounted = null;
  const old = document.querySelector(".console-page");
  if (old) {
    render(null, old);
    old.remove();
  }
  const place = document.createElement("div");
  place.className = `console-page ${kind}`;
  document.body.append(place);
  return place;
}

/** @param {string} token @param {Me["role"]} role */
function enter(token, role) {
  try {
    storage?.setItem(KEY, JSON.stringify({ token, role }));
  } catch {
    // Not stored: one signs in again after a reload.
  }
  mounted = mountConsole(begin("is-console"), { url, token, role, addresses: true, signedOut });
}

/** @type {NonNullable<MountOptions["signedOut"]>} */
function signedOut(why) {
  ask(why === "signOut" ? "signedOutNow" : why === "expired" ? "sessionExpired" : "sessionRefused");
}

/** @param {import("./texts.js").Key | null} why */
function ask(why) {
  storage?.removeItem(KEY);
  showSignIn(begin("chat sign-in"), { url, t, why, done: enter });
}

/** A token of an address is asked about first, as one that is pasted. @param {string} token */
async function enterWith(token) {
  const place = begin("chat sign-in");
  const mine = turn;
  const note = document.createElement("p");
  note.className = "sign-in-wait late";
  note.textContent = t("signingIn");
  place.append(note);
  const result = await checkToken(url, token);
  if (mine !== turn) return;
  if ("role" in result) enter(token, result.role);
  else ask(result.problem);
}

adoptStyles();
adopt(page);
// A link with a token may be followed while the console is open. Here first: the console's routes would not know it.
addEventListener("popstate", (event) => {
  const token = takeToken();
  if (token === null) return;
  event.stopImmediatePropagation();
  void enterWith(token);
});

const given = takeToken();
const known = stored();
if (given !== null) void enterWith(given);
else if (known) enter(known.token, known.role);
else ask(null);
