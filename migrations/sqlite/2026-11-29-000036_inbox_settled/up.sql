-- A customer's sessions that have ended, by their last activity, as they stand in the customer's list.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_settled ON chat_sessions (user_id, settled_at, id)
    WHERE status = 'closed';
