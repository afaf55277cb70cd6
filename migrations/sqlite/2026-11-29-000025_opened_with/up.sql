-- What a session was about when it was opened (subject, priority, tags), and the sequence number of the first change of that,
-- as JSON. NULL while it is what it was opened with. A repeated request to open it is answered with this, and events of
-- before that change show it.
--
-- Beside running nodes: no other process uses the file while migrations run.
ALTER TABLE chat_sessions ADD COLUMN opened_with TEXT;
