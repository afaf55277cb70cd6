-- Sessions. Moments are milliseconds since 1970-01-01T00:00:00Z, as in every other table here: the domain counts in
-- milliseconds, so a BIGINT is exact, needs no time zone, and is the same in both databases. Tags are a JSON array, in
-- TEXT because no statement looks into it. last_seq is the position of the newest durable change and the version of the
-- row; message_count makes the number of messages free to read.
--
-- Text that is compared is compared bytewise (COLLATE "C"): it orders as the program does, an upgrade of the operating
-- system's locales cannot break an index, and it is faster.
--
-- Every message rewrites its session's row, but no column of an index. With 30 % of each page left free, the new
-- version stays on the page of the old one and no index is touched (heap-only tuples).
CREATE TABLE chat_sessions (
    id                   UUID             NOT NULL PRIMARY KEY,
    user_id              TEXT COLLATE "C" NOT NULL,
    agent_id             TEXT COLLATE "C",
    status               TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'closed')),
    priority             TEXT COLLATE "C" NOT NULL CHECK (priority IN ('low', 'medium', 'high')),
    subject              TEXT,
    tags                 TEXT             NOT NULL,
    started_at           BIGINT           NOT NULL,
    ended_at             BIGINT,
    last_seq             BIGINT           NOT NULL,
    message_count        BIGINT           NOT NULL,
    waiting_since        BIGINT,
    unread_by_user       BIGINT           NOT NULL,
    unread_by_support    BIGINT           NOT NULL,
    delivered_to_user    BIGINT           NOT NULL,
    delivered_to_support BIGINT           NOT NULL,
    created_by           TEXT COLLATE "C" NOT NULL,
    idempotency_key      TEXT COLLATE "C",
    fingerprint          BYTEA            CHECK (octet_length(fingerprint) = 32),
    CHECK ((status = 'closed') = (ended_at IS NOT NULL)),
    CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
) WITH (fillfactor = 70);

-- The one unique rule that does not hold within a session: a repeated request does not know the id that the first one
-- got. Where the tables are partitioned or distributed by session, this index moves into a table of its own, by
-- created_by.
CREATE UNIQUE INDEX chat_sessions_by_key ON chat_sessions (created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- One index per way a list is asked for, each in the order of the list, so that a page is a walk along an index. They
-- start with what the list is of, not with the session; none of them is unique, so each partition can have its own.
CREATE INDEX chat_sessions_by_start ON chat_sessions (started_at, id);
CREATE INDEX chat_sessions_by_status ON chat_sessions (status, started_at, id);
CREATE INDEX chat_sessions_by_user ON chat_sessions (user_id, started_at, id);
CREATE INDEX chat_sessions_by_user_status ON chat_sessions (user_id, status, started_at, id);
CREATE INDEX chat_sessions_by_agent ON chat_sessions (agent_id, started_at, id) WHERE agent_id IS NOT NULL;
CREATE INDEX chat_sessions_by_agent_status ON chat_sessions (agent_id, status, started_at, id)
    WHERE agent_id IS NOT NULL;
-- The queue of waiting sessions. The planner does not see that rows with agent_id IS NULL lie in the order of the next
-- column of an index that starts with agent_id, and would sort them.
CREATE INDEX chat_sessions_by_unassigned ON chat_sessions (status, started_at, id) WHERE agent_id IS NULL;
