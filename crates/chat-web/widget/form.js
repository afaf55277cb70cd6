/** The form with which a session begins. What is typed stays until the session is there, also over a reload. */

import { h } from "preact";

/** @import { Parts } from "./app.js" */

/** @param {Parts} parts */
export function form({ ui: { t }, model }) {
  const { formError, isStarting } = model;

  /** @param {"subject" | "first"} name @param {string} label @param {"input" | "textarea"} tag */
  const field = (name, label, tag) =>
    h(
      "label",
      null,
      h("span", null, label),
      h(/** @type {any} */ (tag), {
        class: name === "subject" ? "focus-first" : "",
        part: "input",
        name,
        dir: "auto",
        autocomplete: "off",
        rows: 4,
        maxLength: name === "subject" ? 200 : undefined,
        defaultValue: model.draft(name),
        // What is typed now would be in no message.
        readOnly: isStarting,
        "aria-invalid": formError === "startEmpty",
        onInput: (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) =>
          model.draft(name, currentTarget.value),
      }),
    );

  return h(
    "form",
    {
      class: "form",
      onSubmit(event) {
        event.preventDefault();
        const [subject, text] = /** @type {any} */ (event.currentTarget).elements;
        // Enter in the subject goes on to the message.
        if (subject.matches(":focus") && !text.value) return text.focus();
        model.start(subject.value.trim(), text.value.trim());
        if (model.formError) subject.focus();
      },
    },
    h("p", { class: "big" }, t("greeting")),
    field("subject", t("subject"), "input"),
    field("first", t("yourMessage"), "textarea"),
    h("p", { class: "refused", role: "alert" }, formError && t(formError)),
    h("button", { class: "primary", part: "start", "aria-disabled": isStarting }, t(isStarting ? "starting" : "start")),
  );
}
