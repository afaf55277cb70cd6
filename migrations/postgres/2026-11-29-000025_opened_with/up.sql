-- What a session was about when it was opened (subject, priority, tags), and the sequence number of the first change of that,
-- as JSON. NULL while it is what it was opened with. A repeated request to open it is answered with this, and events of
-- before that change show it.
--
-- Beside running nodes: safe. A column without a default is added without touching a row. A node that does not know it
-- answers a repeated opening of a changed session with what that is about now.
ALTER TABLE chat_sessions ADD COLUMN opened_with TEXT;
