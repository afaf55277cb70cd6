-- The active sessions that have an agent, for admins.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_assigned ON chat_sessions (started_at, id)
    WHERE agent_id IS NOT NULL AND status = 'active';
