/** What a person may do with a session, as the server will decide. Only that is offered, so that nothing ends in a refusal. */

/** @import { ChatSession } from "../client/index.js" */
/** @import { Me, Rights } from "./types.js" */

/** @param {Me} me @param {Pick<ChatSession, "status" | "agentId">} session @returns {Rights} */
export function rightsOn({ id, role }, { status, agentId }) {
  const isAdmin = role === "admin";
  const isActive = status === "active";
  const isWaiting = isActive && agentId === null;
  const isOwn = isActive && (isAdmin || agentId === id);
  return {
    // An admin stands in no directory of agents, and so can take nothing.
    claim: isWaiting && !isAdmin,
    assign: isWaiting && isAdmin,
    transfer: isOwn && !isWaiting,
    close: isOwn,
    write: isOwn,
  };
}
