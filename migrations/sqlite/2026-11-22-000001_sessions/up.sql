-- Sessions. Ids are the 16 bytes of a UUID, moments are milliseconds since 1970-01-01T00:00:00Z, tags are a JSON array.
-- last_seq is the position of the newest durable change and the version of the row; message_count makes the number of
-- messages free to read.
CREATE TABLE chat_sessions (
    id                   BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id              TEXT    NOT NULL,
    agent_id             TEXT,
    status               TEXT    NOT NULL CHECK (status IN ('active', 'closed')),
    priority             TEXT    NOT NULL CHECK (priority IN ('low', 'medium', 'high')),
    subject              TEXT,
    tags                 TEXT    NOT NULL,
    started_at           BIGINT  NOT NULL,
    ended_at             BIGINT,
    last_seq             BIGINT  NOT NULL,
    message_count        BIGINT  NOT NULL,
    waiting_since        BIGINT,
    unread_by_user       BIGINT  NOT NULL,
    unread_by_support    BIGINT  NOT NULL,
    delivered_to_user    BIGINT  NOT NULL,
    delivered_to_support BIGINT  NOT NULL,
    created_by           TEXT    NOT NULL,
    idempotency_key      TEXT,
    fingerprint          BLOB,
    CHECK ((status = 'closed') = (ended_at IS NOT NULL)),
    CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
) WITHOUT ROWID;

CREATE UNIQUE INDEX chat_sessions_by_key ON chat_sessions (created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- One index per way a list is asked for, each in the order of the list, so that a page is a walk along an index. None
-- of them holds a column that a message changes: sending costs no index update here.
CREATE INDEX chat_sessions_by_start ON chat_sessions (started_at, id);
CREATE INDEX chat_sessions_by_status ON chat_sessions (status, started_at, id);
CREATE INDEX chat_sessions_by_user ON chat_sessions (user_id, started_at, id);
CREATE INDEX chat_sessions_by_user_status ON chat_sessions (user_id, status, started_at, id);
CREATE INDEX chat_sessions_by_agent ON chat_sessions (agent_id, started_at, id);
-- With agent_id IS NULL and status 'active' this is also the queue of waiting sessions.
CREATE INDEX chat_sessions_by_agent_status ON chat_sessions (agent_id, status, started_at, id);
