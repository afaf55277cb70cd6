/** What counts as a text field: keys in it are text, and it keeps the focus. */

/** Inputs in which nothing is typed. */
const WITHOUT_TEXT = ["button", "checkbox", "radio", "submit"];

/** Whether letters are typed into an element. @param {Element | null} target */
export const isText = (target) =>
  target instanceof HTMLInputElement
    ? !WITHOUT_TEXT.includes(target.type)
    : target instanceof HTMLTextAreaElement ||
      target instanceof HTMLSelectElement ||
      (target instanceof HTMLElement && target.isContentEditable);
