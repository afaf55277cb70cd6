-- The durable changes that are not messages. Together with chat_messages they hold every position of a session's
-- sequence exactly once. data is JSON whose shape belongs to the kind; what never changes about a session is not
-- repeated in it. No foreign key, for the reason given at chat_messages.
CREATE TABLE chat_session_events (
    session_id BLOB   NOT NULL CHECK (length(session_id) = 16),
    seq        BIGINT NOT NULL,
    kind       TEXT   NOT NULL CHECK (kind IN ('opened', 'assigned', 'transferred', 'closed', 'delivered', 'read')),
    actor      TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    data       TEXT   NOT NULL,
    PRIMARY KEY (session_id, seq)
) WITHOUT ROWID;
