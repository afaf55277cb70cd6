-- The secret key, in one random row, under which the server signs tickets for downloads: it is with the data, so that
-- tickets outlive a restart. What is signed also depends on the file, so that a copy of it signs nothing for the original.
-- `chat-server epoch rotate` ends all tickets.
--
-- Beside running nodes: no other process uses the file while migrations run.
CREATE TABLE chat_secret_key (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32)
) WITHOUT ROWID;

INSERT INTO chat_secret_key (key) VALUES (randomblob(32));
