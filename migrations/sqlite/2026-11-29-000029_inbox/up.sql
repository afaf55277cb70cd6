-- What the inbox shows of a session and is ordered by:
--
-- * last_message: the newest message as text (which one it is, sequence number, id, sender, time, number of files, author,
--   preview).
-- * last_activity_at: when the session was opened, assigned or transferred, or a message was sent, whichever was last.
-- * queue_place: of an active session without an agent, since when its customer waits, or the end of the year 9999 when they
--   have been answered, as a negative number, since an index is read in one direction; else NULL. Messages of a session that
--   has an agent never change it, so an index may hold it.
-- * settled_at: of a session that has ended, its last_activity_at; else NULL. An index may hold it for the same reason.
--
-- The first two are written by the statement that moves last_seq, and queue_place when it changes.
--
-- Beside running nodes: no other process uses the file while migrations run.
ALTER TABLE chat_sessions ADD COLUMN last_message TEXT;
ALTER TABLE chat_sessions ADD COLUMN last_activity_at BIGINT;
ALTER TABLE chat_sessions ADD COLUMN queue_place BIGINT;
ALTER TABLE chat_sessions ADD COLUMN settled_at BIGINT;
