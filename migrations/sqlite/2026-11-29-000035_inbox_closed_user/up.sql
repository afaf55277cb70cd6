-- A customer's sessions that have ended, by their end.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_user_end ON chat_sessions (user_id, ended_at, id)
    WHERE status = 'closed';
