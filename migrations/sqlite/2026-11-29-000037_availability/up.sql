-- Whether agents can be reached.
--
-- `chat_agents.status` is what an agent has set, `online` or `away`; null if they have set nothing, which is `online`.
--
-- A row of chat_agent_presence says when an agent last had an inbox open, in milliseconds since 1970 by SQLite's clock. The
-- server writes the rows of the agents who have an inbox open every 20 seconds, and takes nothing back. After 60 seconds
-- without a repetition an agent is shown as offline. The rows are not in chat_agents, which every request of an agent reads.
--
-- No foreign key: an agent may have an inbox open before they are in the directory.
--
-- Beside running nodes: no other process uses the file while it is migrated.
ALTER TABLE chat_agents ADD COLUMN status TEXT;

CREATE TABLE chat_agent_presence (
    agent_id TEXT   NOT NULL PRIMARY KEY,
    seen_at  BIGINT NOT NULL
) WITHOUT ROWID;
