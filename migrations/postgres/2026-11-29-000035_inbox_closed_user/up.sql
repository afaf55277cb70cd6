-- A customer's sessions that have ended, by their end.
--
-- It does not start with session_id: none of the lists of sessions does. It holds no column that a message in a session with an
-- agent changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_sessions_by_user_end ON chat_sessions (user_id, ended_at, id)
    WHERE status = 'closed';
