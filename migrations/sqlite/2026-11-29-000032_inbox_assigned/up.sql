-- The active sessions that have an agent, for admins. SQLite prefers an index on the status to one without it.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_assigned ON chat_sessions (status, started_at, id)
    WHERE agent_id IS NOT NULL AND status = 'active';
