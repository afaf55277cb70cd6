/**
 * Looks after messages that were written here and are not sent: says when one fails, wherever the person is by then, and makes
 * what was written in a session that is another agent's now a draft again, since nothing else would show it.
 */

import { asFile } from "../ui/files.js";

/** @import { Entry, Session, SessionView } from "../client/index.js" */
/** @import { Desk, Drafts, Parts } from "./types.js" */

/**
 * @param {object} ports
 * @param {() => Iterable<Session>} ports.sessions those that are live
 * @param {Drafts} ports.drafts
 * @param {() => string | null} ports.current the session that is open
 * @param {Desk["subjectOf"]} ports.subjectOf
 * @param {Parts["ui"]["t"]} ports.t
 * @param {Desk["tell"]} ports.tell
 */
export function createUnsent({ sessions, drafts, current, subjectOf, t, tell }) {
  const began = Date.now();
  /** What was looked at last. @type {WeakMap<Session, SessionView>} */
  const seen = new WeakMap();
  /** @type {Set<string>} */
  const failing = new Set();
  /** Messages that were on their way when they were looked at last, by their keys. @type {Set<string>} */
  const sending = new Set();
  /** Messages of which it was said, by their keys. @type {Set<string>} */
  const said = new Set();

  /** Those that had failed before this page are history. @param {Entry} entry */
  function isNews({ key, delivery, timestamp }) {
    if (delivery !== "failed") {
      sending.add(key);
      said.delete(key);
      return false;
    }
    const isOurs = sending.delete(key) || Date.parse(timestamp) >= began;
    if (!isOurs || said.has(key)) return false;
    said.add(key);
    return true;
  }

  /** @param {Session} session @param {readonly Entry[]} entries */
  function keep(session, entries) {
    // Another window of this person may have done the same.
    const lines = `\n${drafts.get(session.id)}\n`;
    const texts = entries.map(({ content }) => content).filter((text) => text && !lines.includes(`\n${text}\n`));
    const files = entries.flatMap(({ attachments = [] }) => attachments).flatMap(asFile);
    drafts.set(session.id, [...texts, drafts.get(session.id)].filter(Boolean).join("\n"));
    drafts.setFiles(session.id, [...files, ...drafts.files(session.id)]);
    for (const { key } of entries) session.outgoing(key)?.cancel();
    tell(t("unsentKept", { n: entries.length, subject: subjectOf(session.view.session) }), "assertive");
  }

  return {
    look() {
      for (const session of sessions()) {
        const { id, view } = session;
        if (view === seen.get(session)) continue;
        seen.set(session, view);
        const entries = view.messages.filter((entry) => entry.id === null);
        if (entries.length && view.state === "stopped" && view.error?.code === "FORBIDDEN") {
          failing.delete(id);
          keep(session, entries);
          continue;
        }
        const news = entries.filter(isNews);
        if (entries.some(({ delivery }) => delivery === "failed")) failing.add(id);
        else failing.delete(id);
        if (news.length === 0) continue;
        const isOpen = id === current();
        tell(isOpen ? t("messageFailed") : t("messageFailedIn", { subject: subjectOf(view.session) }), "assertive");
      }
    },
    /** @param {string} id */
    hasFailed: (id) => failing.has(id),
  };
}
