/** The texts of the console. Those of pieces that it shares with the widget come from there. */

import shared from "../widget/texts/en.js";

/** @typedef {keyof typeof texts} Key */

const texts = {
  ...shared,
  title: "Chat console",
};

export default texts;
