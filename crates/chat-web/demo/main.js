/** The page `/` of development mode: a customer's page with the widget, and an agent's console, both live. */

import { mountConsole } from "../console/mount.js";
import texts from "../console/texts.js";
import { fetchPeople } from "./people.js";
import { placeWidget } from "./place.js";
import { snippet } from "./snippet.js";

/** A token that is refused so soon was never accepted. */
const AT_ONCE_MS = 5_000;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const desk = element("desk");
/** The server's address, which may have a path. */
const url = new URL(".", location.href).href.replace(/\/$/, "");

element("snippet").textContent = snippet(url);
element("copy").addEventListener("click", async () => {
  const said = element("copied");
  try {
    await navigator.clipboard.writeText(snippet(url));
    said.textContent = "Copied";
  } catch {
    // A page that is not served from this machine or by HTTPS has no clipboard. What is selected can be copied by hand.
    getSelection()?.selectAllChildren(element("snippet"));
    said.textContent = "Selected: copy it with your keyboard";
  }
});

/** Says something in place of the console. @param {string} text @param {HTMLElement[]} actions */
function explain(text, ...actions) {
  const box = document.createElement("div");
  box.className = "demo-note";
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  box.append(paragraph, ...actions);
  desk.replaceChildren(box);
}

/** @param {string} text that says what has happened */
function offerSignIn(text) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Sign in as Bob";
  button.addEventListener("click", start, { once: true });
  explain(text, button);
  // The console had the focus. With a sign-out in another window, the customer may have it.
  if (document.activeElement === document.body) button.focus({ preventScroll: true });
}

/** Signs the agent in, and again when the token has ended. */
async function openDesk() {
  const { bob } = await fetchPeople();
  desk.replaceChildren();
  const openedAt = Date.now();
  mountConsole(desk, {
    url,
    token: bob,
    addresses: false,
    signedOut(why) {
      if (why === "signOut") return offerSignIn("Bob has signed out.");
      if (why === "notErased") return offerSignIn(texts.signedOutNotErased);
      // A new token that is refused is followed by others that are.
      if (why === "refused" && Date.now() - openedAt < AT_ONCE_MS) {
        explain("The server does not let Bob in. If he was blocked or deactivated, change that and reload this page.");
      } else start();
    },
  });
}

function start() {
  openDesk().catch(() => {
    explain(
      `The people of the demo are given to pages of this machine alone. Open it there as http://localhost:${location.port}/, ` +
        "or reload this page if the server was away.",
    );
  });
}

placeWidget(async () => (await fetchPeople()).alice);
start();
