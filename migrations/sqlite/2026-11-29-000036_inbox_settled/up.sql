-- A customer's sessions that have ended, by their last activity, as they stand in the customer's list. A session that an older
-- node has closed has its end in place of settled_at.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_settled ON chat_sessions (user_id, (coalesce(settled_at, ended_at)), id)
    WHERE status = 'closed';
