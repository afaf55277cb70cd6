/** Icons of the console alone, drawn like those of `ui/icons.js`. */

import { h } from "preact";

const PATHS = {
  agents: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18.5 14.2a6.5 6.5 0 0 1 3 5.8",
  all: "M4 6.5h16M4 12h16M4 17.5h10",
  assigned: "M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 10-7M15 18l2.2 2.2L21.5 16",
  away: "M20 14.5A8.3 8.3 0 0 1 9.5 4 8.3 8.3 0 1 0 20 14.5z",
  closed: "M4 4.5h16v4H4zM5.5 8.5V19a1 1 0 0 0 1 1h11a1 1 0 0 0 1-1V8.5M10 12.5h4",
  gear: "M5 7h9M18 7h1M5 17h1M10 17h9M16 9.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM8 19.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM5 12h14",
  mine: "M4 13.5h4.2l1.6 2.5h4.4l1.6-2.5H20M4 13.5V18a1.5 1.5 0 0 0 1.5 1.5h13A1.5 1.5 0 0 0 20 18v-4.5L17 5.2a1 1 0 0 0-.9-.7H7.9a1 1 0 0 0-.9.7z",
  out: "M14 4.5h4a1.5 1.5 0 0 1 1.5 1.5v12a1.5 1.5 0 0 1-1.5 1.5h-4M4.5 12H15M11 8l4 4-4 4",
  queue: "M4.5 9.5h10a5 5 0 0 1 0 10H11M4.5 9.5l4-4M4.5 9.5l4 4",
  search: "M10.8 17.3a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.6 15.6l4.4 4.4",
  statistics: "M5 19.5v-6M12 19.5V5M19 19.5v-10",
  waiting: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 7.5V12l3 2",
};
/** @typedef {keyof typeof PATHS} ConsoleIcon */

/** @param {ConsoleIcon} name */
export const icon = (name) =>
  h("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": true }, h("path", { d: PATHS[name] }));
