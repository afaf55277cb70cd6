-- Messages, read and paged by session and position.
--
-- There is deliberately no foreign key to chat_sessions: it costs 25 to 35 % of the write path. A message is written
-- only in a transaction that has locked its session's row and updates it, which proves that the session exists.
--
-- Every key starts with session_id, so the table can be partitioned or distributed by it.
--
-- A receipt rewrites a message without touching an index, as long as its page has room: hence 10 % of it.
CREATE TABLE chat_messages (
    session_id       UUID             NOT NULL,
    seq              BIGINT           NOT NULL,
    id               UUID             NOT NULL,
    author_id        TEXT COLLATE "C" NOT NULL,
    sender           TEXT COLLATE "C" NOT NULL CHECK (sender IN ('user', 'support')),
    content          TEXT             NOT NULL,
    created_at       BIGINT           NOT NULL,
    delivered_at     BIGINT,
    read_at          BIGINT,
    attachment_count INTEGER          NOT NULL,
    idempotency_key  TEXT COLLATE "C",
    fingerprint      BYTEA            CHECK (octet_length(fingerprint) = 32),
    PRIMARY KEY (session_id, seq),
    CHECK (read_at IS NULL OR delivered_at IS NOT NULL),
    CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
) WITH (fillfactor = 90);

CREATE UNIQUE INDEX chat_messages_by_id ON chat_messages (session_id, id);

CREATE UNIQUE INDEX chat_messages_by_key ON chat_messages (session_id, author_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
