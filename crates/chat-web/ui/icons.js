/** Icons as paths in a square of 24, drawn with a line in the colour of the text. Preact makes the elements by DOM calls. */

import { h } from "preact";

const PATHS = {
  attach: "M20 11.5l-8.3 8.3a5.2 5.2 0 0 1-7.4-7.4l8.6-8.6a3.5 3.5 0 0 1 5 5l-8.6 8.6a1.7 1.7 0 0 1-2.5-2.5l7.7-7.6",
  back: "M14.5 6l-6 6 6 6",
  camera:
    "M4 7.5h3l2-2.5h6l2 2.5h3a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8.5a1 1 0 0 1 1-1zM12 16.5a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4z",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  down: "M12 5v13M6.5 12.5l5.5 5.5 5.5-5.5",
  download: "M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14",
  file: "M13.5 3.5H7A1.5 1.5 0 0 0 5.5 5v14A1.5 1.5 0 0 0 7 20.5h10a1.5 1.5 0 0 0 1.5-1.5V8.5zM13.5 3.5v5h5",
  history: "M4 12a8 8 0 1 0 2.4-5.7M4 4.5v3.8h3.8M12 8v4.3l2.8 1.7",
  next: "M9.5 6l6 6-6 6",
  send: "M12 19V5.5M6 11.5l6-6 6 6",
  warning: "M12 8.5v4.5M12 16.3v.01M12 3.8L2.8 19.7h18.4z",
};
/** @typedef {keyof typeof PATHS} IconName */

/** @param {IconName} name */
export const icon = (name) =>
  h("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": true }, h("path", { d: PATHS[name] }));
