-- The files of messages, in the order of their messages, so that those of a page are one range of the key. The bytes
-- lie in the attachment store under the id.
CREATE TABLE chat_attachments (
    session_id UUID             NOT NULL,
    seq        BIGINT           NOT NULL,
    position   INTEGER          NOT NULL,
    id         UUID             NOT NULL,
    name       TEXT             NOT NULL,
    media_type TEXT             NOT NULL,
    size       BIGINT           NOT NULL,
    sha256     BYTEA            NOT NULL CHECK (octet_length(sha256) = 32),
    width      BIGINT,
    height     BIGINT,
    duration   DOUBLE PRECISION,
    PRIMARY KEY (session_id, seq, position)
);

-- Does not start with session_id: a download knows only the id. The program makes each id once, so where the table is
-- partitioned or distributed by session a plain index does as well.
CREATE UNIQUE INDEX chat_attachments_by_id ON chat_attachments (id);
