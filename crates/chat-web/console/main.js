/**
 * The page `/console`. A token is taken from the fragment, which is removed at once, else from the storage of this tab, else
 * from the sign-in. It is kept in the tab alone, and never in an address.
 */

import { render } from "preact";

import { createWords } from "../ui/words.js";
import { hashOf } from "./hash.js";
import { adopt, adoptStyles, mountConsole } from "./mount.js";
import page from "./page.css";
import { addressOf, stateOf } from "./routes.js";
import { checkToken, showSignIn } from "./sign-in.js";
import texts from "./texts.js";
import { personOf } from "./tokens.js";

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

/** A sign-in of this tab, with the time of it. @typedef {{ token: string, role: Me["role"], at: number }} SignIn */

/** @type {MountedConsole | null} */
let mounted = null;
/** That of the console that is mounted. @type {SignIn | null} */
let current = null;
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

/** @returns {SignIn | null} */
function stored() {
  try {
    const { token, role, at } = JSON.parse(storage?.getItem(KEY) ?? "null") ?? {};
    const isWhole = typeof token === "string" && typeof at === "number" && (role === "agent" || role === "admin");
    return isWhole ? { token, role, at } : null;
  } catch {
    return null;
  }
}

/* A tab that shows another page while its person signs out hears of it when it comes back. */

/** @param {SignIn} signIn */
const farewellOf = ({ token }) => `chatConsole:signedOut:${hashOf(personOf(token).id)}`;

/** Whether the person has signed out in another tab since. @param {SignIn} signIn */
function isOver(signIn) {
  try {
    return Number(localStorage.getItem(farewellOf(signIn)) ?? -1) >= signIn.at;
  } catch {
    return false;
  }
}

/** The first tab that hears of a sign-out keeps the time of it. @param {SignIn} signIn */
function leave(signIn) {
  try {
    if (!isOver(signIn)) localStorage.setItem(farewellOf(signIn), String(Date.now()));
  } catch {
    // Where the browser stores nothing, no other tab has a sign-in of before.
  }
}

/** An empty page of a kind. @param {string} kind */
function begin(kind) {
  turn++;
  mounted?.destroy();
  mounted = null;
  current = null;
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

/** @param {string} token @param {Me["role"]} role @param {number} [at] when it was, if it is not new */
function enter(token, role, at = Date.now()) {
  const signIn = { token, role, at };
  try {
    storage?.setItem(KEY, JSON.stringify(signIn));
  } catch {
    // Not stored: one signs in again after a reload.
  }
  mounted = mountConsole(begin("is-console"), { url, token, role, addresses: true, signedOut });
  current = signIn;
}

/** What the sign-in says then. */
const GOODBYES = /** @type {const} */ ({
  signOut: "signedOutNow",
  notErased: "signedOutNotErased",
  expired: "sessionExpired",
  refused: "sessionRefused",
});

/** @type {NonNullable<MountOptions["signedOut"]>} */
function signedOut(why) {
  if ((why === "signOut" || why === "notErased") && current) leave(current);
  ask(GOODBYES[why]);
}

/** @param {import("./texts.js").Key | null} why @param {string} [token] that may be tried once more */
function ask(why, token) {
  storage?.removeItem(KEY);
  showSignIn(begin("chat sign-in"), { url, t, why, token, done: (token, role) => enter(token, role) });
}

/** Goes on with the sign-in of this tab, if there is one. */
function goOn() {
  const known = stored();
  if (!known) ask(null);
  else if (isOver(known)) ask("signedOutNow");
  else enter(known.token, known.role, known.at);
}

/** Says in place of a page that one is being signed in. */
function showWaiting() {
  const note = document.createElement("p");
  note.className = "sign-in-wait late";
  note.textContent = t("signingIn");
  begin("chat sign-in").append(note);
}

/** A token of an address is asked about first, as one that is pasted. Until it is good, the sign-in of before stays. @param {string} token */
async function enterWith(token) {
  if (!mounted) showWaiting();
  const mine = ++turn;
  const result = await checkToken(url, token);
  if (mine !== turn) return;
  if ("role" in result) return enter(token, result.role);
  if (!mounted && stored()) goOn();
  if (!mounted) return ask(result.problem, result.problem === "serverAway" ? token : "");
  const { desk } = mounted;
  history.replaceState(stateOf(desk.route), "", addressOf(desk.route));
  desk.tell(t(result.problem), "assertive");
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

// The browser may have kept the page as it was.
addEventListener("pageshow", ({ persisted }) => {
  if (persisted && current && isOver(current)) ask("signedOutNow");
});

const given = takeToken();
if (given === null) goOn();
else void enterWith(given);
