-- The sessions that have ended, for admins.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_end ON chat_sessions (ended_at, id)
    WHERE status = 'closed';
