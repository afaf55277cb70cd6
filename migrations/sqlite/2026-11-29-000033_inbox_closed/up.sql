-- The sessions that have ended, for admins. SQLite prefers an index on the status to one without it.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE INDEX chat_sessions_by_end ON chat_sessions (status, ended_at, id)
    WHERE status = 'closed';
