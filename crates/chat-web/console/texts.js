/** The texts of the console. Those of pieces that it shares with the widget come from there. */

import shared from "../widget/texts/en.js";

/** @typedef {keyof typeof texts} Key */

const texts = {
  ...shared,
  title: "Chat console",

  // Desk
  session: "Session",
  fasterAgent: "Another agent was faster.",
  endedMeanwhile: "This session has ended meanwhile.",
  unknownSession: "There is no such session.",
  unknownAgent: "This agent is not in the directory, or is deactivated.",
  noConnection: "There is no connection. Try again in a moment.",
  notAllowed: "You may not do this with this session.",
  tryLater: "This did not work. Try again in a moment.",
  didNotWork: "This did not work.",
  claimed: "{subject} is yours now.",
  assignedTo: "{subject} was given to {name}.",
  transferredTo: "{subject} was transferred to {name}.",
  transferredBack: "{subject} is back in the queue.",
  takenAway: "{subject} was transferred and is no longer yours.",
  takenAwayDraft: "{subject} was transferred and is no longer yours. Your draft is kept.",
  closedNow: "{subject} is closed.",

  // Canned replies
  cannedBadFile: "This is not a file of canned replies: a JSON list of names and texts.",
  cannedBadName: "A name is one word of letters, digits, “-” and “_”, with 40 characters at most.",
  cannedNoText: "Write the text of the reply.",
  cannedLongText: "A reply can have 10,000 characters at most.",

  // Notifications
  noticeWaiting: "A new session waits",
  noticeFiles: { one: "{n} file", other: "{n} files" },

  // Statistics
  statistics: "Statistics",
  statisticsLoading: "Loading the statistics…",
  statisticsFailed: "The statistics could not be read. They are tried again in a moment.",
  asOf: "As of {time}",
  refresh: "Refresh",
  activeSessions: "Open sessions",
  activeSessionsMore: "waiting or with an agent, now",
  responseTime: "Time to an answer",
  responseTimeNone: "No answer yet",
  responseTimeMore: "from the first unanswered message, on average",
  totalSessions: "Sessions",
  totalSessionsMore: "since the beginning, closed ones included",
  totalMessages: "Messages",
  totalMessagesMore: "since the beginning, of both sides",

  // Agents
  agents: "Agents",
  agentsLoading: "Loading the agents…",
  agentsFailed: "The agents could not be read. They are tried again in a moment.",
  agentsEmpty: "There are no agents yet. Add the first one below.",
  online: "Online",
  away: "Away",
  agentOffline: "Offline",
  inactive: "Deactivated",
  rename: "Rename",
  save: "Save",
  renamed: "The agent is now called {name}.",
  deactivate: "Deactivate",
  deactivateAsk: "{name} will be refused everywhere. Their sessions stay theirs until you transfer them.",
  deactivated: "{name} is deactivated.",
  activate: "Activate",
  activated: "{name} may work again.",
  signOutEverywhere: "Sign out everywhere",
  signOutAsk: "All tokens that {name} has now will be refused. A new sign-in is accepted.",
  signedOutEverywhere: "{name} is signed out everywhere.",
  addAgent: "Add an agent",
  addAgentMore: "The id is what your sign-in calls the person: the “sub” of their token.",
  agentId: "Id",
  agentName: "Name",
  agentNoId: "Write the id of the agent.",
  agentTaken: "There is an agent with the id {id} already.",
  agentAdded: "{name} is an agent now.",
  agentFailed: "That did not work. Please try again.",
};

export default texts;
