-- When the newest change of a session was made, so that the time of the next one is not before it, whatever the clocks of
-- two nodes say. It is moved by the statement that moves last_seq, and no index holds it. Sessions of before have 0, and a
-- node that does not know the column leaves it behind: then the other times of the row are what the next change is not
-- before, and from it on this column is right again.
--
-- Beside running nodes: safe. A column with a constant default is added without touching a row.
ALTER TABLE chat_sessions ADD COLUMN last_event_at BIGINT NOT NULL DEFAULT 0;
