-- Compares the sessions from before chat_sessions_end_check with it. That is a step of its own, since the lock under which
-- the check was added would else last until the sessions are read.
--
-- Beside running nodes: safe. The lock (SHARE UPDATE EXCLUSIVE) stops neither reads nor writes.
ALTER TABLE chat_sessions VALIDATE CONSTRAINT chat_sessions_end_check;
