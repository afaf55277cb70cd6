/**
 * What is done with a session: claim, assign, transfer and close, with the dialogs that ask for what is missing. The sign-out
 * asks as well.
 */

import { h } from "preact";

import { openDialog } from "./dialog.js";
import { icon } from "./icons.js";

/** @import { Agent } from "../client/index.js" */
/** @import { Parts } from "./types.js" */

/** With more agents than these there is a box to search for one. */
const MANY = 8;

/** The session as it is known now. @param {Parts} parts @param {string} id */
const sessionOf = ({ desk }, id) => desk.live(id)?.session ?? desk.item(id);

/** Takes a session from the queue, or asks to whom an admin gives it. @param {Parts} parts @param {string} id */
export function claim(parts, id) {
  const { desk } = parts;
  const session = sessionOf(parts, id);
  const rights = session && desk.rightsOn(session);
  if (rights?.assign) openTransfer(parts, id);
  else if (rights?.claim) void desk.claim(id);
}

/** Asks to whom a session goes: to an agent, or back to the queue. One that waits is assigned. @param {Parts} parts @param {string} id */
export function openTransfer(parts, id) {
  const { desk, ui, root } = parts;
  const { t } = ui;
  const session = sessionOf(parts, id);
  if (!session || isAsked(root)) return;
  const rights = desk.rightsOn(session);
  if (!rights.transfer && !rights.assign) return;
  const isAssignment = rights.assign;
  /** The queue, an agent's id, or nothing yet. @type {{ to: string | null } | null} */
  let choice = null;
  let filter = "";
  let isBusy = false;
  /** @type {"loading" | "ready" | "failed"} */
  let state = desk.agents.length ? "ready" : "loading";

  const dialog = openDialog(root, {
    title: t(isAssignment ? "assignTitle" : "transferTitle"),
    kind: "transfer",
    body: () =>
      h(
        "form",
        {
          onSubmit(/** @type {Event} */ event) {
            event.preventDefault();
            void submit();
          },
        },
        h("p", { class: "sheet-about" }, desk.subjectOf(session)),
        desk.agents.length > MANY &&
          h("input", {
            class: "field",
            type: "search",
            "aria-label": t("findAgent"),
            placeholder: t("findAgent"),
            value: filter,
            onInput: (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) => {
              filter = currentTarget.value;
              // An agent who is not shown is not chosen.
              if (choice?.to) choice = null;
              dialog.update();
            },
          }),
        h(
          "div",
          { class: "choices", role: "radiogroup", "aria-label": t("transferTo") },
          !isAssignment && option(null, t("toQueue"), icon("queue"), t("toQueueMore")),
          state === "loading" && h("p", { class: "sheet-note" }, t("agentsAreLoading")),
          state === "failed" &&
            h(
              "p",
              { class: "sheet-note" },
              t("agentsNotLoaded"),
              " ",
              h("button", { type: "button", class: "link", onClick: load }, t("retry")),
            ),
          state === "ready" && agents(),
        ),
        // An admin may go on to write in it, and the queue has it for all.
        choice?.to && desk.me.role !== "admin" && hasDraft(parts, id) && h("p", { class: "sheet-note" }, t("transferDraft")),
        h(
          "div",
          { class: "sheet-actions" },
          h("button", { type: "button", class: "secondary", onClick: () => dialog.close() }, t("cancel")),
          h(
            "button",
            { class: "primary", "aria-disabled": !choice || isBusy },
            t(isBusy ? "oneMoment" : isAssignment ? "assign" : "transfer"),
          ),
        ),
      ),
  });
  void load();

  async function load() {
    if (state === "failed") state = "loading";
    dialog.update();
    try {
      await desk.readAgents();
      state = "ready";
    } catch {
      if (state === "loading") state = "failed";
    }
    dialog.update();
  }

  function agents() {
    const words = filter.trim().toLocaleLowerCase();
    const others = desk.agents
      .filter(({ id, active }) => active && id !== session?.agentId)
      .filter(({ id, displayName }) => `${id} ${displayName ?? ""}`.toLocaleLowerCase().includes(words))
      .sort((a, b) => rank(a) - rank(b) || nameOf(a).localeCompare(nameOf(b)));
    if (others.length === 0) return h("p", { class: "sheet-note" }, t(words ? "noAgentFound" : "noOtherAgents"));
    return others.map((agent) =>
      option(agent.id, nameOf(agent), presence(agent), t(WORDS[agent.availability ?? "offline"])),
    );
  }

  /** @param {string | null} to @param {string} name @param {import("preact").VNode} sign @param {string} more */
  function option(to, name, sign, more) {
    const onChange = () => {
      choice = { to };
      dialog.update();
    };
    return h(
      "label",
      { class: "choice", key: to ?? "" },
      h("input", { type: "radio", name: "to", checked: choice !== null && choice.to === to, onChange }),
      sign,
      h("span", { class: "choice-name" }, h("bdi", null, name)),
      h("small", null, more),
    );
  }

  async function submit() {
    if (!choice || isBusy) return;
    isBusy = true;
    dialog.update();
    const { to } = choice;
    // Failures are said as notices, which an open dialog would cover.
    dialog.close();
    await (isAssignment && to !== null ? desk.assign(id, to) : desk.transfer(id, to));
  }
}

/** Asks whether a session shall end. @param {Parts} parts @param {string} id */
export function openClose(parts, id) {
  const { desk, ui, root } = parts;
  const { t } = ui;
  const session = sessionOf(parts, id);
  if (!session || isAsked(root) || !desk.rightsOn(session).close) return;
  const hasUnsent = () => desk.live(id)?.messages.some((entry) => entry.id === null);
  const dialog = openDialog(root, {
    title: t("closeTitle"),
    kind: "closing",
    closed: desk.subscribe(() => dialog.update()),
    body: () => [
      h("p", { class: "sheet-about" }, desk.subjectOf(session)),
      h("p", { class: "sheet-note" }, t("closeMore")),
      hasDraft(parts, id) && h("p", { class: "sheet-note" }, t("closeDraft")),
      hasUnsent() && h("p", { class: "sheet-note" }, t("closeUnsent")),
      h(
        "div",
        { class: "sheet-actions" },
        // Not the other one: a key that was meant for something else ends no session.
        h("button", { class: "secondary focus-first", onClick: () => dialog.close() }, t("cancel")),
        h(
          "button",
          {
            class: "primary",
            onClick() {
              dialog.close();
              void desk.close(id);
            },
          },
          t("close"),
        ),
      ),
    ],
  });
}

/** Signs out, and asks first if something that was typed would be lost. @param {Parts} parts */
export function signOut({ desk, ui: { t }, root }) {
  if (isAsked(root)) return;
  if (!desk.hasUnsent()) return void desk.signOut();
  const dialog = openDialog(root, {
    title: t("signOutTitle"),
    kind: "signing-out",
    body: () => [
      h("p", { class: "sheet-note" }, t("signOutMore")),
      h(
        "div",
        { class: "sheet-actions" },
        h("button", { class: "secondary focus-first", onClick: () => dialog.close() }, t("cancel")),
        h("button", { class: "primary", onClick: () => void desk.signOut() }, t("signOut")),
      ),
    ],
  });
}

/** @param {Parts} parts @param {string} id */
const hasDraft = ({ desk }, id) => desk.drafts.get(id) !== "" || desk.drafts.files(id).length > 0;

/** One question at a time. @param {HTMLElement} root */
const isAsked = (root) => root.querySelector("dialog[open]") !== null;

/** @param {Agent} agent */
const nameOf = ({ id, displayName }) => displayName ?? id;

/** @param {Agent} agent */
const rank = ({ availability }) => ["online", "away", "offline"].indexOf(availability ?? "offline");

/** @type {Record<NonNullable<Agent["availability"]>, import("./texts.js").Key>} */
const WORDS = { online: "online", away: "away", offline: "agentOffline" };

/** @param {Agent} agent */
const presence = ({ availability = "offline" }) =>
  h("span", { class: `presence presence-${availability}`, "aria-hidden": true });
