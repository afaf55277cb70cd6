-- Messages, stored in the order in which they are read: by session and position.
--
-- There is deliberately no foreign key to chat_sessions. A message is written only in a transaction that has read its
-- session and writes it back, which proves that it exists; checking it once more for every row costs a lookup a row.
CREATE TABLE chat_messages (
    session_id       BLOB    NOT NULL CHECK (length(session_id) = 16),
    seq              BIGINT  NOT NULL,
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    author_id        TEXT    NOT NULL,
    sender           TEXT    NOT NULL CHECK (sender IN ('user', 'support')),
    content          TEXT    NOT NULL,
    created_at       BIGINT  NOT NULL,
    delivered_at     BIGINT,
    read_at          BIGINT,
    attachment_count INTEGER NOT NULL,
    idempotency_key  TEXT,
    fingerprint      BLOB,
    PRIMARY KEY (session_id, seq),
    CHECK (read_at IS NULL OR delivered_at IS NOT NULL),
    CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
) WITHOUT ROWID;

CREATE UNIQUE INDEX chat_messages_by_id ON chat_messages (session_id, id);

CREATE UNIQUE INDEX chat_messages_by_key ON chat_messages (session_id, author_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
