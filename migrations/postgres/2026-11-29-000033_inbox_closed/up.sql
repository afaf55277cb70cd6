-- The sessions that have ended, for admins.
--
-- It does not start with session_id: none of the lists of sessions does. It holds no column that a message in a session with an
-- agent changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_sessions_by_end ON chat_sessions (ended_at, id)
    WHERE status = 'closed';
