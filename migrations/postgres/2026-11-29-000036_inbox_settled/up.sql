-- A customer's sessions that have ended, by their last activity, as they stand in the customer's list. A session that an older
-- node has closed has its end in place of settled_at.
--
-- It does not start with session_id: none of the lists of sessions does. It holds no column that a message in a session with an
-- agent changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_sessions_by_settled ON chat_sessions (user_id, (coalesce(settled_at, ended_at)), id)
    WHERE status = 'closed';
