-- The secret key, in one random row, under which nodes of this database authenticate what they tell each other through
-- Redis. It is with the data, so all nodes have the same without being configured, and a role that may read it may read
-- every message anyway. `chat-server epoch rotate` replaces it.
--
-- Beside running nodes: safe. Those of a version before sign nothing, so old and new nodes do not hear each other through
-- Redis, and read each other's events from the database, up to 15 seconds late.
CREATE TABLE chat_fanout_key (
    key BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32)
);

-- A random UUID has 122 random bits, from the source that pgcrypto would use too; three of them are more than a key needs.
INSERT INTO chat_fanout_key (key)
VALUES (sha256(convert_to(gen_random_uuid()::TEXT || gen_random_uuid()::TEXT || gen_random_uuid()::TEXT, 'UTF8')));
