/** The page `/console`. */

document.title = "Chat console";
