// The client library of the support chat. Importing it does nothing: no request, no timer, no listener.
export { createClient } from "./client.js";
export { ChatError } from "./errors.js";
