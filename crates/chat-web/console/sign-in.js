/** The sign-in: whether a token is one of an agent or an admin, and the page that asks for one. */

import { h, render } from "preact";

import { claimsOf, expiryOf } from "./tokens.js";

/** @import { Me, Parts } from "./types.js" */

/** @typedef {import("./texts.js").Key} Key */

/** A clock may be wrong by so much before a token is called expired without asking the server. */
const LEEWAY_MS = 60_000;
const PATIENCE_MS = 15_000;
/** The id of the text that says what is wrong. */
const PROBLEM = "sign-in-problem";

/**
 * Asks the server who a token is of. It knows the roles; what the token says of them may stand under another name.
 *
 * @param {string} url @param {string} token
 * @returns {Promise<{ role: Me["role"] } | { problem: Key }>}
 */
export async function checkToken(url, token) {
  const claims = claimsOf(token);
  if (!claims) return { problem: token === "" ? "tokenMissing" : "tokenMalformed" };
  if (expiryOf(token) < Date.now() - LEEWAY_MS) return { problem: "tokenExpired" };
  if (claims.role === "user") return { problem: "tokenOfCustomer" };
  try {
    const response = await fetch(`${url}/api/chat/agents`, {
      headers: { Authorization: `Bearer ${token}` },
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const body = await response.json();
    if (!response.ok) return { problem: problemOf(response.status, body?.error?.code, token) };
    /** @type {{ createdAt?: string }[]} */
    const agents = body.agents;
    // Only admins receive when agents were entered. Where there are no agents, only an admin can sign in.
    const isAdmin = agents.length ? agents.some(({ createdAt }) => createdAt) : claims.role !== "agent";
    return { role: isAdmin ? "admin" : "agent" };
  } catch {
    return { problem: "serverAway" };
  }
}

/** @param {number} status @param {string | undefined} code @param {string} token @returns {Key} */
function problemOf(status, code, token) {
  if (status === 401) return expiryOf(token) < Date.now() ? "tokenExpired" : "tokenRefused";
  if (code === "AGENT_DEACTIVATED") return "tokenOfDeactivated";
  if (code === "BLOCKED") return "tokenOfBlocked";
  return status === 403 ? "tokenOfCustomer" : "serverAway";
}

/**
 * The people of development mode whom the console is for. A server on another machine has none, and is not asked.
 *
 * @param {string} url
 * @returns {Promise<{ id: string, role: Me["role"], token: string }[]>}
 */
async function developmentPeople(url) {
  if (!/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(location.hostname)) return [];
  try {
    const response = await fetch(`${url}/console/development-people`, { cache: "no-store" });
    if (!response.ok) return [];
    const { people } = await response.json();
    return people.filter((/** @type {{ role: string }} */ { role }) => role === "agent" || role === "admin");
  } catch {
    return [];
  }
}

/**
 * Shows the page that asks for a token.
 *
 * @param {HTMLElement} root
 * @param {object} options
 * @param {string} options.url
 * @param {Parts["ui"]["t"]} options.t
 * @param {Key | null} options.why it is shown
 * @param {string} [options.token] that stands in the box, to be tried once more
 * @param {(token: string, role: Me["role"]) => void} options.done
 */
export function showSignIn(root, { url, t, why, token = "", done }) {
  let text = token;
  /** @type {Key | null} */
  let problem = why;
  /** Whom one is being signed in as: a person of development mode, or the token that was pasted. @type {string | null} */
  let busy = null;
  /** @type {Awaited<ReturnType<typeof developmentPeople>>} */
  let people = [];

  /** @param {string} token @param {string} who */
  async function submit(token, who) {
    if (busy !== null) return;
    busy = who;
    problem = null;
    draw();
    const result = await checkToken(url, token);
    // Meanwhile a person has signed in otherwise.
    if (!root.isConnected) return;
    busy = null;
    if ("role" in result) return done(token, result.role);
    problem = result.problem;
    draw();
    root.querySelector("input")?.focus();
  }

  function draw() {
    const isRefused = problem !== null && problem !== why;
    render(
      h(
        "main",
        { class: "sign-in-card" },
        h("h1", null, t("signInTitle")),
        h("div", { role: "alert", class: "sign-in-problem", id: PROBLEM }, problem && h("p", null, t(problem))),
        people.length > 0 && [
          h("p", { class: "sign-in-about" }, t("development")),
          h(
            "div",
            { class: "sign-in-people" },
            people.map(({ id, token }) =>
              h(
                "button",
                { class: "primary", "aria-disabled": busy !== null, onClick: () => void submit(token, id) },
                t("signInAs", { name: id }),
              ),
            ),
          ),
        ],
        h(
          "form",
          {
            onSubmit(/** @type {Event} */ event) {
              event.preventDefault();
              // As it stands in a header.
              void submit(text.trim().replace(/^Bearer\s+/i, ""), "");
            },
          },
          h("p", { class: "sign-in-about" }, t(people.length ? "orToken" : "signInMoreConsole")),
          h(
            "label",
            { class: "sign-in-field" },
            h("span", null, t("token")),
            h("input", {
              class: "field",
              type: "text",
              autocomplete: "off",
              autocapitalize: "off",
              spellcheck: false,
              value: text,
              "aria-invalid": isRefused ? "true" : null,
              "aria-describedby": PROBLEM,
              onInput(/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) {
                text = currentTarget.value;
              },
            }),
          ),
          h(
            "button",
            { class: people.length ? "secondary" : "primary", "aria-disabled": busy !== null },
            t(busy === "" ? "signingIn" : "signIn"),
          ),
        ),
      ),
      root,
    );
  }

  draw();
  root.querySelector("input")?.focus();
  void developmentPeople(url).then((found) => {
    people = found;
    if (people.length && root.isConnected) draw();
  });
}
