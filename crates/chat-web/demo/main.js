/** The page `/` of development mode. */

document.title = "Support chat: a demo";
