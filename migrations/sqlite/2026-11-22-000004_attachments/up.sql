-- The files of messages, stored next to each other in the order of their messages, so that those of a page are one
-- range. The bytes lie in the attachment store under the id.
CREATE TABLE chat_attachments (
    session_id BLOB    NOT NULL CHECK (length(session_id) = 16),
    seq        BIGINT  NOT NULL,
    position   INTEGER NOT NULL,
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    name       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    size       BIGINT  NOT NULL,
    sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
    width      BIGINT,
    height     BIGINT,
    duration   DOUBLE,
    PRIMARY KEY (session_id, seq, position)
) WITHOUT ROWID;

CREATE UNIQUE INDEX chat_attachments_by_id ON chat_attachments (id);
