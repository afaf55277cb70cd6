/** The texts of the console. Those of pieces that it shares with the widget come from there. */

import shared from "../widget/texts/en.js";

/** @typedef {keyof typeof texts} Key */

const texts = {
  ...shared,
  title: "Chat console",

  // Canned replies
  cannedBadFile: "This is not a file of canned replies: a JSON list of names and texts.",
  cannedBadName: "A name is one word of letters, digits, “-” and “_”, with 40 characters at most.",
  cannedNoText: "Write the text of the reply.",
  cannedLongText: "A reply can have 10,000 characters at most.",
};

export default texts;
