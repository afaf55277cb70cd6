-- Files that were uploaded and wait to be sent. A message that is sent with a file takes its row away in its own
-- transaction, and then chat_attachments has it. A row that is not sent within a day is removed. The columns of a file
-- are those of chat_attachments.
CREATE TABLE chat_uploads (
    id          BLOB   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    session_id  BLOB   NOT NULL CHECK (length(session_id) = 16),
    uploader_id TEXT   NOT NULL,
    uploaded_at BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    media_type  TEXT   NOT NULL,
    size        BIGINT NOT NULL,
    sha256      BLOB   NOT NULL CHECK (length(sha256) = 32),
    width       BIGINT,
    height      BIGINT,
    duration    DOUBLE
) WITHOUT ROWID;

-- How much a person has uploaded is summed up along this index.
CREATE INDEX chat_uploads_by_uploader ON chat_uploads (uploader_id, size);
CREATE INDEX chat_uploads_by_time ON chat_uploads (uploaded_at, id);
