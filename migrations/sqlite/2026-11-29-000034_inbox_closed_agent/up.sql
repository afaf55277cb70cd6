-- The sessions that were an agent's when they ended.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_agent_end ON chat_sessions (agent_id, ended_at, id)
    WHERE status = 'closed' AND agent_id IS NOT NULL;
