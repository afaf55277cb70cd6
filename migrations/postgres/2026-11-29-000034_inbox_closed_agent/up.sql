-- The sessions that were an agent's when they ended.
--
-- It does not start with session_id: none of the lists of sessions does. It holds no column that a message in a session with an
-- agent changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_sessions_by_agent_end ON chat_sessions (agent_id, ended_at, id)
    WHERE status = 'closed' AND agent_id IS NOT NULL;
