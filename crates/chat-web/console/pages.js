/** The pages for admins, in a file of their own that is loaded when one of them is opened. */

export { agents } from "./agents.js";
export { statistics } from "./statistics.js";
