-- The active sessions that have an agent, for admins.
--
-- It does not start with session_id: none of the lists of sessions does. It holds no column that a message in a session with an
-- agent changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_sessions_by_assigned ON chat_sessions (started_at, id)
    WHERE agent_id IS NOT NULL AND status = 'active';
