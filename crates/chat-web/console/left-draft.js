/** A draft in a session that takes no more messages: it is read, copied or deleted. */

import { createRef, h } from "preact";

/** @import { Parts } from "./types.js" */

/** @param {Parts} parts @param {string} id of the session */
export function leftDraft({ desk, ui: { t } }, id) {
  const text = desk.drafts.get(id);
  if (!text) return null;
  /** @type {import("preact").RefObject<HTMLTextAreaElement | null>} */
  const box = createRef();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      desk.tell(t("copied"));
    } catch {
      // Not allowed here, as on a page without encryption.
      box.current?.focus();
      box.current?.select();
      desk.tell(t("copyYourself"));
    }
  };
  return h(
    "div",
    { class: "left-draft" },
    h("label", null, h("span", null, t("leftDraft")), h("textarea", { readOnly: true, rows: 3, dir: "auto", value: text, ref: box })),
    h("button", { class: "secondary", onClick: copy }, t("copy")),
    h("button", { class: "secondary", onClick: () => desk.drafts.set(id, "") }, t("delete")),
  );
}
