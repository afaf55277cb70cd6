-- Whether agents can be reached.
--
-- `chat_agents.status` is what an agent has set, `online` or `away`; null if they have set nothing, which is `online`.
--
-- A row of chat_agent_presence says when an agent last had an inbox open at any node, in milliseconds since 1970 by the
-- clock of this database: nodes write ages, never times. A node writes the rows of the agents who have an inbox open at it
-- every 20 seconds, and no node takes anything back. After 60 seconds without a repetition an agent is shown as offline.
-- The rows are not in chat_agents, which every request of an agent reads and messages are checked against. Nothing but the
-- key is indexed, and half of each page is free, so that writing a row again moves no index. The table is logged, so that
-- agents who are there are not shown as offline after a crash or on a standby that takes over.
--
-- No foreign key: an agent may have an inbox open before they are in the directory. Does not start with session_id: an agent
-- belongs to no session.
--
-- Beside running nodes: safe. Those of the version before leave both alone. So an agent whose inboxes are all open at such
-- nodes is shown as offline by the others until these nodes are replaced.
ALTER TABLE chat_agents ADD COLUMN status TEXT COLLATE "C";

CREATE TABLE chat_agent_presence (
    agent_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seen_at  BIGINT           NOT NULL
) WITH (fillfactor = 50);
